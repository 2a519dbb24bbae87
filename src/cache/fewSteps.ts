import { at } from './matrix';
import { constantOfVelocity, reusedVelocity } from './affine';
import { residualsByStep, runInFull, stepElements, subBlocksOfStack } from './StepRun';
import { WithinChunkState } from './WithinChunkState';
import { advance } from '../sampler/eulerStep';
import { roundTo } from '../formats/halfPrecision';
import type { Schedule } from '../sampler/types';
import type { FieldTable, FieldValues } from './fields';
import type { CachePolicy, Expert, FullStep, StepRun } from './types';

const fields = {
  steps: {
    type: 'steps',
    description:
      'denoising steps that are computed, ascending, step 0 first; all of them = none. As a tail: the step where it takes over, and those of these that come after it',
    unit: 'steps',
    default: ({ schedule }) => spreadSteps(schedule, Math.min(2, schedule.steps)),
    source:
      'this project: evenly spread over the sigma path, for 10 steps at shift 5 the best 1, 2 and 3 against 20 steps ([0], [0, 8], [0, 7, 9])',
  },
  between: {
    type: 'enum',
    values: ['jump', 'hold'],
    default: 'jump',
    description:
      'what stands for the steps between: jump: one Euler step as long as all of them, so that the schedule is a coarser one; hold: each on its own, with the residual of the last computed one',
    source: 'jump: plain Euler; hold: 2F and 4F of arXiv 2610.10079, steps 0, 3 and 0, 3, 6, 9',
  },
} as const satisfies FieldTable;

/** Fewer denoising steps: not a cache, but what any cache has to be compared with. */
export const fewSteps: CachePolicy<typeof fields> = {
  name: 'few_steps',
  title: 'fewer steps: only some of the denoising steps are computed, in every chunk',
  source: 'Euler steps of another length; hold: arXiv 2610.10079',
  fields,
  grain: () => 'stack',
  refuse: ({ steps }) =>
    steps[0] === 0
      ? undefined
      : `steps [${steps.join(', ')}]: must begin with 0, before which there is nothing to go on from`,
  createState: (shape) => new WithinChunkState(shape, runFew),
  tail: { run: runFew, fewestSteps: () => 2 },
  threshold: {
    settings: (looseness, schedule) => ({
      steps: spreadSteps(schedule, Math.max(1, Math.round(schedule.steps / (1 + looseness)))),
    }),
    start: 4,
    says: 'how many steps, evenly spread over the sigma path',
  },
};

/**
 * `count` steps, the first of which is 0 and which divide the sigma path as evenly as the schedule allows: step i is the
 * one whose sigma is nearest to 1 - i / count.
 */
export function spreadSteps({ steps, sigma }: Schedule, count: number): readonly number[] {
  const chosen: number[] = [];
  for (let i = 0; i < count; i++) {
    const wanted = 1 - i / count;
    const earliest = (chosen.at(-1) ?? -1) + 1;
    // as many must be left for those to come
    const latest = i === 0 ? 0 : steps - count + i;
    let best = earliest;
    for (let k = earliest; k <= latest; k++) {
      if (Math.abs(at(sigma, k) - wanted) < Math.abs(at(sigma, best) - wanted)) best = k;
    }
    chosen.push(best);
  }
  return chosen;
}

async function runFew(
  expert: Expert,
  start: Float32Array,
  first: number,
  { steps, between }: FieldValues<typeof fields>,
  recordResiduals: boolean,
): Promise<StepRun> {
  const { shape } = expert;
  const chosen = [first, ...steps.filter((step) => step > first)];
  if (chosen.length === shape.steps - first) return runInFull(expert, start, first, recordResiduals);
  return between === 'jump'
    ? runJumping(expert, start, chosen, recordResiduals)
    : runHolding(expert, start, chosen, recordResiduals);
}

/** One call: x <- x + (sigma_next - sigma_k) v(x, sigma_k) for each chosen step, the last one down to sigma 0. */
async function runJumping(
  expert: Expert,
  start: Float32Array,
  chosen: readonly number[],
  recordResiduals: boolean,
): Promise<StepRun> {
  const { shape, schedule } = expert;
  const { sigma, dtype } = schedule;
  const size = stepElements(shape);
  const next = (i: number): number => chosen[i + 1] ?? shape.steps;
  const steps = chosen.map((index, i): FullStep => {
    if (next(i) === index + 1) return { index };
    return { index, delta: roundTo(dtype, Math.fround(at(sigma, next(i)) - at(sigma, index))) };
  });
  const full = await expert.fullSteps(start, steps, { residuals: recordResiduals });
  const [first = 0] = chosen;
  const velocity = new Float32Array((shape.steps - first) * size);
  // The velocity of a jump is that of every step in it.
  chosen.forEach((index, i) => {
    for (let k = index; k < next(i); k++) {
      velocity.set(full.vs.subarray(i * size, (i + 1) * size), (k - first) * size);
    }
  });
  return {
    x: full.x,
    velocity,
    ...computedOf(expert, chosen),
    residuals: residualsByStep(full, chosen, shape),
    gateSeconds: 0,
    bytes: 0,
    signals: {},
  };
}

/** A call for each stretch of neighbouring steps; those that follow have v = x A^T + D of its last one (affine.ts). */
async function runHolding(
  expert: Expert,
  start: Float32Array,
  chosen: readonly number[],
  recordResiduals: boolean,
): Promise<StepRun> {
  const { shape, A } = expert;
  const size = stepElements(shape);
  const [first = 0] = chosen;
  const velocity = new Float32Array((shape.steps - first) * size);
  const residuals = new Map<number, Float32Array>();
  const last = (rows: Float32Array): Float32Array => rows.subarray(rows.length - size);
  let gateSeconds = 0;
  let x = start;
  for (const [from, to] of stretches(chosen)) {
    const indices = Array.from({ length: to - from + 1 }, (_, i) => from + i);
    const steps = indices.map((index) => ({ index }));
    const full = await expert.fullSteps(x, steps, { residuals: recordResiduals });
    velocity.set(full.vs, (from - first) * size);
    residualsByStep(full, indices, shape).forEach((residual, index) => residuals.set(index, residual));
    const began = performance.now();
    const D = constantOfVelocity(A, last(full.xs), last(full.vs));
    const until = chosen.find((step) => step > to) ?? shape.steps;
    let held: Float32Array | Float64Array = full.x;
    for (let k = to + 1; k < until; k++) {
      const v = reusedVelocity(A, held, D);
      velocity.set(v, (k - first) * size);
      held = advance(held, v, expert.step(k));
    }
    x = held instanceof Float32Array ? held : Float32Array.from(held);
    gateSeconds += (performance.now() - began) / 1000;
  }
  return {
    x,
    velocity,
    ...computedOf(expert, chosen),
    residuals,
    gateSeconds,
    bytes: size * Float64Array.BYTES_PER_ELEMENT,
    signals: {},
  };
}

/** Runs of neighbouring numbers, first and last of each. */
function stretches(chosen: readonly number[]): readonly (readonly [number, number])[] {
  const starts = chosen.filter((step) => !chosen.includes(step - 1));
  const ends = chosen.filter((step) => !chosen.includes(step + 1));
  return starts.map((from, i) => [from, ends[i] ?? from] as const);
}

function computedOf(
  { shape }: Expert,
  chosen: readonly number[],
): Pick<StepRun, 'computed' | 'computedSubBlocks'> {
  const [first = 0] = chosen;
  const computed = new Uint8Array(shape.steps - first);
  for (const index of chosen) computed[index - first] = 1;
  return { computed, computedSubBlocks: chosen.length * subBlocksOfStack(shape) };
}
