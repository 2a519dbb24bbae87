import { NOTHING, plainStep } from './eulerStep';
import type { EulerStep } from './eulerStep';
import type { Schedule } from './types';

/**
 * Real-time chunking (arXiv 2506.07339): a chunk is denoised towards the one before it, on the rows that will be
 * executed from that one while this one is computed, and less and less beyond them. In the published implementation
 * (LeRobot `policies/rtc`) the Jacobian of the clean estimate is the identity, which leaves a closed form: each step stays an Euler
 * step, with other coefficients in the guided rows.
 */

/** How the weight falls behind the rows that are certain to be executed from the old chunk. */
export const PREFIX_SCHEDULES = ['LINEAR', 'EXP', 'ONES', 'ZEROS'] as const;
export type PrefixSchedule = (typeof PREFIX_SCHEDULES)[number];

/** What a chunk is pulled towards. */
export interface GuidanceTarget {
  /** y [T, a]: these rows as the chunk before has them, normalised; any number where the weight is 0 */
  readonly previous: Float32Array;
  /** w [T], 0 to 1 */
  readonly weights: Float64Array;
  /** most that the correction is multiplied by */
  readonly maxGuidanceWeight: number;
}

export interface PrefixOptions {
  readonly schedule: PrefixSchedule;
  /** rows that are executed from the old chunk before the new one arrives */
  readonly delay: number;
  /** rows that are guided at most */
  readonly executionHorizon: number;
  /** rows that the old chunk still has */
  readonly left: number;
  /** T, rows of a chunk */
  readonly horizon: number;
}

/**
 * Weights of the rows [T]. With end = min(executionHorizon, left) and start = min(delay, end): 1 before start, 0 from
 * end on, and between them w = 1 - (i - start + 1)/(end - start + 1) for LINEAR, w expm1(w)/(e - 1) for EXP, 1 for ONES,
 * 0 for ZEROS (arXiv 2506.07339, eq. 5, as in LeRobot).
 */
export function prefixWeights({
  schedule,
  delay,
  executionHorizon,
  left,
  horizon,
}: PrefixOptions): Float64Array {
  const end = Math.max(0, Math.min(executionHorizon, left, horizon));
  const start = Math.min(delay, end);
  const between = (i: number): number => {
    const w = 1 - (i - start + 1) / (end - start + 1);
    switch (schedule) {
      case 'LINEAR':
        return w;
      case 'EXP':
        return (w * Math.expm1(w)) / Math.expm1(1);
      case 'ONES':
        return 1;
      case 'ZEROS':
        return 0;
    }
  };
  return Float64Array.from({ length: horizon }, (_, i) => (i < start ? 1 : i < end ? between(i) : 0));
}

/**
 * g of step k (arXiv 2506.07339, eq. 4): min((1 - tau)/tau · ((1 - tau)² + tau²)/(1 - tau)², max) with
 * tau = 1 - sigma, and the largest where that is not finite (tau = 0).
 */
export function guidanceWeight(sigma: number, max: number): number {
  const tau = 1 - sigma;
  const weight = (sigma / tau) * ((sigma ** 2 + tau ** 2) / sigma ** 2);
  return Number.isFinite(weight) ? Math.min(weight, max) : max;
}

/**
 * Step k towards the target. With x̂ = x - sigma v and v' = v - g w (y - x̂), x + delta v' is
 * x (1 + delta g w) + v delta (1 - g w sigma) - delta g w y.
 * @param jump the length of a step that stands for several; its g is at most 1/|jump|, or it would overshoot the target
 */
export function guidedStep(
  schedule: Schedule,
  index: number,
  target: GuidanceTarget,
  jump?: number,
): EulerStep {
  const { previous, weights, maxGuidanceWeight } = target;
  if (!weights.some((w) => w > 0)) return plainStep(schedule, index, jump);
  const sigma = schedule.sigma[index] ?? Number.NaN;
  const delta = jump ?? schedule.delta[index] ?? Number.NaN;
  const most = jump === undefined ? maxGuidanceWeight : Math.min(maxGuidanceWeight, 1 / Math.abs(jump));
  const g = guidanceWeight(sigma, most);
  const width = previous.length / weights.length;
  return {
    keep: weights.map((w) => 1 + delta * g * w),
    gain: weights.map((w) => delta * (1 - g * w * sigma)),
    pull: Float64Array.from(previous, (y, i) => {
      const w = weights[Math.floor(i / width)] ?? Number.NaN;
      return w === 0 ? NOTHING : -delta * g * w * y;
    }),
  };
}
