import type { Command } from 'commander';
import { settingTexts, someSettings } from '../cache/choice';
import type { Choice, Settings } from '../cache/choice';
import { POLICIES, policyNamed } from '../cache/registry';
import type { Calibration } from '../cache/types';
import { Interrupted, UsageError } from '../errors';
import { calibrationChunks } from '../evaluation/calibrationChunks';
import type { CalibrationChunk, CalibrationSource } from '../evaluation/calibrationChunks';
import { learn } from '../evaluation/learn';
import { calibrateThreshold } from '../evaluation/calibrationOfThreshold';
import type { PartResult, ThresholdCalibration } from '../evaluation/calibrationOfThreshold';
import { PolicyClient } from '../policy/PolicyClient';
import { print, printJson, say } from '../terminal';
import { interruptible } from './interruption';
import type { Interruptible } from './interruption';
import {
  NOISE_HELP,
  addExecutionOptions,
  readExecutionOptions,
  readPolicyOptions,
  readSampler,
} from './policyOptions';
import type { ExecutionFlags } from './policyOptions';
import { wholeNumber } from './flagValues';

interface CalibrateFlags extends ExecutionFlags {
  readonly policy: string;
  readonly set: readonly string[];
  readonly inputs?: string;
  readonly params?: string;
  readonly instruction?: string;
  readonly tolerance?: string;
  readonly trials: string;
  readonly chunks?: string;
  readonly noise: string;
  readonly seed?: string;
  readonly json?: boolean;
}

type Write = (text: string) => void;

/** Policies with something to calibrate. */
const CALIBRATED = POLICIES.filter(({ calibration, threshold }) => calibration ?? threshold).map(
  ({ name }) => name,
);

const NOTHING_KEPT = 'nothing was calibrated, and what the bundle had before is as it was';

/** `fastwam calibrate` */
export function calibrateCommand(program: Command): Command {
  const command = program
    .command('calibrate')
    .description('make the schedule of bac, or find the fastest threshold of a policy within a tolerance')
    .argument('<bundle>', 'a bundle')
    .argument('[recordings...]', 'rosbag2 recordings, read with --params')
    .requiredOption('--policy <name>', CALIBRATED.join(', '))
    .option('--params <file>', "the node's params file, which names the recordings' topics")
    .option(
      '--inputs <file>',
      'in place of recordings: safetensors with images, proprio and optionally noise',
    )
    .option('--instruction <text>', "the bare task, in place of the recordings'")
    .option('--set <name=value...>', "the policy's settings to calibrate for", [])
    .option(
      '--tolerance <rmse>',
      'how far normalised actions may move (root mean square of the executed part)',
    )
    .option('--trials <n>', 'most thresholds to try', '14')
    .option('--chunks <n>', 'stop after so many chunks')
    .option('--noise <mode>', NOISE_HELP, 'fixed')
    .option('--seed <n>', "seed of the noise; by default the bundle's")
    .option('--json', 'the result as one JSON line');
  addExecutionOptions(command);
  return command.action((bundle: string, recordings: readonly string[], flags: CalibrateFlags) =>
    interruptible((interruption) => calibrate(bundle, recordings, flags, interruption)),
  );
}

async function calibrate(
  bundle: string,
  recordings: readonly string[],
  flags: CalibrateFlags,
  interruption: Interruptible,
): Promise<void> {
  const { signal } = interruption;
  // `--set a=1 b=2 BAG`: what is no setting belongs to the recordings.
  const set = flags.set.filter((text) => text.includes('='));
  const bags = [...recordings, ...flags.set.filter((text) => !text.includes('='))];
  const choice = readPolicyOptions({ policy: flags.policy, set });
  const { calibration } = policyNamed(choice.policy);
  const tolerance = toleranceOf(flags, choice.policy);
  const source: CalibrationSource = {
    bags,
    onWarning: (message) => say(`warning: ${message}`),
    signal,
    ...(flags.params !== undefined && { params: flags.params }),
    ...(flags.inputs !== undefined && { inputs: flags.inputs }),
    ...(flags.instruction !== undefined && { instruction: flags.instruction }),
    ...(flags.chunks !== undefined && { limit: wholeNumber('--chunks', flags.chunks) }),
  };
  const client = await PolicyClient.load(bundle, {
    execution: readExecutionOptions(flags),
    grain: tolerance === undefined && calibration?.looksAt === 'parts' ? 'block' : 'stack',
  });
  const job = { client, chunks: calibrationChunks(source, client.bundle), choice, flags, signal };
  try {
    const write: Write = (text) => print(text);
    if (tolerance !== undefined) await runThreshold({ ...job, tolerance }, write);
    else if (calibration) await runLearning({ ...job, calibration }, write);
  } catch (error) {
    if (error instanceof Interrupted) interruption.throwIfInterrupted(NOTHING_KEPT);
    throw error;
  } finally {
    await client.close();
  }
}

interface Job {
  readonly client: PolicyClient;
  readonly chunks: AsyncIterable<CalibrationChunk>;
  readonly choice: Choice;
  readonly flags: CalibrateFlags;
  readonly signal: AbortSignal;
}

async function runLearning(
  { client, chunks, choice, flags, calibration }: Job & { readonly calibration: Calibration },
  write: Write,
): Promise<void> {
  const learnt = await learn(
    client,
    chunks,
    calibration,
    choice.values,
    readSampler(flags, client.bundle.manifest),
  );
  const { figures, text } = calibration.describe(learnt.record);
  const settings = someSettings(calibration.settingsOf(learnt.record));
  if (flags.json) {
    const result = { ...settings, chunks: learnt.chunks, ...figures, path: learnt.path };
    printJson(result);
    return;
  }
  write(
    `${choice.policy}: ${text}, learnt from ${learnt.chunks} chunks -> ${learnt.path}\n` +
      `use it with --policy ${choice.policy} ${setLine(settings)}\n`,
  );
}

async function runThreshold(
  { client, chunks, choice, flags, signal, tolerance }: Job & { readonly tolerance: number },
  write: Write,
): Promise<void> {
  const all: CalibrationChunk[] = [];
  for await (const chunk of chunks) all.push(chunk);
  const result = await calibrateThreshold(client, all, {
    choice,
    tolerance,
    sampler: readSampler(flags, client.bundle.manifest),
    signal,
    trials: wholeNumber('--trials', flags.trials),
  });
  const line = result.settings && `--policy ${choice.policy} ${setLine(result.settings)}`;
  if (flags.json) printJson({ ...result, tolerance, use: line ?? null });
  else write(thresholdText(result, tolerance, line));
}

/** What was found and how far to trust it, for people. */
function thresholdText(result: ThresholdCalibration, tolerance: number, line: string | undefined): string {
  const tried = `${result.trials.length} settings of ${result.searched} tried`;
  if (line === undefined) {
    return `${result.policy}: none of ${tried} saves anything within ${tolerance}; use a larger tolerance\n`;
  }
  const { calibration, heldOut } = result;
  const found = [
    `${result.policy}: ${tried}, tolerance ${tolerance}`,
    `  calibration  ${partText(calibration)}`,
    `  held out     ${partText(heldOut)}`,
  ];
  const each = `${heldOut.within} of ${heldOut.chunks} chunks each for itself`;
  const verdict =
    heldOut.deviation <= tolerance
      ? [`confirmed: the held-out part keeps to the tolerance as well (${each})`, `use it with ${line}`]
      : [
          `NOT confirmed: the held-out part, which the search did not see, goes beyond the tolerance (${each} keep to it)`,
          `found: ${line}`,
          ...otherwise(result),
        ];
  return [...found, ...verdict, ''].join('\n');
}

/** What to do with a threshold that the held-out part does not confirm. */
function otherwise({ policy, keepsInBoth }: ThresholdCalibration): readonly string[] {
  if (!keepsInBoth) {
    return [
      'of the settings tried none keeps to it in both parts: use a larger tolerance, or more recordings',
    ];
  }
  const { settings, calibration, heldOut } = keepsInBoth;
  return [
    `the loosest setting tried that keeps to it in both parts: --policy ${policy} ${setLine(settings)}`,
    `  calibration  ${partText(calibration)}`,
    `  held out     ${partText(heldOut)}`,
    'it was chosen by the held-out part, so nothing is left to confirm it: calibrate with more recordings to be sure',
  ];
}

function partText(part: PartResult): string {
  const share = part.stackEvaluations / part.uncachedEvaluations;
  return `deviation ${part.deviation.toPrecision(3)}, worst chunk ${part.worstChunk.toPrecision(3)}, ${(100 * share).toFixed(1)} % of the stack computed, ${part.chunks} chunks`;
}

/** The settings as options of a command line. */
function setLine(values: Settings): string {
  return Object.entries(settingTexts({ values, companions: {} }))
    .map(([name, value]) => `--set ${name}=${value}`)
    .join(' ');
}

/** The tolerance to search a threshold for; undefined for a policy that learns beforehand. */
function toleranceOf({ tolerance }: CalibrateFlags, name: string): number | undefined {
  const { calibration, threshold } = policyNamed(name);
  if (!calibration && !threshold) {
    throw new UsageError(`policy ${name} has nothing to calibrate; calibrate takes ${CALIBRATED.join(', ')}`);
  }
  if (tolerance === undefined && calibration) return undefined;
  if (!threshold) {
    throw new UsageError(
      `${name} is calibrated for a budget, not for a tolerance: leave out --tolerance, and give --set`,
    );
  }
  const value = Number(tolerance);
  if (tolerance !== undefined && Number.isFinite(value) && value > 0) return value;
  throw new UsageError(
    tolerance === undefined
      ? '--tolerance is missing: how far normalised actions may move (root mean square), for instance --tolerance 0.05'
      : `--tolerance ${tolerance}: expected a number above 0, in normalised actions, for instance 0.05`,
  );
}
