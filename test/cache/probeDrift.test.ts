import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  horizonSaliency,
  inputMotion,
  probeDrift,
  probeProgress,
  quadraticRelaxation,
  residualAlong,
  skipThreshold,
} from '../../src/cache/probeDrift';
import { matrix, randomNumbers } from './ToyExpert';

// Four tokens of three channels
const before = [1, 1, 1, 0, 1, 2, 2, 0, -2, 1, 2, 3];
const now = [1, 1, 1, 0, 1.5, 2, 2, 0, -2, 1.3, 2, 3];

describe('the probe drift', () => {
  it('has the saliency of the golden case', () => {
    // standard deviations 0, 1, 2, 1
    [0, 0.5, 1, 0.5].forEach((value, i) => expect(horizonSaliency(before, 3)[i]).toBeCloseTo(value, 6));
  });

  it.each([
    [0, 0.049999963],
    [0.12, 0.052999959],
    [5, 0.174999806],
  ])('weighted by %d is the golden value', (weight, expected) => {
    expect(probeDrift(now, before, 3, weight)).toBeCloseTo(expected, 9);
  });

  it('is the plain drift of DiCache, up to its epsilon, where saliency does not count, and grows with its weight', () => {
    fc.assert(
      fc.property(fc.nat(), fc.double({ min: 0, max: 10, noNaN: true }), (seed, weight) => {
        const random = randomNumbers(seed);
        const [y, previous] = [matrix(random, 12), matrix(random, 12)];
        const plain = inputMotion(y, previous);
        expect(probeDrift(y, previous, 3, 0)).toBeCloseTo(plain, 4);
        expect(probeDrift(y, previous, 3, weight + 1)).toBeGreaterThan(probeDrift(y, previous, 3, weight));
      }),
    );
  });
});

describe('the skip threshold', () => {
  it.each([
    // tau_0 .08, alpha 2, beta_d 4, N 10
    [2, 0.02, 0.138461538],
    [5, 0.05, 0.218181818],
    [9, 0.3, 0.23],
  ])('at step %i for motion %d is the golden value', (step, motion, expected) => {
    const rule = { threshold: 0.08, motionSensitivity: 2, stepRelaxation: 4 };
    expect(skipThreshold(rule, motion, step, 10)).toBeCloseTo(expected, 9);
  });

  it.each([
    // u^2/6 + u/2 + 10/3 with u = N/35
    [10, 3.4898],
    [20, 3.6735],
    [35, 4],
    [50, 4.3878],
    [70, 5],
    [140, 8],
  ])('has the quadratic relaxation of the code for %i steps', (steps, expected) => {
    expect(quadraticRelaxation(steps)).toBeCloseTo(expected, 4);
  });
});

describe('the progress of the probe', () => {
  const [older, newer] = [
    [1, 0, 2, -1],
    [2, 1, 2, 0],
  ];
  const beyond = (g: number) => older.map((value, i) => value + g * (newer[i]! - value));

  it('is 1 at the newer of the two full steps, and what was travelled elsewhere, within the clamp', () => {
    // |p_b - p_a|^2 = 3: 3 / (3 + 1e-6)
    expect(probeProgress('osi', newer, older, newer)).toBeCloseTo(0.99999967, 8);
    for (const g of [0.3, 0.9, 1.5]) {
      expect(probeProgress('osi', beyond(g), older, newer)).toBeCloseTo(g, 5);
    }
    expect(probeProgress('osi', older, older, newer)).toBe(0.2);
    expect(probeProgress('osi', beyond(5), older, newer)).toBe(1.8);
  });

  it('gives the exact stack residual where that is affine in the residual of the probe along a line', () => {
    const stackOf = (probe: readonly number[]) => [
      2 * probe[0]! - probe[3]! + 1,
      probe[1]! + 3 * probe[2]! - 2,
    ];
    for (const g of [0.2, 0.7, 1, 1.8]) {
      const gamma = probeProgress('osi', beyond(g), older, newer);
      const approximated = residualAlong(gamma, stackOf(older), stackOf(newer));
      stackOf(beyond(g)).forEach((value, i) => expect(approximated[i]).toBeCloseTo(value, 5));
    }
  });

  it('tells the two rules apart at a turn', () => {
    const turned = [1, 1, 3, -1];
    expect(probeProgress('osi', turned, older, newer)).toBeCloseTo(0.333333, 6);
    // mean distances 2/4 and 3/4: the ratio 2/3 is clamped to 1
    expect(probeProgress('dicache', turned, older, newer)).toBe(1);
    expect(probeProgress('dicache', beyond(5), older, newer)).toBe(2);
    expect(probeProgress('dicache', turned, older, older)).toBe(1);
  });
});
