import type { Command } from 'commander';
import type { FieldValue } from '../cache/fieldValues';
import { resolveSettings } from '../cache/fieldValues';
import { bac } from '../cache/bac';
import { UsageError } from '../errors';
import { calibrationChunks } from '../evaluation/calibrationChunks';
import type { CalibrationChunk, CalibrationSource } from '../evaluation/calibrationChunks';
import { calibrateBac } from '../evaluation/calibrationOfBac';
import { CALIBRATED_BY_TOLERANCE, calibrateThreshold } from '../evaluation/calibrationOfThreshold';
import type { PartResult, ThresholdCalibration } from '../evaluation/calibrationOfThreshold';
import { PolicyClient } from '../policy/PolicyClient';
import { modelFacts } from '../policy/modelFacts';
import {
  addExecutionOptions,
  readExecutionOptions,
  readPolicyOptions,
  readSampler,
  wholeNumber,
} from './policyOptions';
import type { ExecutionFlags } from './policyOptions';

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
  readonly seed: string;
  readonly json?: boolean;
}

type Write = (text: string) => void;

/** `fastwam calibrate` */
export function calibrateCommand(program: Command): Command {
  const command = program
    .command('calibrate')
    .description('make the schedule of bac, or find the fastest threshold of a policy within a tolerance')
    .argument('<bundle>', 'a bundle')
    .argument('[recordings...]', 'rosbag2 recordings, read with --params')
    .requiredOption('--policy <name>', `bac, or one of ${CALIBRATED_BY_TOLERANCE.join(', ')}`)
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
    .option('--noise <mode>', 'fixed: the same for every chunk; fresh: seed + chunk number', 'fixed')
    .option('--seed <n>', 'seed of the noise', '42')
    .option('--json', 'the result as one JSON line');
  addExecutionOptions(command);
  return command.action(async (bundle: string, recordings: readonly string[], flags: CalibrateFlags) => {
    // `--set a=1 b=2 BAG`: what is no setting belongs to the recordings.
    const set = flags.set.filter((text) => text.includes('='));
    const bags = [...recordings, ...flags.set.filter((text) => !text.includes('='))];
    const { policy, values } = readPolicyOptions({ policy: flags.policy, set });
    const isBac = policy.name === bac.name;
    const tolerance = toleranceOf(flags, isBac);
    const source: CalibrationSource = {
      bags,
      onWarning: (message) => process.stderr.write(`${message}\n`),
      ...(flags.params !== undefined && { params: flags.params }),
      ...(flags.inputs !== undefined && { inputs: flags.inputs }),
      ...(flags.instruction !== undefined && { instruction: flags.instruction }),
      ...(flags.chunks !== undefined && { limit: wholeNumber('--chunks', flags.chunks) }),
    };
    const client = await PolicyClient.load(bundle, {
      execution: readExecutionOptions(flags),
      grain: isBac ? 'block' : 'stack',
    });
    const job = { client, chunks: calibrationChunks(source, client.bundle), values, flags };
    try {
      const write: Write = (text) => process.stdout.write(text);
      if (isBac) await runBac(job, write);
      else await runThreshold({ ...job, policy: policy.name, tolerance }, write);
    } finally {
      await client.close();
    }
  });
}

interface Job {
  readonly client: PolicyClient;
  readonly chunks: AsyncIterable<CalibrationChunk>;
  readonly values: Readonly<Record<string, FieldValue>>;
  readonly flags: CalibrateFlags;
}

async function runBac({ client, chunks, values, flags }: Job, write: Write): Promise<void> {
  const model = modelFacts(client.bundle);
  const { updates, union_blocks, similarity } = resolveSettings(bac.name, bac.fields, values, model);
  const budget = { updates, union_blocks, similarity };
  const { schedule, path } = await calibrateBac(client, chunks, budget, readSampler(flags));
  const flagsOf = schedule.computed.flat(2);
  const computed = flagsOf.filter((flag) => flag === 1).length;
  const result = {
    ...budget,
    chunks: schedule.chunks,
    computed_sub_blocks: computed,
    of: flagsOf.length,
    path,
  };
  const note =
    updates < model.shape.steps ? '' : `: ${updates} updates in ${model.shape.steps} steps, nothing is held`;
  if (flags.json) {
    write(`${JSON.stringify(result)}\n`);
    return;
  }
  write(
    `bac: ${computed} of ${flagsOf.length} sub-blocks are computed, learnt from ${schedule.chunks} chunks${note} -> ${path}\n` +
      `use it with --policy bac ${setLine({ updates, union_blocks, similarity })}\n`,
  );
}

async function runThreshold(
  { client, chunks, values, flags, policy, tolerance }: Job & { policy: string; tolerance: number },
  write: Write,
): Promise<void> {
  const all: CalibrationChunk[] = [];
  for await (const chunk of chunks) all.push(chunk);
  const result = await calibrateThreshold(client, all, {
    policy,
    values,
    tolerance,
    sampler: readSampler(flags),
    trials: wholeNumber('--trials', flags.trials),
  });
  const line = result.settings && `--policy ${policy} ${setLine(result.settings)}`;
  if (flags.json) write(`${JSON.stringify({ ...result, tolerance, use: line ?? null })}\n`);
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

function setLine(settings: Readonly<Record<string, FieldValue>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `--set ${name}=${Array.isArray(value) ? value.join(':') : String(value)}`)
    .join(' ');
}

function toleranceOf({ policy, tolerance }: CalibrateFlags, isBac: boolean): number {
  if (isBac) {
    if (tolerance === undefined) return 0;
    throw new UsageError(
      'bac is calibrated for a budget, not for a tolerance: --set updates=M union_blocks=n',
    );
  }
  const value = Number(tolerance);
  if (tolerance !== undefined && Number.isFinite(value) && value > 0) return value;
  throw new UsageError(
    CALIBRATED_BY_TOLERANCE.includes(policy)
      ? `--tolerance ${tolerance ?? ''}: expected a number above 0, in normalised actions, for instance 0.05`
      : `policy ${policy} has nothing to calibrate; calibrate takes bac, ${CALIBRATED_BY_TOLERANCE.join(', ')}`,
  );
}
