import type { Command } from 'commander';
import { Bundle } from '../bundle/Bundle';
import { settingTexts } from '../cache/choice';
import { POLICIES } from '../cache/registry';
import { UsageError } from '../errors';
import { PolicyClient } from '../policy/PolicyClient';
import { checkSimulatedBundle } from '../sim/simulate';
import { onInterrupt } from '../signals';
import { SUITES } from '../sim/tasks';
import { printLine } from '../terminal';
import { LARGEST_SEED, PACES } from '../watch/controlRequest';
import { LiveLoop } from '../watch/LiveLoop';
import type { WrittenSettings } from '../watch/messages';
import { watchPage } from '../watch/watchPage';
import { WatchServer } from '../watch/WatchServer';
import { addExecutionOptions, readExecutionOptions, readPolicyOptions } from './policyOptions';
import type { ExecutionFlags, PolicyOptions } from './policyOptions';
import { addWorldOptions, readWorldOptions } from './worldOptions';
import type { WorldFlags } from './worldOptions';
import { collect, oneOf, portNumber } from './flagValues';

interface WatchFlags extends ExecutionFlags, WorldFlags {
  readonly bundle: string;
  readonly port: string;
  readonly policy: string;
  readonly refresh?: string;
  readonly range?: string;
  readonly set: readonly string[];
  readonly suite: string;
  readonly pace: string;
  readonly paused?: boolean;
}

/** `fastwam watch` */
export function watchCommand(program: Command): Command {
  const command = program
    .command('watch')
    .description('show the closed loop live on a local page, with sliders for R and the range')
    .requiredOption('--bundle <dir>', 'a bundle trained in the simulated world')
    .option('--port <n>', 'port of the page on 127.0.0.1; 0 = a free one', '0')
    .option(
      '--policy <name>',
      `cache policy to begin with: ${POLICIES.map((p) => p.name).join(', ')}`,
      'c3ache',
    )
    .option('--refresh <R>', 'refresh interval in chunks; short for --set refresh_interval=R')
    .option('--range <a:b>', 'first and last reused step; short for --set range=a:b')
    .option(
      '--set <name=value>',
      "one of the policy's settings; may be repeated",
      collect,
      [] as readonly string[],
    )
    .option('--suite <name>', `all, or one of ${SUITES.join(', ')}`, 'all')
    .option('--pace <n>', `times real time: ${PACES.join(', ')} (0 = as fast as it goes)`, '3')
    .option('--paused', 'wait for the page before the first step');
  addWorldOptions(command);
  addExecutionOptions(command);
  return command.action(async (flags: WatchFlags) => {
    await watch(flags);
  });
}

/** Serves the page until the process is told to end. */
async function watch(flags: WatchFlags): Promise<void> {
  const port = portNumber('--port', flags.port);
  const { selection, sampler } = readWorldOptions(flags);
  const { seed } = selection;
  if (seed > LARGEST_SEED) throw new UsageError(`--seed ${seed}: expected 0 to ${LARGEST_SEED}`);
  const bundle = Bundle.open(flags.bundle);
  checkSimulatedBundle(bundle);
  // What was asked for is checked, and the port taken, before a model is loaded.
  const loop = new LiveLoop({
    bundle,
    settings: firstSettings(flags, sampler.noise),
    choice: {
      suite: oneOf('--suite', flags.suite, ['all', ...SUITES] as const),
      ...selection,
    },
    noiseSeed: sampler.seed,
    pace: Number(oneOf('--pace', flags.pace, PACES.map(String))),
    paused: flags.paused === true,
  });
  const execution = readExecutionOptions(flags);
  const server = await WatchServer.listen({
    subject: loop,
    port,
    pageWith: (token) => watchPage(bundle, token),
  });
  loop.listener = (event, message) => server.tell(event, message);
  const forget = onInterrupt(() => loop.stop());
  let client: PolicyClient | undefined;
  try {
    client = await PolicyClient.load(bundle.folder, { execution });
    const stream = await client.createEpisode();
    printLine(`the closed loop, live: ${server.url}  (Ctrl-C ends it)`);
    await loop.run(stream);
  } finally {
    forget();
    await server.close();
    await client?.close();
  }
}

/** The settings that the page begins with. @throws UsageError for unknown names and values that cannot be read */
export function firstSettings(flags: PolicyOptions, noise: WrittenSettings['noise']): WrittenSettings {
  const choice = readPolicyOptions(flags);
  return { policy: choice.policy, values: settingTexts(choice), noise };
}
