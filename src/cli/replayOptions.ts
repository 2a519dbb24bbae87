import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Interrupted } from '../errors';
import { lockFolder } from '../formats/folderLock';
import { makeOutputFolder } from '../formats/outputFolder';
import { replayRecording } from '../evaluation/replayRecording';
import type { ReplayRequest } from '../evaluation/replayRecording';
import { PROVIDER_CHOICES } from '../model/execution';
import { PRECISION_NAMES } from '../model/precisions';
import { ProgressBar } from '../report/ProgressBar';
import { terminalReport, wantsColour } from '../report/terminalReport';
import { writeReport } from '../report/writeReport';
import { print, printLine, progressStream, say } from '../terminal';
import { listed } from '../words/listed';
import { interruptible } from './interruption';
import { givenTexts, prefillPrecisionOf } from './policyOptions';
import { collect, oneOf, wholeNumber } from './flagValues';

/** Flags that `replay` and `sweep` have in common. */
export interface ReplayFlags {
  readonly bundle?: string;
  readonly params: string;
  readonly policy: readonly string[];
  readonly refresh?: string;
  readonly range?: string;
  readonly set: readonly string[];
  readonly tolerance: readonly string[];
  readonly toleranceMeasure: string;
  readonly instruction?: string;
  readonly live?: string;
  readonly chunks?: string;
  readonly residuals: boolean;
  readonly provider?: string;
  readonly device?: string;
  readonly precision?: string;
  readonly prefillPrecision?: string;
  readonly threads?: string;
  readonly out: string;
}

/** Adds what both commands take besides their lists of settings. */
export function addReplayOptions(command: Command, out: string): Command {
  return command
    .argument('<bag>', 'a rosbag2 recording: folder or file, MCAP or SQLite3')
    .option('--bundle <dir>', "a bundle (default: the params file's)")
    .requiredOption('--params <file>', "the node's params file: topics, and settings to start from")
    .option(
      '--policy <names>',
      "cache policies, separated by commas; may be repeated (default: the params file's)",
      (value: string, previous: readonly string[]) => [...previous, ...listed(value)],
      [] as readonly string[],
    )
    .option(
      '--tolerance <limit>',
      'how far executed actions may lie from the uncached ones: GROUP=LIMIT in its unit, a bare number for normalised actions, flips=COUNT; may be repeated',
      collect,
      [] as readonly string[],
    )
    .option('--tolerance-measure <name>', 'what the limits are held against: rmse or worst', 'rmse')
    .option('--instruction <text>', "the bare task, in place of the recording's")
    .option(
      '--live <dir>',
      'the chunks that a node made while this recording was played (fastwam record): on the same observations',
    )
    .option('--chunks <n>', 'stop after so many chunks')
    .option('--no-residuals', 'leave out the likeness of adjacent chunks, which costs one more chunk each')
    .option('--provider <name>', 'cpu, cuda or auto')
    .option('--device <n>', 'CUDA device')
    .option('--precision <name>', 'fp32; int8 on the CPU; fp16, bf16 on CUDA')
    .option(
      '--prefill-precision <name>',
      'of the video prefill on the CPU, where it is another: fp32 or int8',
    )
    .option('--threads <n>', 'threads of one model; 0 = one for each core')
    .option('--out <dir>', 'folder for report.html, metrics.json and chunks.csv', out);
}

/** Replays, writes the three files and prints the table. */
export async function runReplayCommand(
  bag: string,
  flags: ReplayFlags,
  { lists }: { readonly lists: boolean },
): Promise<void> {
  const measure = measureOf(flags.toleranceMeasure);
  makeOutputFolder(flags.out);
  const release = lockFolder(flags.out);
  await interruptible(async ({ signal, throwIfInterrupted }) => {
    let bar: ProgressBar | undefined;
    let measured = false;
    try {
      const outcome = await replayRecording({
        bag,
        params: flags.params,
        choices: { policies: flags.policy, texts: givenTexts(flags), lists },
        execution: executionOf(flags),
        residuals: flags.residuals,
        tolerance: { texts: flags.tolerance, measure },
        command: ['fastwam', ...process.argv.slice(2)],
        signal,
        ...(flags.bundle !== undefined && { bundle: flags.bundle }),
        ...(flags.instruction !== undefined && { instruction: flags.instruction }),
        ...(flags.live !== undefined && { live: flags.live }),
        ...(flags.chunks !== undefined && { chunks: wholeNumber('--chunks', flags.chunks, 1) }),
        onStart: (total, configurations) => {
          const label = `replay, ${configurations} configurations`;
          bar = new ProgressBar({ stream: progressStream, label, total });
        },
        onProgress: (done) => bar?.update(done),
        onReason: (line) => {
          bar?.finish();
          say(`warning: ${line}`);
        },
      });
      bar?.finish();
      measured = true;
      const { evaluation, figures, provenance } = outcome;
      const files = await writeReport(flags.out, evaluation, figures, provenance);
      const colour = wantsColour(process.stdout);
      print(terminalReport(evaluation, figures, provenance, { colour }));
      print('\n');
      printLine(`report: ${resolve(files.page)}`);
      throwIfInterrupted(
        `${evaluation.observations.length} chunks were measured, and the report covers them alone`,
      );
    } catch (error) {
      if (error instanceof Interrupted && !measured)
        throwIfInterrupted('no chunk was measured; no report was written');
      throw error;
    } finally {
      release();
      bar?.finish();
    }
  });
}

/** Only what was said on the command line; the params file has the rest. */
function executionOf(flags: ReplayFlags): ReplayRequest['execution'] {
  return {
    ...(flags.provider !== undefined && {
      provider: oneOf('--provider', flags.provider, PROVIDER_CHOICES),
    }),
    ...(flags.precision !== undefined && {
      precision: oneOf('--precision', flags.precision, PRECISION_NAMES),
    }),
    ...prefillPrecisionOf(flags),
    ...(flags.device !== undefined && { device: wholeNumber('--device', flags.device) }),
    ...(flags.threads !== undefined && { threads: wholeNumber('--threads', flags.threads) }),
  };
}

function measureOf(name: string): 'rmse' | 'worst' {
  return oneOf('--tolerance-measure', name, ['rmse', 'worst'] as const);
}
