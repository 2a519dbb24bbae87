import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { advance, plainStep } from '../../src/sampler/eulerStep';
import { PREFIX_SCHEDULES, guidanceWeight, guidedStep, prefixWeights } from '../../src/sampler/guidance';
import { createSchedule } from '../../src/sampler/schedule';

const HORIZON = 32;

const prefix = fc.record({
  schedule: fc.constantFrom(...PREFIX_SCHEDULES),
  delay: fc.integer({ min: 0, max: 40 }),
  executionHorizon: fc.integer({ min: 1, max: 40 }),
  left: fc.integer({ min: 1, max: HORIZON }),
});

describe('the weights of guided rows', () => {
  it('fall linearly behind the delay, as in LeRobot for delay 3 and horizon 10', () => {
    const weights = prefixWeights({
      schedule: 'LINEAR',
      delay: 3,
      executionHorizon: 10,
      left: 24,
      horizon: HORIZON,
    });
    // 1 - (i - 3 + 1)/(10 - 3 + 1) for i = 3 .. 9
    const expected = [1, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8];
    expect([...weights]).toEqual([...expected, ...new Array<number>(22).fill(0)]);
  });

  it('are from 0 to 1, never rise, are 1 before the delay and 0 beyond what the old chunk still has', () => {
    fc.assert(
      fc.property(prefix, (given) => {
        const weights = prefixWeights({ ...given, horizon: HORIZON });
        const end = Math.min(given.executionHorizon, given.left);
        weights.forEach((w, i) => {
          expect(w).toBeGreaterThanOrEqual(0);
          expect(w).toBeLessThanOrEqual(i === 0 ? 1 : weights[i - 1]!);
          if (i < Math.min(given.delay, end)) expect(w).toBe(1);
          if (i >= end) expect(w).toBe(0);
        });
      }),
    );
  });
});

describe('a guided step', () => {
  const schedule = createSchedule(10, 5);
  const numbers = (length: number) =>
    fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: length, maxLength: length });
  const [rows, width] = [4, 3];

  it('is x + delta (v - g (y - (x - sigma v)) w), written out', () => {
    const given = fc.record({
      k: fc.integer({ min: 0, max: 9 }),
      max: fc.double({ min: 0, max: 20, noNaN: true }),
      x: numbers(rows * width),
      v: numbers(rows * width),
      y: numbers(rows * width),
      w: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: rows, maxLength: rows }),
    });
    fc.assert(
      fc.property(given, ({ k, max, x, v, y, w }) => {
        const sigma = schedule.sigma[k]!;
        const tau = 1 - sigma;
        const c = tau === 0 ? max : (1 - tau) / tau;
        const g = Math.min(c * (((1 - tau) ** 2 + tau ** 2) / (1 - tau) ** 2), max);
        const previous = Float32Array.from(y);
        const step = guidedStep(schedule, k, {
          previous,
          weights: Float64Array.from(w),
          maxGuidanceWeight: max,
        });
        const moved = advance(x, v, step);
        moved.forEach((value, i) => {
          const clean = x[i]! - sigma * v[i]!;
          const error = (previous[i]! - clean) * w[Math.floor(i / width)]!;
          expect(value).toBeCloseTo(x[i]! + schedule.delta[k]! * (v[i]! - g * error), 9);
        });
      }),
    );
  });

  it('is the plain one to the bit where no row has a weight, and in rows without one', () => {
    const y = Float32Array.from({ length: rows * width }, (_, i) => i - 5);
    const none = { previous: y, weights: new Float64Array(rows), maxGuidanceWeight: 10 };
    expect(guidedStep(schedule, 3, none)).toEqual(plainStep(schedule, 3));
    const some = guidedStep(schedule, 3, { ...none, weights: Float64Array.of(1, 0.5, 0, 0) });
    const x = [...y].map((value) => value / 7);
    const plain = advance(x, y, plainStep(schedule, 3));
    expect(advance(x, y, some).slice(2 * width)).toEqual(plain.slice(2 * width));
  });

  it('is multiplied by the most that is allowed at the start, and never by more', () => {
    expect(guidanceWeight(1, 10)).toBe(10);
    for (const sigma of schedule.sigma.slice(0, 10)) {
      expect(guidanceWeight(sigma, 10)).toBeLessThanOrEqual(10);
      expect(guidanceWeight(sigma, 10)).toBeGreaterThan(0);
    }
    // sigma = 0.5: c = 1, r = (0.25 + 0.25) / 0.25 = 2
    expect(guidanceWeight(0.5, 10)).toBeCloseTo(2, 12);
  });
});
