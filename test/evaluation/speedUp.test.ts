import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors';
import { speedUp, speedUpBound } from '../../src/evaluation/speedUp';
import { chunkOf } from './fakeEvaluation';

const timed = (expert: number, total: number, stackEvaluations = 10) =>
  chunkOf([0], { times: { expert, total }, report: { stackEvaluations } });

describe('speed-up', () => {
  it('is the ratio of summed times, not the mean of ratios', () => {
    // uncached 4 × 100 ms = 400; cached 100 (refresh) + 3 × 50 = 250 → 1.6, while the mean of ratios is 1.75
    const uncached = [1, 2, 3, 4].map(() => timed(0.08, 0.1));
    const cached = [timed(0.08, 0.1), ...[1, 2, 3].map(() => timed(0.03, 0.05, 3))];
    const figures = speedUp(uncached, cached);
    expect(figures.ratio).toBeCloseTo(1.6, 12);
    // f = 320/400 = 0.8; s = 1 − (10 + 3·3)/40 = 0.525; bound = 1/(1 − 0.42) = 1.724137931
    expect(figures.expertShare).toBeCloseTo(0.8, 12);
    expect(figures.savedShare).toBeCloseTo(0.525, 12);
    expect(figures.bound).toBeCloseTo(1.724137931, 9);
    expect(figures.shareOfBound).toBeCloseTo(0.928, 12);
    // chunk by chunk: 1, 2, 2, 2
    expect(figures.pairs).toMatchObject({ count: 4, min: 1, p50: 2, mean: 1.75 });
  });

  it('has the bound that the published A100 figures imply', () => {
    // arXiv 2606.08962: the expert's share f = 0.803, [0,6] R=0 at 15.95 chunks an episode: s = 0.7·(1 − 1/15.95) = 0.65611
    expect(speedUpBound(0.803, 0.7 * (1 - 1 / 15.95))).toBeCloseTo(2.11, 2);
  });

  it('is 1, with bound 1, for equal runs', () => {
    const time = fc.double({ min: 1e-4, max: 10, noNaN: true });
    fc.assert(
      fc.property(fc.array(time, { minLength: 1, maxLength: 50 }), (times) => {
        const run = times.map((t) => timed(t / 2, t));
        const figures = speedUp(run, run);
        expect(figures.ratio).toBe(1);
        expect(figures.bound).toBe(1);
        expect(figures.pairs).toMatchObject({ min: 1, max: 1 });
      }),
    );
  });

  it('refuses runs over different chunks', () => {
    expect(() => speedUp([timed(1, 2)], [])).toThrow(InputError);
    expect(() => speedUp([], [])).toThrow(/same chunks/);
  });
});
