import type { ActionGroup, ActionLayout, ChunkResult, ObservationFacts } from './types';

/** Where a figure was found. */
export interface Place {
  /** index into the observations of the evaluation */
  readonly observation: number;
  /** index in the horizon */
  readonly step: number;
  /** column of the action */
  readonly column: number;
}

/** Difference between two runs over a set of actions. */
export interface Deviation {
  /** root of the mean square over all compared values; 0 where `count` is 0 */
  readonly rmse: number;
  /** largest absolute difference */
  readonly worst: number;
  readonly worstAt?: Place;
  /** values compared */
  readonly count: number;
}

export interface GroupDeviation extends Deviation {
  readonly group: string;
  readonly unit: string;
}

/** Differences of two runs, over the executed part of each chunk and over all of it. */
export interface RunDeviation {
  readonly executed: DeviationOverPart;
  readonly whole: DeviationOverPart;
  /** root mean square over chunks and columns for each index of the horizon [T], as the network sees the actions */
  readonly byHorizonStep: Float64Array;
  /** the same for each group in its unit, [T] each */
  readonly byHorizonStepAndGroup: readonly { readonly group: string; readonly rmse: Float64Array }[];
}

export interface DeviationOverPart {
  readonly groups: readonly GroupDeviation[];
  /** over all columns, as the network sees them */
  readonly normalised: Deviation;
}

/** Actions of each chunk that are carried out: `replanSteps`, but never more than there are. */
export function executedSteps(layout: ActionLayout): number {
  return Math.min(layout.replanSteps, layout.horizon);
}

/** How far `run` lies from `reference` on the same observations; both [chunk][T, a]. */
export function deviationFrom(
  reference: readonly ChunkResult[],
  run: readonly ChunkResult[],
  layout: ActionLayout,
): RunDeviation {
  const physical = pairsOf(
    run.map((chunk) => chunk.actions),
    reference.map((chunk) => chunk.actions),
  );
  const normalised = pairsOf(
    run.map((chunk) => chunk.normalised),
    reference.map((chunk) => chunk.normalised),
  );
  const columns = layout.names.map((_, i) => i);
  const part = (steps: number): DeviationOverPart => ({
    groups: layout.groups.map((group) => ({
      group: group.name,
      unit: group.unit,
      ...deviation(physical, layout, group.indices, 0, steps),
    })),
    normalised: deviation(normalised, layout, columns, 0, steps),
  });
  const byStep = (pairs: readonly Pair[], indices: readonly number[]): Float64Array =>
    Float64Array.from({ length: layout.horizon }, (_, k) => deviation(pairs, layout, indices, k, k + 1).rmse);
  return {
    executed: part(executedSteps(layout)),
    whole: part(layout.horizon),
    byHorizonStep: byStep(normalised, columns),
    byHorizonStepAndGroup: layout.groups.map((group) => ({
      group: group.name,
      rmse: byStep(physical, group.indices),
    })),
  };
}

/**
 * How far the executed part of `run` lies from what the recording did at the same times, by group; undefined
 * where the recording holds no actions. Values that the recording lacks (NaN) do not count.
 */
export function deviationFromRecorded(
  observations: readonly ObservationFacts[],
  run: readonly ChunkResult[],
  layout: ActionLayout,
): readonly GroupDeviation[] | undefined {
  const pairs: Pair[] = [];
  observations.forEach((observation, i) => {
    const chunk = run[i];
    if (chunk && observation.recorded) {
      pairs.push({ observation: i, values: chunk.actions, reference: observation.recorded });
    }
  });
  if (pairs.length === 0) return undefined;
  return layout.groups.map((group: ActionGroup) => ({
    group: group.name,
    unit: group.unit,
    ...deviation(pairs, layout, group.indices, 0, executedSteps(layout)),
  }));
}

interface Pair {
  readonly observation: number;
  readonly values: Float32Array;
  readonly reference: Float32Array;
}

function pairsOf(values: readonly Float32Array[], references: readonly Float32Array[]): Pair[] {
  return values.flatMap((value, observation) => {
    const reference = references[observation];
    return reference ? [{ observation, values: value, reference }] : [];
  });
}

/** Over the horizon indices [from, to) and the given columns. A NaN in the reference is left out; one in the values
 * is not, so that a run that broke cannot look like one that fits. */
function deviation(
  pairs: readonly Pair[],
  layout: ActionLayout,
  columns: readonly number[],
  from: number,
  to: number,
): Deviation {
  const width = layout.names.length;
  let squares = 0;
  let count = 0;
  let worst = 0;
  let worstAt: Place | undefined;
  for (const { observation, values, reference } of pairs) {
    for (let step = from; step < to; step += 1) {
      for (const column of columns) {
        const expected = reference[step * width + column] ?? NaN;
        if (Number.isNaN(expected)) continue;
        const difference = Math.abs((values[step * width + column] ?? NaN) - expected);
        squares += difference * difference;
        count += 1;
        // Once not a number, it stays so.
        if (!(difference <= worst) && !Number.isNaN(worst)) {
          worst = difference;
          worstAt = { observation, step, column };
        }
      }
    }
  }
  const rmse = count === 0 ? 0 : Math.sqrt(squares / count);
  return worstAt ? { rmse, worst, worstAt, count } : { rmse, worst, count };
}
