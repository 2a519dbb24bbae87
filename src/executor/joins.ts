import type { Join } from '../settings/executorParameters';

/*
 * How a chunk that arrives joins the one that is being followed. Where both say something for a moment t, with k steps
 * gone since the newer one took over:
 *
 * `blend`: over B = `blend_steps` steps the new one fades in, w = (k + 1)/(B + 1): w new + (1 - w) old.
 * `latest`: new.
 * `weighted`: 0.7 new + 0.3 old for as long as the old one has an action, where old is itself what its chunks joined to
 * (the default of LeRobot's asynchronous inference).
 * `ensemble`: the mean of what all chunks say that still have an action for t, with weights exp(-m i), i = 0 the oldest,
 * m = 0.01 (the temporal ensemble of ACT, arXiv 2304.13705).
 *
 * Grippers always take the newest chunk's word: half open is not between open and shut.
 */

/** Share of the newer chunk in `weighted`. */
const NEWER = 0.7;
/** m of `ensemble`. */
const DECAY = 0.01;

/**
 * What chunks say together.
 * @param rows what each says for one moment, the newest first, [chunks, dimensions]; at least one
 * @param takesNewest dimensions in which the newest alone counts
 */
export function joined(
  join: Exclude<Join, 'blend'>,
  rows: readonly ArrayLike<number>[],
  takesNewest: readonly boolean[],
): Float64Array {
  const weights = weightsOf(join, rows.length);
  return Float64Array.from(takesNewest, (newest, i) => {
    if (newest || rows.length === 1) return rows[0]?.[i] ?? Number.NaN;
    return rows.reduce((sum, row, r) => sum + (weights[r] ?? 0) * (row[i] ?? Number.NaN), 0);
  });
}

/** The weight of each of `count` chunks, the newest first; their sum is 1. */
export function weightsOf(join: Exclude<Join, 'blend'>, count: number): readonly number[] {
  const each = (weight: (age: number) => number): number[] =>
    Array.from({ length: count }, (_, age) => weight(age));
  switch (join) {
    case 'latest':
      return each((age) => (age === 0 ? 1 : 0));
    case 'weighted':
      // The oldest has nothing before it to share with.
      return each((age) => (age === count - 1 ? 1 : NEWER) * (1 - NEWER) ** age);
    case 'ensemble': {
      const raw = each((age) => Math.exp(-DECAY * (count - 1 - age)));
      const sum = raw.reduce((total, weight) => total + weight, 0);
      return raw.map((weight) => weight / sum);
    }
  }
}
