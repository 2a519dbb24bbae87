import { shiftOfStaleSteps } from './affine';
import { addScaled, at, multiplyTransposed, norm, relativeDistance, relativeMeanChange } from './matrix';
import type { Numbers } from './matrix';
import type { ChunkContext, Expert, ExpertShape } from './types';

/** What the robot sees and does, as far as it decides whether stored residuals still hold. */
export interface ObservedState {
  readonly proprio: Float32Array;
  readonly latents: Float32Array;
}

/** How far the observation has moved since the refresh. */
export interface ObservationDrift {
  /** root mean square of the change of proprioception, normalised units */
  readonly proprioJump: number;
  /** mean|z - z_r| / mean|z_r| of the first-frame latent */
  readonly latentChange: number;
}

export function observationDrift(now: ChunkContext, refresh: ObservedState): ObservationDrift {
  const { length } = now.proprio;
  const jump = now.proprio.map((value, i) => value - at(refresh.proprio, i));
  return {
    proprioJump: length === 0 ? 0 : norm(jump) / Math.sqrt(length),
    latentChange: relativeMeanChange(now.latents, refresh.latents),
  };
}

/** How far the first full step after the reused ones has moved since the refresh. */
export interface ResidualDrift {
  /** |R - R^r| / |R^r| of that step */
  readonly relative: number;
  /** root mean square of the shift that this predicts for x at the end of the reused steps, normalised actions */
  readonly predictedDeviation: number;
}

/**
 * The drift of the first tail residual, and what it means for the actions: if every reused step is off by what that
 * step is off by, x ends the reused run shifted by sum_k delta_k e W_h^T prod_{i>k} (I + delta_i A)^T (by the
 * maps of `affine.ts`). The tail mostly shrinks this shift, so it errs on the careful side.
 */
export function residualDrift(
  expert: Expert,
  reused: readonly [number, number],
  residual: Numbers,
  atRefresh: Numbers,
): ResidualDrift {
  const { shape, head, A } = expert;
  const change = addScaled(residual, atRefresh, -1);
  const error = multiplyTransposed(change, head.weight, shape.horizon, shape.hidden, shape.actionDim);
  const [start, end] = reused;
  const steps = Array.from({ length: end - start + 1 }, (_, i) => ({
    euler: expert.step(start + i),
    error,
  }));
  const shift = shiftOfStaleSteps(A, steps, error.length);
  return {
    relative: relativeDistance(residual, atRefresh),
    predictedDeviation: norm(shift) / Math.sqrt(shift.length),
  };
}

/** Whether a gripper of a chunk is commanded the other way than in another chunk, by its mean over the horizon. */
export function gripperSwitched(
  shape: ExpertShape,
  grippers: readonly number[],
  actions: Float32Array,
  before: Float32Array,
): boolean {
  const command = (x: Float32Array, dimension: number) => {
    let sum = 0;
    for (let i = dimension; i < x.length; i += shape.actionDim) sum += at(x, i);
    return Math.sign(sum);
  };
  return grippers.some((dimension) => command(actions, dimension) !== command(before, dimension));
}
