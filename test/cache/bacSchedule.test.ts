import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FileFormatError } from '../../src/errors';
import {
  largestScores,
  leastAlikeSteps,
  parseBacSchedule,
  segmentValue,
  solveAcs,
  uniteWithDownstream,
} from '../../src/cache/bacSchedule';
import type { AcsProblem } from '../../src/cache/bacSchedule';
import { randomNumbers } from './ToyExpert';

/** A symmetric comparison of K steps from its upper rows. */
function symmetric(upper: readonly (readonly number[])[], diagonal: number): number[] {
  const steps = upper.length + 1;
  const matrix = new Array<number>(steps * steps).fill(diagonal);
  upper.forEach((row, i) =>
    row.forEach((value, n) => {
      matrix[i * steps + i + 1 + n] = value;
      matrix[(i + 1 + n) * steps + i] = value;
    }),
  );
  return matrix;
}

/** A random problem of K steps. */
function randomProblem(seed: number, steps: number, wanted: 'most' | 'least'): AcsProblem {
  const random = randomNumbers(seed);
  const upper = Array.from({ length: steps - 1 }, (_, i) =>
    Array.from({ length: steps - 1 - i }, () => Math.abs(random())),
  );
  return { comparison: symmetric(upper, wanted === 'most' ? 1 : 0), steps, wanted };
}

/** The value of a set of updates by definition: each step compared with the last update not after it. */
function scoreOf({ comparison, steps }: AcsProblem, updates: readonly number[]): number {
  let score = 0;
  for (let t = 0; t < steps; t++) {
    const anchor = updates.filter((update) => update <= t).at(-1)!;
    score += comparison[anchor * steps + t]!;
  }
  return score;
}

/** Every set of `budget` steps with 0 among them. */
function* allUpdateSets(steps: number, budget: number): Generator<number[]> {
  for (let bits = 0; bits < 1 << (steps - 1); bits++) {
    const set = [
      0,
      ...Array.from({ length: steps - 1 }, (_, i) => i + 1).filter((t) => (bits >> (t - 1)) & 1),
    ];
    if (set.length === budget) yield set;
  }
}

const problems = fc.record({
  seed: fc.nat(),
  steps: fc.integer({ min: 1, max: 9 }),
  budget: fc.integer({ min: 1, max: 9 }),
  wanted: fc.constantFrom('most' as const, 'least' as const),
});

describe('the adaptive caching scheduler', () => {
  // found apart from this code by trying all sets of steps
  const golden: AcsProblem = {
    comparison: symmetric(
      [[0.99, 0.95, 0.8, 0.6, 0.4], [0.97, 0.85, 0.65, 0.45], [0.92, 0.75, 0.55], [0.9, 0.7], [0.85]],
      1,
    ),
    steps: 6,
    wanted: 'most',
  };
  it.each([
    [1, [0], 4.74],
    [2, [0, 4], 5.59],
    [3, [0, 3, 5], 5.84],
    [4, [0, 3, 4, 5], 5.94],
    [6, [0, 1, 2, 3, 4, 5], 6],
  ])('with %i updates of the golden case chooses %j', (budget, updates, score) => {
    const solution = solveAcs(golden, budget);
    expect(solution.updates).toEqual(updates);
    expect(solution.score).toBeCloseTo(score, 12);
  });

  it('is optimal: no other set of as many steps scores better', () => {
    fc.assert(
      fc.property(problems, ({ seed, steps, budget, wanted }) => {
        const problem = randomProblem(seed, steps, wanted);
        const solution = solveAcs(problem, budget);
        const scores = [...allUpdateSets(steps, Math.min(budget, steps))].map((set) => scoreOf(problem, set));
        const best = wanted === 'most' ? Math.max(...scores) : Math.min(...scores);
        expect(solution.score).toBeCloseTo(best, 9);
        expect(scoreOf(problem, solution.updates)).toBeCloseTo(solution.score, 9);
        expect(solution.updates).toHaveLength(Math.min(budget, steps));
        expect(solution.updates[0]).toBe(0);
      }),
      { numRuns: 400 },
    );
  });

  it('never scores worse with one more update of a similarity', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 2, max: 9 }), (seed, steps) => {
        // Similarities below that of a step with itself, as cosines are.
        const random = randomProblem(seed, steps, 'most');
        const comparison = Array.from(random.comparison, (value, i) =>
          i % (steps + 1) === 0 ? 1 : Math.min(1, value),
        );
        let before = -Infinity;
        for (let budget = 1; budget <= steps; budget++) {
          const { score } = solveAcs({ comparison, steps, wanted: 'most' }, budget);
          expect(score).toBeGreaterThanOrEqual(before - 1e-12);
          before = score;
        }
      }),
    );
  });

  it('takes the first of equal choices', () => {
    const equal = { comparison: new Array<number>(36).fill(1), steps: 6, wanted: 'most' as const };
    expect(solveAcs(equal, 1).updates).toEqual([0]);
    expect(solveAcs(equal, 3).updates).toEqual([0, 1, 2]);
  });

  it('values a segment by the similarity of its first step with all its steps', () => {
    expect(segmentValue(golden, 2, 4)).toBeCloseTo(1 + 0.92 + 0.75, 12);
  });

  it('has a variant that updates where neighbouring steps differ most', () => {
    expect(leastAlikeSteps([1, 0.9, 0.5, 0.99, 0.5, 0.7], 1)).toEqual([0]);
    expect(leastAlikeSteps([1, 0.9, 0.5, 0.99, 0.5, 0.7], 3)).toEqual([0, 2, 4]);
    expect(leastAlikeSteps([1, 0.9, 0.5, 0.99, 0.5, 0.7], 6)).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

describe('the bubbling union', () => {
  const layers = 3;
  const setsOf = (seed: number) => {
    const random = randomNumbers(seed);
    return Array.from(
      { length: 3 * layers },
      () => new Set([0, ...Array.from({ length: 9 }, (_, k) => k + 1).filter(() => random() > 0.5)]),
    );
  };
  const selections = fc.uniqueArray(fc.integer({ min: 0, max: 3 * layers - 1 }), {
    minLength: 2,
    maxLength: 9,
  });

  it('only adds updates, and gives the selected every FFN update of their own and later layers', () => {
    fc.assert(
      fc.property(fc.nat(), selections, (seed, selected) => {
        const sets = setsOf(seed);
        const united = uniteWithDownstream(sets, selected);
        united.forEach((set, block) => {
          for (const step of sets[block]!) expect(set.has(step)).toBe(true);
          if (!selected.includes(block)) expect(set).toEqual(sets[block]);
        });
        for (const block of selected) {
          for (let layer = Math.floor(block / 3); layer < layers; layer++) {
            for (const step of sets[3 * layer + 2]!) expect(united[block]!.has(step)).toBe(true);
          }
        }
      }),
    );
  });

  it('does not depend on the order of the selection, and a second union changes nothing', () => {
    fc.assert(
      fc.property(fc.nat(), selections, (seed, selected) => {
        const united = uniteWithDownstream(setsOf(seed), selected);
        const sorted = (sets: typeof united) => sets.map((set) => [...set].sort());
        expect(sorted(uniteWithDownstream(setsOf(seed), [...selected].reverse()))).toEqual(sorted(united));
        expect(sorted(uniteWithDownstream(united, selected))).toEqual(sorted(united));
      }),
      { numRuns: 200 },
    );
  });

  it('needs at least two selected sub-blocks', () => {
    const sets = setsOf(1);
    expect(uniteWithDownstream(sets, [4])).toBe(sets);
    expect(uniteWithDownstream(sets, [])).toBe(sets);
  });

  it('selects the largest errors, the first of equal ones', () => {
    expect(largestScores([1, 3, 2, 3], 3)).toEqual([1, 3, 2]);
    expect(largestScores([1, 3], 0)).toEqual([]);
    expect(largestScores([1, 3], 9)).toEqual([1, 0]);
  });
});

describe('a schedule on disk', () => {
  const valid = {
    policy: 'bac',
    updates: 1,
    union_blocks: 0,
    similarity: 'cosine',
    steps: 2,
    layers: 1,
    chunks: 8,
    computed: [[[1, 1, 1]], [[0, 1, 0]]],
  };

  it('is read back as it was written', () => {
    expect(parseBacSchedule(JSON.parse(JSON.stringify(valid)), 'bac.json')).toEqual(valid);
  });

  it.each([
    [null, /^bac\.json: not a bac schedule: /],
    [{ ...valid, computed: [[[1, 1, 1]], [[0, 2, 0]]] }, /at computed\.1\.0\.1/],
    [{ ...valid, computed: [[[1, 1, 1]]] }, /"computed" must be 2 rows of 1 layers$/],
    [{ ...valid, computed: [[[1, 1, 1]], []] }, /"computed" must be 2 rows of 1 layers$/],
    [{ ...valid, steps: 0 }, /at steps/],
    [{ ...valid, note: 'x' }, /"note"/],
  ])('is refused with the place of the fault: %j', (value, message) => {
    const read = () => parseBacSchedule(value, 'bac.json');
    expect(read).toThrow(FileFormatError);
    expect(read).toThrow(message);
  });
});
