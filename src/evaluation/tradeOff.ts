import type { RunDeviation } from './deviation';
import type { GripperFlips } from './gripperFlips';
import type { Tolerance } from './types';

/** Larger `gain` and smaller `cost` are better. */
export interface TradeOffPoint {
  readonly name: string;
  readonly gain: number;
  readonly cost: number;
}

/**
 * Names of the points that no other point beats: none has both at least their gain and at most their cost, and
 * one of the two better. Slowest first. Points without figures (NaN) are never on the front; of equal points all are.
 */
export function paretoFront(points: readonly TradeOffPoint[]): readonly string[] {
  return points
    .filter((point) => Number.isFinite(point.gain) && Number.isFinite(point.cost))
    .filter((point) => !points.some((other) => beats(other, point)))
    .sort((a, b) => a.gain - b.gain || a.cost - b.cost)
    .map((point) => point.name);
}

function beats(a: TradeOffPoint, b: TradeOffPoint): boolean {
  return a.gain >= b.gain && a.cost <= b.cost && (a.gain > b.gain || a.cost < b.cost);
}

/** What a tolerance is held against. */
export interface Candidate {
  readonly name: string;
  readonly speedUp: number;
  readonly deviation: RunDeviation;
  readonly flips?: GripperFlips;
  /** the recording is too short to show what it does: never chosen (see `beyondRecording`) */
  readonly beyondRecording?: boolean;
}

/** One limit that a configuration breaks. */
export interface BrokenLimit {
  /** group of actions, `normalised`, or `gripper flips` */
  readonly what: string;
  readonly unit: string;
  readonly value: number;
  readonly limit: number;
}

/** The limits of the tolerance that the candidate does not keep, over the executed part. */
export function brokenLimits(candidate: Candidate, tolerance: Tolerance): readonly BrokenLimit[] {
  const { groups, normalised } = candidate.deviation.executed;
  const broken: BrokenLimit[] = [];
  const hold = (what: string, unit: string, value: number, limit: number): void => {
    // Written so that NaN breaks it.
    if (!(value <= limit)) broken.push({ what, unit, value, limit });
  };
  for (const group of groups) {
    const limit = tolerance.groups[group.group];
    if (limit !== undefined) hold(group.group, group.unit, group[tolerance.measure], limit);
  }
  if (tolerance.normalised !== undefined) {
    hold('normalised', '', normalised[tolerance.measure], tolerance.normalised);
  }
  if (candidate.flips) hold('gripper flips', '', candidate.flips.executed, tolerance.flips);
  return broken;
}

/**
 * The configuration to run: the fastest one that keeps the tolerance, of those that the recording shows. The uncached run always keeps it, so there
 * always is one; it is also the answer where nothing that keeps the tolerance is faster.
 */
export function choose(candidates: readonly Candidate[], tolerance: Tolerance): Candidate | undefined {
  return candidates
    .filter((candidate) => !candidate.beyondRecording && brokenLimits(candidate, tolerance).length === 0)
    .reduce<Candidate | undefined>(
      (best, candidate) => (best && best.speedUp >= candidate.speedUp ? best : candidate),
      undefined,
    );
}

/**
 * Of the configurations that are faster than the uncached run, shown by the recording, and not within the tolerance, the
 * one that is least beyond it: its worst limit is exceeded by the smallest factor.
 */
export function nearestMiss(candidates: readonly Candidate[], tolerance: Tolerance): Candidate | undefined {
  const excess = (candidate: Candidate): number =>
    Math.max(
      0,
      // A limit of 0 is exceeded by as much as there is.
      ...brokenLimits(candidate, tolerance).map(({ value, limit }) =>
        limit > 0 ? value / limit : 1 + value,
      ),
    );
  return candidates
    .filter(({ speedUp, beyondRecording }) => speedUp > 1 && !beyondRecording)
    .filter((candidate) => excess(candidate) > 0)
    .reduce<Candidate | undefined>(
      (best, candidate) => (best && excess(best) <= excess(candidate) ? best : candidate),
      undefined,
    );
}
