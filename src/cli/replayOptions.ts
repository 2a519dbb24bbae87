import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Interrupted } from '../errors';
import { lockFolder } from '../formats/folderLock';
import { makeOutputFolder } from '../formats/outputFolder';
import { replayRecording } from '../evaluation/replayRecording';
import { ProgressBar } from '../report/ProgressBar';
import { terminalReport, wantsColour } from '../report/terminalReport';
import { writeReport } from '../report/writeReport';
import { print, printLine, progressStream, say } from '../terminal';
import { listed } from '../words/listed';
import { interruptible } from './interruption';
import { addExecutionOverrides, givenTexts, readExecutionOverrides } from './policyOptions';
import type { ExecutionOverrides } from './policyOptions';
import { collect, oneOf, wholeNumber } from './flagValues';

/** Flags that `replay` and `sweep` have in common. */
export interface ReplayFlags extends ExecutionOverrides {
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
  readonly mcap?: string;
  readonly chunks?: string;
  readonly residuals: boolean;
  readonly out: string;
}

/** Adds what both commands take besides their lists of settings. */
export function addReplayOptions(command: Command, out: string): Command {
  command
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
    .option('--mcap <file>', 'also write cameras, actions and cache reports, for Foxglove or Rerun')
    .option('--chunks <n>', 'stop after so many chunks')
    .option('--no-residuals', 'leave out the likeness of adjacent chunks, which costs one more chunk each');
  addExecutionOverrides(command);
  return command.option('--out <dir>', 'folder for report.html, metrics.json and chunks.csv', out);
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
        execution: readExecutionOverrides(flags),
        residuals: flags.residuals,
        tolerance: { texts: flags.tolerance, measure },
        command: ['fastwam', ...process.argv.slice(2)],
        signal,
        ...(flags.bundle !== undefined && { bundle: flags.bundle }),
        ...(flags.instruction !== undefined && { instruction: flags.instruction }),
        ...(flags.live !== undefined && { live: flags.live }),
        ...(flags.mcap !== undefined && { mcap: flags.mcap }),
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
      if (flags.mcap !== undefined) printLine(`recording: ${resolve(flags.mcap)}`);
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

function measureOf(name: string): 'rmse' | 'worst' {
  return oneOf('--tolerance-measure', name, ['rmse', 'worst'] as const);
}
