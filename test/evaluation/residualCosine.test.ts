import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cosine, cosineByStep, residualCosines } from '../../src/evaluation/residualCosine';

describe('the cosine of adjacent residuals', () => {
  it('is taken step by step, and unknown where a step was not computed in full', () => {
    const previous = new Map([
      [0, Float32Array.from([1, 0])],
      [1, Float32Array.from([3, 4])],
    ]);
    const current = new Map([
      [0, Float32Array.from([0, 2])],
      [1, Float32Array.from([4, 3])],
      [2, Float32Array.from([1, 1])],
    ]);
    // orthogonal; (12 + 12)/(5·5) = 0.96; no partner
    expect([...residualCosines(previous, current, 3)]).toEqual([0, 0.96, NaN]);
  });

  it('is unknown for a zero vector and for different lengths', () => {
    expect(cosine(new Float32Array(2), Float32Array.from([1, 2]))).toBeNaN();
    expect(cosine(new Float32Array(2), new Float32Array(3))).toBeNaN();
  });

  it('is 1 for a vector with itself and does not depend on scale', () => {
    const vector = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(
        vector.filter((v) => v.some((x) => x !== 0)),
        (v) => {
          const a = Float32Array.from(v);
          expect(cosine(a, a)).toBeCloseTo(1, 12);
          expect(
            cosine(
              a,
              a.map((x) => -4 * x),
            ),
          ).toBeCloseTo(-1, 12);
        },
      ),
    );
  });

  it('is summarised by step, first chunks left out', () => {
    const rows = [undefined, Float64Array.from([0.9, NaN]), Float64Array.from([0.7, 0.5])];
    const [first, second] = cosineByStep(rows, 2);
    expect(first).toMatchObject({ step: 0, pairs: 2 });
    expect(first!.mean).toBeCloseTo(0.8, 12);
    // between 0.7 and 0.9: 5 % of the way, 95 % of the way
    expect(first!.p5).toBeCloseTo(0.71, 12);
    expect(first!.p95).toBeCloseTo(0.89, 12);
    expect(second).toMatchObject({ mean: 0.5, pairs: 1 });
  });
});
