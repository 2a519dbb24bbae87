import { InputError } from '../errors';
import { SUB_BLOCKS } from '../bundle/layout';
import { BacLearner } from './BacLearner';
import { SIMILARITIES, flagsOf, parseBacSchedule } from './bacSchedule';
import type { BacSchedule } from './bacSchedule';
import { residualsByStep, runInFull, subBlocksOfStack } from './StepRun';
import { WithinChunkState } from './WithinChunkState';
import type { FieldTable, FieldValues } from './fields';
import type { CachePolicy, CacheResources, Calibration, Expert, ExpertShape, StepRun } from './types';

const PAPER = 'arXiv 2506.13456';

const fields = {
  updates: {
    type: 'integer',
    description:
      'M: steps at which each sub-block is computed anew, the first among them; all steps = no reuse',
    unit: 'steps',
    default: 5,
    min: 1,
    max: 10_000,
    source: `${PAPER}: 10 of 100 steps; 5 of 10 is what a third party measured on the Fast-WAM family`,
  },
  union_blocks: {
    type: 'integer',
    description:
      'n: sub-blocks with the largest error that also follow the updates of every later FFN; 0 = none, 1 has no effect',
    unit: 'sub-blocks',
    default: 5,
    min: 0,
    max: 100_000,
    source: `${PAPER}, code: 5 (3 in its README)`,
  },
  similarity: {
    type: 'enum',
    values: SIMILARITIES,
    default: 'cosine',
    description:
      'how calibration compares a sub-block at two steps; adjacent compares neighbouring steps only and updates where they differ most',
    source: `${PAPER}: cosine; l1 and mse: code; adjacent: the objective as printed`,
  },
  gate_mode: {
    type: 'enum',
    values: ['gated', 'ungated'],
    default: 'gated',
    description:
      'what is held: the gated term as it was added, or the term before its gate, with the gate of the current step applied',
    source: `gated: ${PAPER}; ungated: this project`,
  },
} as const satisfies FieldTable;

type BacSettings = FieldValues<typeof fields>;

/** What a schedule is learnt for. */
type Budget = Pick<BacSettings, 'updates' | 'union_blocks' | 'similarity'>;

const budgetOf = ({ updates, union_blocks, similarity }: Budget): Budget => ({
  updates,
  union_blocks,
  similarity,
});

/** How schedules are learnt, and kept beside a bundle. */
export const bacCalibration: Calibration<typeof fields, BacSchedule> = {
  policy: 'bac',
  file: 'bac_schedules.json',
  looksAt: 'parts',
  begin: (shape) => new BacLearner(shape),
  parse: parseBacSchedule,
  settingsOf: budgetOf,
  withoutRecord: ({ steps }) => ({ updates: steps }),
  describe: ({ computed, updates, steps }) => {
    const flags = computed.flat(2);
    const ones = flags.filter((flag) => flag === 1).length;
    const note = updates < steps ? '' : ` (${updates} updates in ${steps} steps, nothing is held)`;
    return {
      text: `${ones} of ${flags.length} sub-blocks are computed${note}`,
      figures: { computed_sub_blocks: ones, of: flags.length },
    };
  },
};

/** BAC: sub-blocks held over denoising steps by a schedule that was calibrated beforehand (arXiv 2506.13456). */
export const bac: CachePolicy<typeof fields> = {
  name: 'bac',
  title: 'BAC: sub-blocks held over steps by a calibrated schedule',
  source: PAPER,
  fields,
  grain: () => 'block',
  refuse: (settings, shape, _schedule, resources) => missingSchedule(settings, shape, resources),
  createState: (shape, _schedule, resources) => new WithinChunkState(shape, runBac, resources),
  // The first step fills what later ones hold, and the last one is always computed.
  tail: { run: runBac, fewestSteps: () => 3 },
  calibration: bacCalibration,
};

/** Why there is no schedule for these settings, and how to make one; undefined if there is one, or none is needed. */
function missingSchedule(
  settings: BacSettings,
  shape: ExpertShape,
  resources: CacheResources = {},
): string | undefined {
  if (settings.updates >= shape.steps || scheduleFor(settings, shape, resources) !== undefined)
    return undefined;
  const wanted = budgetText(settings);
  const others = fitting(resources, shape).map(budgetText);
  const known =
    others.length === 0
      ? 'the bundle has none'
      : `the bundle has ${others.map((other) => `{${other}}`).join(', ')}`;
  const given = wanted.replaceAll(/(\S+=)/g, '--set $1');
  return `no bac schedule for ${wanted} (${known}): make it with fastwam calibrate BUNDLE --policy bac BAG ${given}`;
}

/** Steps `first`..N-1 of a chunk, by the schedules of a bundle. */
async function runBac(
  expert: Expert,
  x: Float32Array,
  first: number,
  settings: BacSettings,
  recordResiduals: boolean,
  resources: CacheResources = {},
): Promise<StepRun> {
  const { shape } = expert;
  if (settings.updates >= shape.steps) {
    const run = await runInFull(expert, x, first, recordResiduals);
    const computed = new Uint8Array(run.computedSubBlocks).fill(1);
    return { ...run, finer: { computed, shape: 'subblocks' } };
  }
  const schedule = scheduleFor(settings, shape, resources);
  if (schedule === undefined) throw new InputError(missingSchedule(settings, shape, resources) ?? '');
  return runScheduled(expert, x, first, flagsOf(schedule), settings.gate_mode, recordResiduals);
}

async function runScheduled(
  expert: Expert,
  x: Float32Array,
  first: number,
  schedule: Uint8Array,
  hold: BacSettings['gate_mode'],
  recordResiduals: boolean,
): Promise<StepRun> {
  const { shape } = expert;
  const perStep = subBlocksOfStack(shape);
  const flags = schedule.slice(first * perStep);
  // Nothing is held yet when the first of these steps runs.
  flags.fill(1, 0, perStep);
  const steps = Array.from({ length: shape.steps - first }, (_, i) => ({ index: first + i }));
  const run = await expert.scheduledSteps(x, flags, steps, hold);
  const computed = Uint8Array.from(steps, (_, i) =>
    flags.subarray(i * perStep, (i + 1) * perStep).every((flag) => flag === 1) ? 1 : 0,
  );
  const residuals = residualsByStep(
    run,
    steps.map((step) => step.index),
    shape,
  );
  return {
    x: run.x,
    velocity: run.vs,
    computed,
    finer: { computed: flags, shape: 'subblocks' },
    computedSubBlocks: flags.reduce((sum, flag) => sum + flag, 0),
    residuals: recordResiduals
      ? new Map([...residuals].filter(([index]) => computed[index - first] === 1))
      : new Map(),
    gateSeconds: 0,
    bytes: 4 * shape.layers * SUB_BLOCKS.length * shape.horizon * shape.hidden,
    signals: {},
  };
}

function scheduleFor(
  settings: BacSettings,
  shape: ExpertShape,
  resources: CacheResources,
): BacSchedule | undefined {
  return fitting(resources, shape).find((candidate) => budgetText(candidate) === budgetText(settings));
}

function fitting(resources: CacheResources, shape: ExpertShape): readonly BacSchedule[] {
  const schedules = resources.learnt?.(bacCalibration) ?? [];
  return schedules.filter(({ steps, layers }) => steps === shape.steps && layers === shape.layers);
}

function budgetText(budget: Budget): string {
  return Object.entries(budgetOf(budget))
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}
