import { addScaled, allFinite } from './matrix';
import { composeReusedSteps, constantOfVelocity, reusedVelocity } from './affine';
import { applyLinear } from './linearMap';
import { residualsByStep, stepElements, subBlocksOfStack } from './StepRun';
import { advance } from '../sampler/eulerStep';
import type { ReusedStep } from './affine';
import type { Expert, FullRun, FullStep, StepRun } from './types';

/** What a refresh leaves of its N steps. The range only selects which of them are reused, so all are kept. */
export interface StepValues {
  /** D_k = v_k - x_k A^T, [N, T, a] (affine.ts): all that the affine form needs */
  readonly constants: Float32Array;
  /** R_k = hL_k - h0_k, [N, T, d], where it was recorded */
  readonly residuals?: Float32Array;
  /** whether the values of step k are finite numbers */
  readonly finite: readonly boolean[];
}

/** `affine`: v = x A^T + D_k. `residual`: v = head(encode(x) + R_k), by definition (eq. 7 of arXiv 2606.08962). */
export type ReuseMode = 'affine' | 'residual';

/** The values of a run of all N steps. */
export function stepValuesOf(run: FullRun, expert: Expert): StepValues {
  const { shape, A } = expert;
  const size = stepElements(shape);
  const constants = new Float32Array(shape.steps * size);
  const finite: boolean[] = [];
  for (let k = 0; k < shape.steps; k++) {
    const constant = constantOfVelocity(A, slice(run.xs, k, size), slice(run.vs, k, size));
    constants.set(constant, k * size);
    finite.push(allFinite(constant));
  }
  return { constants, finite, ...(run.residuals === undefined ? {} : { residuals: run.residuals }) };
}

export function bytesOf(values: StepValues | undefined): number {
  return (values?.constants.byteLength ?? 0) + (values?.residuals?.byteLength ?? 0);
}

/** Steps of the range whose stored values are not finite. */
export function unfitSteps(values: StepValues, [start, end]: readonly [number, number]): number {
  return values.finite.slice(start, end + 1).filter((finite) => !finite).length;
}

/** Which steps a range reuses; both ends belong to it. */
export function inRange([start, end]: readonly [number, number]): (step: number) => boolean {
  return (step) => step >= start && step <= end;
}

export interface ReusePlan {
  /** steps `from`..`to` - 1 are run */
  readonly from: number;
  readonly to: number;
  readonly reused: (step: number) => boolean;
  readonly values: StepValues;
  readonly mode: ReuseMode;
  readonly recordResiduals: boolean;
}

/** Runs consecutive steps, of which some are reused. Needs `values.residuals` in mode `residual`. */
export async function runWithReuse(expert: Expert, x: Float32Array, plan: ReusePlan): Promise<StepRun> {
  return plan.mode === 'affine' ? runAffine(expert, x, plan) : runByResidual(expert, x, plan);
}

/**
 * All full steps in one call: the reused steps before each of them are folded into its row map, so they cost nothing.
 * The velocities of the reused steps are worked out afterwards, in float64.
 */
async function runAffine(expert: Expert, start: Float32Array, plan: ReusePlan): Promise<StepRun> {
  const { shape, A } = expert;
  const size = stepElements(shape);
  const constant = (k: number) => slice(plan.values.constants, k, size);

  const before = performance.now();
  const steps: FullStep[] = [];
  let waiting: ReusedStep[] = [];
  for (let k = plan.from; k < plan.to; k++) {
    if (plan.reused(k)) {
      waiting.push({ euler: expert.step(k), D: constant(k) });
    } else if (waiting.length === 0) {
      steps.push({ index: k });
    } else {
      const { P, q } = composeReusedSteps(A, waiting, size);
      steps.push({ index: k, before: { P: Float32Array.from(P), q: Float32Array.from(q) } });
      waiting = [];
    }
  }
  let gateSeconds = (performance.now() - before) / 1000;

  const full =
    steps.length === 0
      ? undefined
      : await expert.fullSteps(start, steps, { residuals: plan.recordResiduals });

  const after = performance.now();
  const count = plan.to - plan.from;
  const velocity = new Float32Array(count * size);
  const computed = new Uint8Array(count);
  let x: Float32Array | Float64Array = start;
  let ran = 0;
  for (let k = plan.from; k < plan.to; k++) {
    const row = (k - plan.from) * size;
    if (full === undefined || plan.reused(k)) {
      const v = reusedVelocity(A, x, constant(k));
      velocity.set(v, row);
      x = advance(x, v, expert.step(k));
    } else {
      velocity.set(slice(full.vs, ran, size), row);
      computed[k - plan.from] = 1;
      ran++;
      // The graph's own x, so that nothing done here can move a full step.
      x =
        ran < steps.length
          ? advance(slice(full.xs, ran - 1, size), slice(full.vs, ran - 1, size), expert.step(k))
          : full.x;
    }
  }
  gateSeconds += (performance.now() - after) / 1000;
  return {
    x: x instanceof Float32Array ? x : Float32Array.from(x),
    velocity,
    computed,
    computedSubBlocks: ran * subBlocksOfStack(shape),
    residuals:
      full === undefined
        ? new Map()
        : residualsByStep(
            full,
            steps.map((step) => step.index),
            shape,
          ),
    gateSeconds,
    bytes: 0,
    signals: {},
  };
}

/** Encoder, stored residual and head for each reused step; one call for each stretch of full steps. */
async function runByResidual(expert: Expert, start: Float32Array, plan: ReusePlan): Promise<StepRun> {
  const { shape, encoder, head } = expert;
  const size = stepElements(shape);
  const hiddenSize = shape.horizon * shape.hidden;
  const stored = plan.values.residuals ?? new Float32Array(0);
  const count = plan.to - plan.from;
  const velocity = new Float32Array(count * size);
  const computed = new Uint8Array(count);
  const residuals = new Map<number, Float32Array>();
  let gateSeconds = 0;
  let x = start;
  for (let k = plan.from; k < plan.to;) {
    if (plan.reused(k)) {
      const began = performance.now();
      const hidden = addScaled(applyLinear(encoder, x, shape.horizon), slice(stored, k, hiddenSize), 1);
      const v = applyLinear(head, hidden, shape.horizon);
      velocity.set(v, (k - plan.from) * size);
      x = Float32Array.from(advance(x, v, expert.step(k)));
      gateSeconds += (performance.now() - began) / 1000;
      k++;
    } else {
      const steps: FullStep[] = [];
      while (k + steps.length < plan.to && !plan.reused(k + steps.length)) {
        steps.push({ index: k + steps.length });
      }
      const full = await expert.fullSteps(x, steps, { residuals: plan.recordResiduals });
      velocity.set(full.vs, (k - plan.from) * size);
      computed.fill(1, k - plan.from, k - plan.from + steps.length);
      for (const [index, residual] of residualsByStep(
        full,
        steps.map((step) => step.index),
        shape,
      )) {
        residuals.set(index, residual);
      }
      x = full.x;
      k += steps.length;
    }
  }
  const ran = computed.reduce((sum, flag) => sum + flag, 0);
  return {
    x,
    velocity,
    computed,
    computedSubBlocks: ran * subBlocksOfStack(shape),
    residuals,
    gateSeconds,
    bytes: 0,
    signals: {},
  };
}

function slice(values: Float32Array, row: number, size: number): Float32Array {
  return values.subarray(row * size, (row + 1) * size);
}
