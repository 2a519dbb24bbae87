import type { Command } from 'commander';
import { Bundle } from '../bundle/Bundle';
import { InputError } from '../errors';
import { calibrationChunks } from '../evaluation/calibrationChunks';
import { inferRecorded } from '../policy/inferRecorded';
import type { RecordedChunk } from '../policy/inferRecorded';
import type { ActionChunk } from '../policy/types';
import { RTC_FIELDS, readRtc } from '../settings/rtc';
import { printLine, say } from '../terminal';
import {
  NOISE_HELP,
  addExecutionOptions,
  addPolicyOptions,
  readExecutionOptions,
  readPolicyOptions,
  readSampler,
} from './policyOptions';
import { wholeNumber } from './flagValues';
import type { ExecutionFlags, PolicyOptions } from './policyOptions';

interface InferFlags extends PolicyOptions, ExecutionFlags {
  readonly bundle: string;
  readonly inputs: string;
  readonly params?: string;
  readonly episode: string;
  readonly instruction?: string;
  readonly noise: string;
  readonly seed?: string;
  readonly out: string;
  readonly rtc?: string | true;
}

/** `fastwam infer` */
export function inferCommand(program: Command): Command {
  const command = program
    .command('infer')
    .description('compute the action chunks of one episode from a file of observations')
    .requiredOption('--bundle <dir>', 'a bundle')
    .requiredOption(
      '--inputs <path>',
      'safetensors with images, proprio and optionally noise and context; or, with --params, a recording: rosbag2 or a LeRobot dataset',
    )
    .option('--params <file>', "the node's params file, which names the recording's topics")
    .option('--episode <n>', 'which episode of the recording, from 0', '0')
    .option(
      '--instruction <text>',
      'the bare task; not needed where the inputs have a context, which stands in for one that the bundle does not know',
    )
    .option('--noise <mode>', NOISE_HELP, 'fixed')
    .option('--seed <n>', "seed of the noise; by default the bundle's")
    .option(
      '--rtc [settings]',
      `real-time chunking: guide each chunk towards the one before it, as name=value,...: ${Object.keys(
        RTC_FIELDS,
      )
        .filter((name) => name !== 'enabled')
        .join(', ')}, and executed, the steps between two chunks where the stamps are not to tell`,
    )
    .requiredOption('--out <file>', 'safetensors with action, velocity, latents, computed, refreshed');
  addPolicyOptions(command, 'none');
  addExecutionOptions(command);
  return command.action(async (flags: InferFlags) => {
    const { manifest } = Bundle.describe(flags.bundle);
    const settings = { ...readPolicyOptions(flags), ...readSampler(flags, manifest) };
    const { rtc: rtcText, ...others } = flags;
    const rtc = rtcText === undefined ? undefined : readRtc(rtcText === true ? '' : rtcText);
    const { chunks, notices } = await inferRecorded({
      ...others,
      ...(rtc && { rtc }),
      inputs: flags.params === undefined ? flags.inputs : await episodeOf(flags),
      settings,
      execution: readExecutionOptions(flags),
    });
    for (const notice of notices) say(notice);
    const refreshes = chunks.filter((c) => c.report.refreshed).length;
    const stacks = chunks.reduce((n, c) => n + c.report.stackEvaluations, 0);
    printLine(
      `${chunks.length} chunks, ${refreshes} refreshes, ${stacks.toFixed(1)} stack evaluations${rtc ? `, ${guidanceText(chunks)}` : ''} -> ${flags.out}`,
    );
  });
}

/** How many chunks were guided, and why the others were not: `5 guided (1 not: first_chunk)`. */
function guidanceText(chunks: readonly ActionChunk[]): string {
  const reasons = chunks.flatMap(({ guidance }) => guidance.reason || []);
  const guided = chunks.length - reasons.length;
  const why = reasons.length === 0 ? '' : ` (${reasons.length} not: ${[...new Set(reasons)].join(', ')})`;
  return `${guided} guided${why}`;
}

/** The observations of one episode of a recording. */
async function episodeOf({
  bundle: folder,
  inputs,
  params,
  episode,
  instruction,
}: InferFlags): Promise<readonly RecordedChunk[]> {
  const wanted = wholeNumber('--episode', episode);
  const chunks: RecordedChunk[] = [];
  const source = {
    bags: [inputs],
    onWarning: say,
    ...(params && { params }),
    ...(instruction && { instruction }),
  };
  let last = -1;
  for await (const { episode: number, ...chunk } of calibrationChunks(source, Bundle.open(folder))) {
    last = number;
    if (number > wanted) break;
    if (number === wanted) chunks.push(chunk);
  }
  if (chunks.length > 0) return chunks;
  throw new InputError(
    last < 0
      ? `${inputs}: gave no observation that could be used`
      : `${inputs}: has no episode ${wanted}, only 0 to ${last}`,
  );
}
