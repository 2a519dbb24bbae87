import { InputError } from '../errors';
import { SUB_BLOCKS } from '../bundle/layout';
import { cosineOf } from './blockGate';
import { largestScores, leastAlikeSteps, solveAcs, uniteWithDownstream } from './bacSchedule';
import type { BacSchedule, Similarity } from './bacSchedule';
import { OUTSIDE, at } from './matrix';
import type { ExpertShape, FullRun } from './types';

/** The settings of `bac` that a schedule depends on. */
export interface BacBudget {
  readonly updates: number;
  readonly union_blocks: number;
  readonly similarity: Similarity;
}

/** Sums over chunks of how the contributions of one sub-block compare at each pair of steps, [K, K] each. */
interface Comparisons {
  readonly cosine: Float64Array;
  readonly l1: Float64Array;
  readonly mse: Float64Array;
}

/**
 * Learns from uncached chunks how much the contribution of each sub-block changes over the denoising steps, and
 * solves the schedule for any budget (arXiv 2506.13456; averaging over chunks is this project's, the authors' code
 * uses one sample).
 */
export class BacLearner {
  readonly #shape: ExpertShape;
  readonly #comparisons: readonly Comparisons[];
  #chunks = 0;

  constructor(shape: ExpertShape) {
    this.#shape = shape;
    const pairs = shape.steps ** 2;
    this.#comparisons = Array.from({ length: shape.layers * SUB_BLOCKS.length }, () => ({
      cosine: new Float64Array(pairs),
      l1: new Float64Array(pairs),
      mse: new Float64Array(pairs),
    }));
  }

  /** Chunks learnt from so far. */
  get chunks(): number {
    return this.#chunks;
  }

  /**
   * Learns from one uncached chunk.
   * @param run all N steps, with the contributions of every sub-block, [N, L, 3, T, d]
   * @throws InputError if they have another size
   */
  add({ parts = new Float32Array(0) }: Pick<FullRun, 'parts'>): void {
    const { steps, layers, horizon, hidden } = this.#shape;
    const size = horizon * hidden;
    const expected = steps * layers * SUB_BLOCKS.length * size;
    if (parts.length !== expected) {
      throw new InputError(
        `sub-block contributions of a chunk: expected ${expected} values, got ${parts.length}`,
      );
    }
    this.#comparisons.forEach((sums, block) => {
      const contribution = (step: number) => {
        const row = step * layers * SUB_BLOCKS.length + block;
        return parts.subarray(row * size, (row + 1) * size);
      };
      for (let i = 0; i < steps; i++) {
        for (let j = i; j < steps; j++) addPair(sums, steps, i, j, contribution(i), contribution(j));
      }
    });
    this.#chunks++;
  }

  /** The schedule for a budget. @throws InputError before the first chunk */
  solve(budget: BacBudget): BacSchedule {
    if (this.#chunks === 0) throw new InputError('bac cannot be calibrated without a single chunk');
    const { steps, layers } = this.#shape;
    const { updates, union_blocks, similarity } = budget;
    const own = this.#comparisons.map((sums) => new Set(this.#updatesOf(sums, updates, similarity)));
    // BUA, stage 1: mean over all pairs of steps of the mean absolute difference.
    const errors = this.#comparisons.map((sums) => sums.l1.reduce((sum, value) => sum + value, 0));
    const sets = uniteWithDownstream(own, largestScores(errors, union_blocks));
    return {
      policy: 'bac',
      updates,
      union_blocks,
      similarity,
      steps,
      layers,
      chunks: this.#chunks,
      computed: Array.from({ length: steps }, (_, k) =>
        Array.from({ length: layers }, (__, l) => {
          const flag = (j: number) =>
            k === steps - 1 || sets[l * SUB_BLOCKS.length + j]?.has(k) === true ? 1 : 0;
          return [flag(0), flag(1), flag(2)] as const;
        }),
      ),
    };
  }

  #updatesOf(sums: Comparisons, updates: number, similarity: Similarity): readonly number[] {
    const { steps } = this.#shape;
    if (similarity === 'adjacent') {
      const adjacent = Float64Array.from({ length: steps }, (_, k) =>
        k === 0 ? 1 : at(sums.cosine, k * steps + k - 1),
      );
      return leastAlikeSteps(adjacent, updates);
    }
    const wanted = similarity === 'cosine' ? 'most' : 'least';
    return solveAcs({ comparison: sums[similarity], steps, wanted }, updates).updates;
  }
}

/** Adds how a contribution compares at the steps i and j; one pass, because features are large. */
function addPair(
  sums: Comparisons,
  steps: number,
  i: number,
  j: number,
  left: Float32Array,
  right: Float32Array,
): void {
  let [absolute, squared, dot, leftSquare, rightSquare] = [0, 0, 0, 0, 0];
  for (let n = 0; n < left.length; n++) {
    const a = left[n] ?? OUTSIDE;
    const b = right[n] ?? OUTSIDE;
    absolute += Math.abs(a - b);
    squared += (a - b) ** 2;
    dot += a * b;
    leftSquare += a * a;
    rightSquare += b * b;
  }
  const values = {
    cosine: i === j ? 1 : cosineOf(dot, leftSquare, rightSquare),
    l1: absolute / left.length,
    mse: squared / left.length,
  };
  for (const name of ['cosine', 'l1', 'mse'] as const) {
    const target = sums[name];
    target[i * steps + j] = at(target, i * steps + j) + values[name];
    if (i !== j) target[j * steps + i] = at(target, j * steps + i) + values[name];
  }
}
