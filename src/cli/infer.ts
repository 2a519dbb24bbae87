import type { Command } from 'commander';
import { Bundle } from '../bundle/Bundle';
import { inferRecorded } from '../policy/inferRecorded';
import { printLine, say } from '../terminal';
import {
  addExecutionOptions,
  addPolicyOptions,
  readExecutionOptions,
  readPolicyOptions,
  readSampler,
} from './policyOptions';
import type { ExecutionFlags, PolicyOptions } from './policyOptions';

interface InferFlags extends PolicyOptions, ExecutionFlags {
  readonly bundle: string;
  readonly inputs: string;
  readonly instruction?: string;
  readonly noise: string;
  readonly seed?: string;
  readonly out: string;
}

/** `fastwam infer` */
export function inferCommand(program: Command): Command {
  const command = program
    .command('infer')
    .description('compute the action chunks of one episode from a file of observations')
    .requiredOption('--bundle <dir>', 'a bundle')
    .requiredOption('--inputs <file>', 'safetensors with images, proprio and optionally noise and context')
    .option(
      '--instruction <text>',
      'the bare task; not needed where the inputs have a context, which stands in for one that the bundle does not know',
    )
    .option('--noise <mode>', 'fixed: the same for every chunk; fresh: seed + chunk number', 'fixed')
    .option('--seed <n>', "seed of the noise; by default the bundle's")
    .requiredOption('--out <file>', 'safetensors with action, velocity, latents, computed, refreshed');
  addPolicyOptions(command, 'none');
  addExecutionOptions(command);
  return command.action(async (flags: InferFlags) => {
    const { manifest } = Bundle.describe(flags.bundle);
    const settings = { ...readPolicyOptions(flags), ...readSampler(flags, manifest) };
    const { chunks, notices } = await inferRecorded({
      ...flags,
      settings,
      execution: readExecutionOptions(flags),
    });
    for (const notice of notices) say(notice);
    const refreshes = chunks.filter((c) => c.report.refreshed).length;
    const stacks = chunks.reduce((n, c) => n + c.report.stackEvaluations, 0);
    printLine(
      `${chunks.length} chunks, ${refreshes} refreshes, ${stacks.toFixed(1)} stack evaluations -> ${flags.out}`,
    );
  });
}
