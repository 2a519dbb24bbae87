import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors';
import { mcNemar, pairedDifference, pairedRatio, successRate } from '../../src/sim/successStatistics';

describe('A success rate', () => {
  it('has the Wilson interval of the textbook', () => {
    // 8 of 10 with z = 1.96: centre (0.8 + 0.19208) / 1.38416 = 0.716738, half width
    // 1.96 / 1.38416 * sqrt(0.016 + 0.009604) = 0.226578.
    const { value, low, high } = successRate(8, 10, 1.96);
    expect(value).toBe(0.8);
    expect(low).toBeCloseTo(0.49016, 5);
    expect(high).toBeCloseTo(0.943316, 5);
  });

  it('reaches its end without leaving [0, 1], and says nothing about no episodes', () => {
    expect(successRate(50, 50)).toMatchObject({ value: 1, high: 1 });
    expect(successRate(0, 50)).toMatchObject({ value: 0, low: 0 });
    expect(successRate(0, 0)).toEqual({ value: NaN, low: NaN, high: NaN });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (n, share) => {
          const { value, low, high } = successRate(Math.round(share * n), n);
          expect(low).toBeGreaterThanOrEqual(0);
          expect(low).toBeLessThanOrEqual(value);
          expect(high).toBeGreaterThanOrEqual(value);
          expect(high).toBeLessThanOrEqual(1);
        },
      ),
    );
  });
});

describe('Paired runs', () => {
  it('differ by nothing where every episode goes the same way, with certainty', () => {
    const run = Array.from({ length: 100 }, (_, i) => i % 2);
    expect(pairedDifference(run, run)).toEqual({ value: 0, low: 0, high: 0 });
    expect(pairedRatio(run, run)).toEqual({ value: 1, low: 1, high: 1 });
  });

  it('have the interval of a binomial difference where one run loses a tenth of the episodes', () => {
    // Differences are -1 in 40 of 400 episodes and 0 otherwise: mean -0.1, standard error sqrt(0.1 * 0.9 / 400) =
    // 0.015, so 95 % lie within 0.0294 of the mean; the bootstrap of 10,000 meets that to about 0.003.
    const one = Array.from({ length: 400 }, (_, i) => (i % 10 === 0 ? 0 : 1));
    const two = one.map(() => 1);
    const { value, low, high } = pairedDifference(one, two);
    expect(value).toBeCloseTo(-0.1, 12);
    expect(Math.abs(low - (-0.1 - 0.0294))).toBeLessThan(0.004);
    expect(Math.abs(high - (-0.1 + 0.0294))).toBeLessThan(0.004);
  });

  it('give the same interval every time, and the mirrored one when swapped', () => {
    const a = Array.from({ length: 60 }, (_, i) => (i * 7) % 11);
    const b = Array.from({ length: 60 }, (_, i) => (i * 5) % 13);
    const ab = pairedDifference(a, b);
    expect(pairedDifference(a, b)).toEqual(ab);
    const ba = pairedDifference(b, a);
    expect([ba.value, ba.low, ba.high]).toEqual(
      [-ab.value, -ab.high, -ab.low].map((v) => expect.closeTo(v, 9) as number),
    );
  });

  it('must have the same episodes', () => {
    expect(() => pairedDifference([1, 0], [1])).toThrow(InputError);
    expect(pairedDifference([], [])).toEqual({ value: NaN, low: NaN, high: NaN });
  });

  it('are told apart by the exact McNemar test', () => {
    // 1 against 9 of 10: 2 (C(10,0) + C(10,1)) / 2^10 = 22 / 1024. 5 against 5: certain to be at least as uneven.
    expect(mcNemar(1, 9)).toBeCloseTo(22 / 1024, 12);
    expect(mcNemar(9, 1)).toBeCloseTo(22 / 1024, 12);
    expect(mcNemar(5, 5)).toBe(1);
    expect(mcNemar(0, 0)).toBe(1);
    // No overflow, and no underflow to anything but 0, at sizes of real runs.
    expect(mcNemar(0, 2000)).toBe(0);
    expect(mcNemar(1000, 1000)).toBe(1);
  });
});
