import { z } from 'zod';
import { SUB_BLOCKS } from '../bundle/layout';
import { FileFormatError } from '../errors';
import { at } from './matrix';
import type { Numbers } from './matrix';

/**
 * The offline mathematics of BAC (arXiv 2506.13456): when each sub-block is computed anew (adaptive
 * caching scheduler, ACS) and which of them must follow others (bubbling union algorithm, BUA).
 */

/** How the contributions of a sub-block at two steps are compared. */
export const SIMILARITIES = ['cosine', 'l1', 'mse', 'adjacent'] as const;
export type Similarity = (typeof SIMILARITIES)[number];

/** Index of the FFN among the sub-blocks of a layer (self-attention, cross-attention, FFN). */
const FFN = SUB_BLOCKS.indexOf('feedForward');

const flag = z.union([z.literal(0), z.literal(1)]);

const schema = z.strictObject({
  policy: z.literal('bac'),
  updates: z.int().min(1),
  union_blocks: z.int().min(0),
  similarity: z.enum(SIMILARITIES),
  steps: z.int().min(1),
  layers: z.int().min(1),
  /** chunks whose features were averaged */
  chunks: z.int().min(1),
  /** 1 where computed, [N][L][3] in the order self-attention, cross-attention, FFN */
  computed: z.array(z.array(z.tuple([flag, flag, flag]).readonly()).readonly()).readonly(),
});

/** Which sub-blocks `bac` computes at which step, and the settings for which this was solved. Plain JSON. */
export type BacSchedule = Readonly<z.infer<typeof schema>>;

/**
 * Checks a schedule read from JSON.
 * @param file where it came from, for the message
 * @throws FileFormatError
 */
export function parseBacSchedule(value: unknown, file: string): BacSchedule {
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
    throw new FileFormatError(file, `not a bac schedule${where}: ${issue?.message ?? 'unreadable'}`);
  }
  const { steps, layers, computed } = parsed.data;
  if (computed.length !== steps || computed.some((row) => row.length !== layers)) {
    throw new FileFormatError(file, `bac schedule: "computed" must be ${steps} rows of ${layers} layers`);
  }
  return parsed.data;
}

/** The flags of a schedule, [N, L, 3]. */
export function flagsOf(schedule: BacSchedule): Uint8Array {
  return Uint8Array.from(schedule.computed.flat(2));
}

/** What holding a step's contribution over later steps is worth. */
export interface AcsProblem {
  /** how alike (or how far apart) the contributions of two steps are, [K, K] */
  readonly comparison: Numbers;
  readonly steps: number;
  /** `most`: comparison is a similarity; `least`: it is a distance */
  readonly wanted: 'most' | 'least';
}

export interface AcsSolution {
  /** steps at which to compute, ascending, 0 always among them */
  readonly updates: readonly number[];
  /** sum over all steps of the comparison with the step that serves them */
  readonly score: number;
}

/** Value of serving the steps `from`..`to` with what was computed at `from`: the anchored sum of the authors' code. */
export function segmentValue({ comparison, steps }: AcsProblem, from: number, to: number): number {
  let sum = 0;
  for (let t = from; t <= to; t++) sum += at(comparison, from * steps + t);
  return sum;
}

/**
 * The best `budget` steps at which to compute a sub-block, step 0 among them, by dynamic programming in O(M K^2):
 * V[1][i] = phi(0, i), V[m][i] = best_{m-2 <= j < i} V[m-1][j] + phi(j+1, i). Of equal choices the first is taken.
 */
export function solveAcs(problem: AcsProblem, budget: number): AcsSolution {
  const { steps, wanted } = problem;
  const updates = Math.min(budget, steps);
  const better = (left: number, right: number) => (wanted === 'most' ? left > right : left < right);
  const worst = wanted === 'most' ? -Infinity : Infinity;

  // Sums from each anchor, so that phi is one subtraction-free look-up.
  const phi = Array.from({ length: steps }, (_, from) => {
    let sum = 0;
    return Float64Array.from({ length: steps - from }, (__, i) => {
      sum += at(problem.comparison, from * steps + from + i);
      return sum;
    });
  });
  const value = (from: number, to: number) => at(phi[from] ?? [], to - from);

  let values = Float64Array.from({ length: steps }, (_, i) => value(0, i));
  const choices: Int32Array[] = [];
  for (let m = 2; m <= updates; m++) {
    const next = new Float64Array(steps).fill(worst);
    const choice = new Int32Array(steps).fill(-1);
    for (let i = m - 1; i < steps; i++) {
      for (let j = m - 2; j < i; j++) {
        const candidate = at(values, j) + value(j + 1, i);
        if (better(candidate, at(next, i))) {
          next[i] = candidate;
          choice[i] = j;
        }
      }
    }
    values = next;
    choices.push(choice);
  }

  const chosen: number[] = [];
  let i = steps - 1;
  const score = at(values, i);
  for (const choice of choices.reverse()) {
    i = at(choice, i);
    chosen.push(i + 1);
  }
  return { updates: [0, ...chosen.reverse()], score };
}

/**
 * The variant by adjacent steps: computes anew at the `budget` - 1 steps that differ most from the one before. The
 * objective as printed in the paper comes down to this.
 * @param adjacent similarity of step k with step k-1, [K]; the first element is not read
 */
export function leastAlikeSteps(adjacent: Numbers, budget: number): readonly number[] {
  const later = Array.from({ length: adjacent.length - 1 }, (_, i) => i + 1);
  const ranked = later.sort((left, right) => at(adjacent, left) - at(adjacent, right) || left - right);
  return [0, ...ranked.slice(0, budget - 1)].sort((left, right) => left - right);
}

/** Which steps a sub-block is computed at; indexed 3 layer + sub-block. */
export type UpdateSets = readonly ReadonlySet<number>[];

/**
 * The sub-blocks with the largest error follow every FFN from their own layer on: C(u) gains C(FFN_l) for all
 * l >= layer(u) (BUA, stage 2). With fewer than two selected nothing happens, as in the authors' code. The union is
 * taken over the given sets, so the order of selection does not matter.
 */
export function uniteWithDownstream(sets: UpdateSets, selected: readonly number[]): UpdateSets {
  if (selected.length < 2) return sets;
  const chosen = new Set(selected);
  return sets.map((own, block) => {
    if (!chosen.has(block)) return own;
    const layer = Math.floor(block / SUB_BLOCKS.length);
    const downstream = sets.filter(
      (_, other) => other % SUB_BLOCKS.length === FFN && other >= layer * SUB_BLOCKS.length,
    );
    return new Set([...own, ...downstream.flatMap((set) => [...set])]);
  });
}

/** Indices of the `count` largest scores; of equal ones the first. */
export function largestScores(scores: Numbers, count: number): readonly number[] {
  return Array.from(scores, (_, i) => i)
    .sort((left, right) => at(scores, right) - at(scores, left) || left - right)
    .slice(0, count);
}
