import { runInFull, stepElements, subBlocksOfStack } from '../../src/cache/StepRun';
import { WithinChunkState } from '../../src/cache/WithinChunkState';
import { advance } from '../../src/sampler/eulerStep';
import type { FieldTable, FieldValues } from '../../src/cache/fields';
import type { CachePolicy, Expert, StepRun } from '../../src/cache/types';

const fields = {
  held_steps: {
    type: 'integer',
    description: 'how many steps use the velocity of the last full one; 0 = none',
    unit: 'steps',
    default: 1,
    min: 0,
    max: 1000,
    source: 'an example',
  },
} as const satisfies FieldTable;

/** Holds the velocity of a full step for the next ones. */
export const holdVelocity: CachePolicy<typeof fields> = {
  name: 'hold_velocity',
  title: 'hold the velocity of a full step for the next ones',
  source: 'an example',
  fields,
  grain: () => 'stack',
  refuse: ({ held_steps }, { steps }) =>
    held_steps < steps
      ? undefined
      : `held_steps ${held_steps}: must be at most ${steps - 1}, the sampler takes ${steps} steps`,
  createState: (shape) => new WithinChunkState(shape, runHolding),
  tail: { run: runHolding, fewestSteps: () => 2 },
  threshold: {
    settings: (looseness) => ({ held_steps: Math.min(1000, Math.round(looseness)) }),
    start: 1,
    says: 'held_steps',
  },
};

async function runHolding(
  expert: Expert,
  start: Float32Array,
  first: number,
  { held_steps }: FieldValues<typeof fields>,
  recordResiduals: boolean,
): Promise<StepRun> {
  if (held_steps === 0) return runInFull(expert, start, first, recordResiduals);
  const { shape } = expert;
  const size = stepElements(shape);
  const velocity = new Float32Array((shape.steps - first) * size);
  const computed = new Uint8Array(shape.steps - first);
  const residuals = new Map<number, Float32Array>();
  let x = start;
  let held = new Float32Array(size);
  for (let k = first; k < shape.steps; k++) {
    const row = k - first;
    if (row % (held_steps + 1) === 0) {
      const run = await expert.fullSteps(x, [{ index: k }], { residuals: recordResiduals });
      held = new Float32Array(run.vs);
      x = run.x;
      computed[row] = 1;
      if (run.residuals !== undefined) residuals.set(k, run.residuals);
    } else {
      x = Float32Array.from(advance(x, held, expert.step(k)));
    }
    velocity.set(held, row * size);
  }
  const full = computed.reduce((sum, flag) => sum + flag, 0);
  return {
    x,
    velocity,
    computed,
    computedSubBlocks: full * subBlocksOfStack(shape),
    residuals,
    gateSeconds: 0,
    bytes: held.byteLength,
    signals: {},
  };
}
