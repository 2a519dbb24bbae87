import { executedSteps, type Place } from './deviation';
import type { ActionLayout, ChunkResult } from './types';

/** Gripper decisions in which two runs differ. */
export interface GripperFlips {
  /** decisions compared over the executed part */
  readonly decisions: number;
  /** of them, how many differ */
  readonly executed: number;
  /** how many differ over the whole chunks */
  readonly whole: number;
  /** the first flips of the executed part, at most ten */
  readonly places: readonly Place[];
}

const SHOWN_PLACES = 10;

/** Counts the gripper decisions of `run` that differ from `reference`; undefined if the robot decides nothing. */
export function gripperFlips(
  reference: readonly ChunkResult[],
  run: readonly ChunkResult[],
  layout: ActionLayout,
): GripperFlips | undefined {
  if (layout.grippers.length === 0) return undefined;
  const width = layout.names.length;
  const executedPart = executedSteps(layout);
  const places: Place[] = [];
  let decisions = 0;
  let executed = 0;
  let whole = 0;
  run.forEach((chunk, observation) => {
    const expected = reference[observation];
    if (!expected) return;
    for (let step = 0; step < layout.horizon; step += 1) {
      for (const { index, threshold } of layout.grippers) {
        const at = step * width + index;
        const flipped = (chunk.actions[at] ?? NaN) > threshold !== (expected.actions[at] ?? NaN) > threshold;
        if (step < executedPart) decisions += 1;
        if (!flipped) continue;
        whole += 1;
        if (step >= executedPart) continue;
        executed += 1;
        if (places.length < SHOWN_PLACES) places.push({ observation, step, column: index });
      }
    }
  });
  return { decisions, executed, whole, places };
}
