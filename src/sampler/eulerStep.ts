import type { Schedule } from './types';

type Numbers = ArrayLike<number>;

/** Added to any number it leaves it as it is, a zero of either sign too. */
export const NOTHING = -0;

/**
 * One Euler step of denoising as it acts on x [T, a]: x <- x keep + v gain + pull, row by row. Without guidance keep is
 * 1, gain is delta and nothing pulls; `guidance.ts` makes the others.
 */
export interface EulerStep {
  /** [T], or [1] where it is the same for every row */
  readonly keep: Float64Array;
  readonly gain: Float64Array;
  /** [T, a]; undefined for none */
  readonly pull: Float64Array | undefined;
}

/**
 * The step of a schedule without guidance.
 * @param delta its length, where it is not the schedule's
 */
export function plainStep(schedule: Schedule, index: number, delta?: number): EulerStep {
  const length = delta ?? schedule.delta[index] ?? Number.NaN;
  return { keep: Float64Array.of(1), gain: Float64Array.of(length), pull: undefined };
}

/** Whether the rows of x do not all move alike. */
export function isGuided({ pull }: EulerStep): boolean {
  return pull !== undefined;
}

/** x after the step, given the velocity there; all [T, a]. */
export function advance(x: Numbers, velocity: Numbers, { keep, gain, pull }: EulerStep): Float64Array {
  const result = new Float64Array(x.length);
  const width = x.length / keep.length;
  for (let i = 0; i < result.length; i++) {
    const row = Math.floor(i / width);
    const moved =
      (x[i] ?? Number.NaN) * (keep[row] ?? Number.NaN) +
      (velocity[i] ?? Number.NaN) * (gain[row] ?? Number.NaN);
    result[i] = pull === undefined ? moved : moved + (pull[i] ?? Number.NaN);
  }
  return result;
}
