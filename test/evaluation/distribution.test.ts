import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { distributionOf, quantile, scaled } from '../../src/evaluation/distribution';

describe('a distribution', () => {
  it('interpolates linearly between neighbours', () => {
    // positions for 5 values: p·4. 0.5 → 2 → 30; 0.95 → 3.8 → 40 + 0.8·60 = 88; 0.99 → 3.96 → 40 + 0.96·60 = 97.6
    const d = distributionOf([40, 10, 100, 20, 30]);
    expect(d).toMatchObject({ count: 5, mean: 40, p50: 30, min: 10, max: 100 });
    expect(d.p95).toBeCloseTo(88, 12);
    expect(d.p99).toBeCloseTo(97.6, 12);
  });

  it('has the midpoint of two values as its median', () => {
    expect(distributionOf([1, 2]).p50).toBe(1.5);
  });

  it('is NaN where there is nothing', () => {
    const d = distributionOf([]);
    expect(d.count).toBe(0);
    for (const value of [d.mean, d.p50, d.p95, d.p99, d.min, d.max]) expect(value).toBeNaN();
  });

  it('changes its unit and keeps its count', () => {
    expect(scaled(distributionOf([1, 3]), 1000)).toMatchObject({
      count: 2,
      mean: 2000,
      p50: 2000,
      max: 3000,
    });
  });

  it('has quantiles that rise with p and stay inside the sample', () => {
    const values = fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1 });
    const share = fc.double({ noNaN: true, min: 0, max: 1 });
    fc.assert(
      fc.property(values, share, share, (sample, a, b) => {
        const sorted = Float64Array.from(sample).sort();
        const [low, high] = [quantile(sorted, Math.min(a, b)), quantile(sorted, Math.max(a, b))];
        // rounding of the interpolation: a few units in the last place of 1e6
        expect(low).toBeLessThanOrEqual(high + 1e-9);
        expect(low).toBeGreaterThanOrEqual(sorted[0]! - 1e-9);
        expect(high).toBeLessThanOrEqual(sorted.at(-1)! + 1e-9);
      }),
    );
  });
});
