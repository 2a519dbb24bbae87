import { executedSteps } from './deviation';
import { distributionOf, type Distribution } from './distribution';
import type { ActionGroup, ActionLayout, ChunkResult, ObservationFacts } from './types';

/** How smoothly the executed parts of consecutive chunks join, for one group of actions. */
export interface GroupSeams {
  readonly group: string;
  readonly unit: string;
  /** L2 norm of (first action of a chunk − last executed action of the chunk before), one for each seam */
  readonly jump: Distribution;
  /** L2 norm between neighbouring executed actions of one chunk: what a jump is to be compared with */
  readonly step: Distribution;
  /** root mean square jerk over the windows that cross a seam, unit/s³; NaN where there is none */
  readonly seamJerk: number;
  /** the same over the windows inside chunks */
  readonly insideJerk: number;
}

/**
 * Jumps and jerk at chunk boundaries. Two chunks are joined where they follow each other in one episode and none that
 * was due between them is missing. Jerk is the third difference of position times rate³; where actions are displacements, position is their running sum,
 * so it is the second difference of the actions.
 */
export function seams(
  observations: readonly ObservationFacts[],
  run: readonly ChunkResult[],
  layout: ActionLayout,
): readonly GroupSeams[] {
  const sequences = executedSequences(observations, run, layout);
  return layout.groups.map((group) => seamsOfGroup(group, sequences, layout));
}

/** Executed actions of one episode, row after row [n·E, a]. */
interface ExecutedSequence {
  readonly rows: readonly Float32Array[];
}

function executedSequences(
  observations: readonly ObservationFacts[],
  run: readonly ChunkResult[],
  layout: ActionLayout,
): ExecutedSequence[] {
  const width = layout.names.length;
  const executed = executedSteps(layout);
  const period = layout.replanSteps / layout.controlRate;
  const sequences: { rows: Float32Array[] }[] = [];
  let previous: ObservationFacts | undefined;
  observations.forEach((observation, i) => {
    const chunk = run[i];
    if (!chunk) return;
    const follows =
      previous !== undefined &&
      previous.episode === observation.episode &&
      previous.chunk + 1 === observation.chunk &&
      observation.time - previous.time < 1.5 * period;
    if (!follows) sequences.push({ rows: [] });
    for (let step = 0; step < executed; step += 1) {
      sequences.at(-1)?.rows.push(chunk.actions.subarray(step * width, (step + 1) * width));
    }
    previous = observation;
  });
  return sequences;
}

function seamsOfGroup(
  group: ActionGroup,
  sequences: readonly ExecutedSequence[],
  layout: ActionLayout,
): GroupSeams {
  const executed = executedSteps(layout);
  const jumps: number[] = [];
  const steps: number[] = [];
  const seamJerks: number[] = [];
  const insideJerks: number[] = [];
  const order = group.kind === 'delta' ? 2 : 3;
  const scale = layout.controlRate ** 3;
  for (const { rows } of sequences) {
    for (let i = 1; i < rows.length; i += 1) {
      (i % executed === 0 ? jumps : steps).push(differenceNorm(rows, i, 1, group.indices));
    }
    for (let i = order; i < rows.length; i += 1) {
      const crosses = Math.floor((i - order) / executed) !== Math.floor(i / executed);
      (crosses ? seamJerks : insideJerks).push(differenceNorm(rows, i, order, group.indices) * scale);
    }
  }
  return {
    group: group.name,
    unit: group.unit,
    jump: distributionOf(jumps),
    step: distributionOf(steps),
    seamJerk: rootMeanSquare(seamJerks),
    insideJerk: rootMeanSquare(insideJerks),
  };
}

/** Binomial coefficients with alternating sign: the n-th backward difference. */
const DIFFERENCE: Readonly<Record<number, readonly number[]>> = {
  1: [1, -1],
  2: [1, -2, 1],
  3: [1, -3, 3, -1],
};

/** L2 norm over the columns of the n-th backward difference that ends at row i. */
function differenceNorm(
  rows: readonly Float32Array[],
  i: number,
  order: number,
  columns: readonly number[],
): number {
  let squares = 0;
  for (const column of columns) {
    let value = 0;
    (DIFFERENCE[order] ?? []).forEach((factor, back) => {
      value += factor * (rows[i - back]?.[column] ?? NaN);
    });
    squares += value * value;
  }
  return Math.sqrt(squares);
}

function rootMeanSquare(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}
