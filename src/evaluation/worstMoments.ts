import { executedSteps } from './deviation';
import type { ActionLayout, ChunkResult } from './types';

/** Where the executed part of a chunk lies far from the uncached one. */
export interface Moment {
  /** index into the observations of the evaluation */
  readonly observation: number;
  /** index in the horizon, inside the executed part */
  readonly step: number;
  /** column of the action */
  readonly column: number;
  /** |cached − uncached| there, as the network sees actions: what makes columns of different units comparable */
  readonly difference: number;
}

/** Where one chunk lies farthest from another; undefined where they are equal in all that is executed. */
export function farthest(
  reference: ChunkResult,
  chunk: ChunkResult,
  layout: ActionLayout,
): Omit<Moment, 'observation'> | undefined {
  const width = layout.names.length;
  let worst = -1;
  let difference = 0;
  for (let i = 0; i < executedSteps(layout) * width; i += 1) {
    const distance = Math.abs((chunk.normalised[i] ?? NaN) - (reference.normalised[i] ?? NaN));
    if (!(distance > difference)) continue;
    worst = i;
    difference = distance;
  }
  if (worst < 0) return undefined;
  return { step: Math.floor(worst / width), column: worst % width, difference };
}

/** The chunks of a run that lie farthest from the uncached one's, the worst first; both [chunk][T, a]. */
export function worstMoments(
  reference: readonly ChunkResult[],
  run: readonly ChunkResult[],
  layout: ActionLayout,
  count: number,
): readonly Moment[] {
  return run
    .flatMap((chunk, observation) => {
      const uncached = reference[observation];
      const found = uncached && farthest(uncached, chunk, layout);
      return found ? [{ observation, ...found }] : [];
    })
    .sort((a, b) => b.difference - a.difference || a.observation - b.observation)
    .slice(0, count);
}
