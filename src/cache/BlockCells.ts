import { updatedMean } from './blockGate';
import type { GateRule, SimilarityMean } from './blockGate';
import { Fingerprints } from './Fingerprints';
import { OUTSIDE } from './matrix';
import { bytesOfCondition, conditionSimilarity } from './observationCondition';
import type { ObservationCondition } from './observationCondition';
import type { ExpertShape, GatedRun } from './types';

/** What one cell (step, block) remembers beside its tensors. */
interface Cell {
  /** the observation under which the stored residual was computed; undefined while nothing usable is stored */
  condition: ObservationCondition | undefined;
  similarityMean: SimilarityMean;
  consecutiveSkips: number;
  /** what was stored last was not finite */
  unfit: boolean;
}

/**
 * The memory of X-Cache: for each denoising step and block the residual, the block input that belongs to it (its
 * fingerprint) and the history of its gate. The fingerprint changes only with the residual, so slow drift cannot
 * creep past the gate.
 */
export class BlockCells {
  readonly fingerprints: Fingerprints;
  /** block residuals, [N, L, T, d] */
  readonly residuals: Float32Array;
  readonly #shape: ExpertShape;
  readonly #cells: readonly Cell[];

  constructor(shape: ExpertShape) {
    const { steps, layers, horizon, hidden } = shape;
    this.#shape = shape;
    this.fingerprints = new Fingerprints(shape);
    this.residuals = new Float32Array(steps * layers * horizon * hidden);
    this.#cells = Array.from({ length: steps * layers }, () => ({
      condition: undefined,
      similarityMean: undefined,
      consecutiveSkips: 0,
      unfit: false,
    }));
  }

  /** Cells whose last residual was not finite: they are computed again. */
  get unfit(): number {
    return this.#cells.filter((cell) => cell.unfit).length;
  }

  get bytes(): number {
    const conditions = new Set(this.#cells.map((cell) => cell.condition));
    let sum = this.fingerprints.bytes + this.residuals.byteLength;
    for (const condition of conditions) sum += condition === undefined ? 0 : bytesOfCondition(condition);
    return sum;
  }

  /** Whether a cell holds something and has not been skipped `maxSkips` times in a row (0 = any number). */
  reusable(cell: number, maxSkips: number): boolean {
    const { condition, consecutiveSkips } = this.#cell(cell);
    return condition !== undefined && (maxSkips === 0 || consecutiveSkips < maxSkips);
  }

  similarityMean(cell: number): SimilarityMean {
    return this.#cell(cell).similarityMean;
  }

  /** Cosine of the condition entries with those stored in each cell, [N, L]; 0 where nothing is stored. */
  conditionCosine(now: ObservationCondition): Float32Array {
    const known = new Map<ObservationCondition, number>();
    return Float32Array.from(this.#cells, ({ condition }) => {
      if (condition === undefined) return 0;
      const similarity = known.get(condition) ?? conditionSimilarity(now, condition);
      known.set(condition, similarity);
      return similarity;
    });
  }

  /** Takes in a run: computed blocks replace what is stored, evaluated gates move their mean. */
  update(run: GatedRun, evaluated: Uint8Array, condition: ObservationCondition, rule: GateRule): void {
    const { layers, horizon, hidden } = this.#shape;
    const size = horizon * hidden;
    this.#cells.forEach((cell, index) => {
      const similarity = run.similarity[index] ?? Number.NaN;
      if (evaluated[index] === 1 && Number.isFinite(similarity)) {
        cell.similarityMean = updatedMean(cell.similarityMean, similarity, rule);
      }
      if (run.skipped[index] === 1) {
        cell.consecutiveSkips++;
        return;
      }
      const row = Math.floor(index / layers) * (layers + 1) + (index % layers);
      const input = run.hidden.subarray(row * size, (row + 1) * size);
      const output = run.hidden.subarray((row + 1) * size, (row + 2) * size);
      const residual = this.residuals.subarray(index * size, (index + 1) * size);
      const finite = subtract(output, input, residual);
      this.fingerprints.store(index, input);
      cell.unfit = !finite;
      cell.condition = cell.unfit ? undefined : condition;
      cell.consecutiveSkips = 0;
    });
  }

  #cell(index: number): Cell {
    const cell = this.#cells[index];
    if (cell === undefined) throw new RangeError(`no cell ${index}`);
    return cell;
  }
}

/**
 * result = left - right, in place: these are the largest tensors that a cache holds.
 * @returns whether every element is a finite number: a sum of zeros tells, because NaN and infinity survive it
 */
function subtract(left: Float32Array, right: Float32Array, result: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < result.length; i++) {
    const difference = (left[i] ?? OUTSIDE) - (right[i] ?? OUTSIDE);
    result[i] = difference;
    sum += difference * 0;
  }
  return sum === 0;
}
