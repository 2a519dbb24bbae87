import { describe, expect, it } from 'vitest';
import {
  applyRowMap,
  composeReusedSteps,
  constantOfResidual,
  constantOfVelocity,
  endByDifference,
  reusedVelocity,
  shiftOfStaleSteps,
  stepMatrix,
} from '../../src/cache/affine';
import { addScaled, identity, multiply, transpose } from '../../src/cache/matrix';
import type { LinearMap } from '../../src/cache/types';
import { plainStep } from '../../src/sampler/eulerStep';
import { createSchedule } from '../../src/sampler/schedule';
import { matrix, randomNumbers } from './ToyExpert';

// T = 32 tokens, 7 action dimensions, 96 hidden, 10 steps at shift 5.
const [TOKENS, ACTION, HIDDEN, STEPS] = [32, 7, 96, 10];
const random = randomNumbers(3);
const encoder = linear(ACTION, HIDDEN);
const head = linear(HIDDEN, ACTION);
const schedule = createSchedule(STEPS, 5);
const { delta } = schedule;
const residuals = Array.from({ length: STEPS }, () => Float64Array.from(matrix(random, TOKENS * HIDDEN)));
const A = stepMatrix(encoder, head);
const constants = residuals.map((residual) => constantOfResidual(encoder, head, residual));
const start = Float64Array.from(matrix(random, TOKENS * ACTION));

describe('the affine form of reused steps', () => {
  it('gives the velocity of encoder, residual and head for one step', () => {
    const byDefinition = velocityByDefinition(start, residuals[4]!);
    expect(largestDifference(reusedVelocity(A, start, constants[4]!), byDefinition)).toBeLessThan(1e-12);
  });

  it('recovers the constant of a step from its x and velocity alone', () => {
    const v = velocityByDefinition(start, residuals[2]!);
    expect(largestDifference(constantOfVelocity(A, start, v), constants[2]!)).toBeLessThan(1e-12);
  });

  it.each([
    [0, 1],
    [0, 5],
    [0, 7],
    [0, 8],
    [0, 10],
    [2, 5],
  ])('composes the steps from %i, %i of them, into one row map', (first, count) => {
    const map = compose(first, count);
    const stepwise = walk(start, first, count);
    expect(largestDifference(applyRowMap(start, map), stepwise)).toBeLessThan(1e-12);
  });

  it('is the identity for no steps at all', () => {
    const map = composeReusedSteps(A, [], TOKENS * ACTION);
    expect([...map.P]).toEqual([...identity(ACTION)]);
    expect([...map.q]).toEqual(new Array(TOKENS * ACTION).fill(0));
  });

  it('has P equal to the product of (I + delta A)^T in any order, since all factors commute', () => {
    const factors = [...delta.slice(0, 7)].map((d) =>
      addScaled(identity(ACTION), transpose(A, ACTION, ACTION), d),
    );
    const backwards = factors.reduceRight((product, factor) =>
      multiply(product, factor, ACTION, ACTION, ACTION),
    );
    expect(largestDifference(compose(0, 7).P, backwards)).toBeLessThan(1e-12);
  });

  it('reaches the same end by the difference to the refresh trajectory, also from a start in the middle', () => {
    for (const [first, count] of [
      [0, 7],
      [2, 5],
    ] as const) {
      const refreshStart = Float64Array.from(matrix(random, TOKENS * ACTION));
      const refreshEnd = walk(refreshStart, first, count);
      const end = endByDifference(compose(first, count).P, start, refreshStart, refreshEnd);
      expect(largestDifference(end, walk(start, first, count))).toBeLessThan(1e-12);
    }
  });

  it('ends exactly where the refresh ended if it starts from the same noise', () => {
    const end = walk(start, 0, 7);
    expect([...endByDifference(compose(0, 7).P, start, start, end)]).toEqual([...end]);
  });

  it('agrees within 1e-5 relative if it is applied in float32', () => {
    const { P, q } = compose(0, 7);
    const rounded = applyRowMap(Float32Array.from(start), {
      P: Float64Array.from(Float32Array.from(P)),
      q: Float64Array.from(Float32Array.from(q)),
    });
    const exact = walk(start, 0, 7);
    expect(largestDifference(rounded, exact)).toBeLessThan(1e-5 * Math.max(...exact.map(Math.abs)));
  });

  it('propagates the error of a stale residual to the end of the run to first order exactly', () => {
    const error = Float64Array.from(matrix(random, TOKENS * ACTION, 0.1));
    const stale = walk(start, 0, 7, (k) => (k === 3 ? addScaled(constants[k]!, error, 1) : constants[k]!));
    const zero = new Float64Array(TOKENS * ACTION);
    const predicted = shiftOfStaleSteps(
      A,
      Array.from({ length: 7 }, (_, k) => ({ euler: plainStep(schedule, k), error: k === 3 ? error : zero })),
      TOKENS * ACTION,
    );
    expect(largestDifference(addScaled(stale, walk(start, 0, 7), -1), predicted)).toBeLessThan(1e-12);
  });
});

function compose(first: number, count: number) {
  const steps = Array.from({ length: count }, (_, i) => ({
    euler: plainStep(schedule, first + i),
    D: constants[first + i]!,
  }));
  return composeReusedSteps(A, steps, TOKENS * ACTION);
}

function walk(x: Float64Array, first: number, count: number, constant = (k: number) => constants[k]!) {
  let now = x;
  for (let k = first; k < first + count; k++) {
    now = addScaled(now, reusedVelocity(A, now, constant(k)), delta[k]!);
  }
  return now;
}

/** head(encode(x) + R) written out with loops, in float64. */
function velocityByDefinition(x: Float64Array, residual: Float64Array): Float64Array {
  const hidden = linearByDefinition(encoder, x).map((value, i) => value + residual[i]!);
  return linearByDefinition(head, hidden);
}

function linearByDefinition(map: LinearMap, x: Float64Array): Float64Array {
  const result = new Float64Array((x.length / map.inputs) * map.outputs);
  for (let n = 0; n < result.length; n++) {
    const [row, out] = [Math.floor(n / map.outputs), n % map.outputs];
    result[n] = map.bias[out]!;
    for (let m = 0; m < map.inputs; m++) {
      result[n] = result[n]! + x[row * map.inputs + m]! * map.weight[out * map.inputs + m]!;
    }
  }
  return result;
}

function linear(inputs: number, outputs: number): LinearMap {
  return {
    inputs,
    outputs,
    weight: matrix(random, inputs * outputs, 1 / Math.sqrt(inputs)),
    bias: matrix(random, outputs, 0.3),
  };
}

function largestDifference(left: ArrayLike<number>, right: ArrayLike<number>): number {
  let largest = left.length === right.length ? 0 : Infinity;
  for (let i = 0; i < left.length; i++) largest = Math.max(largest, Math.abs(left[i]! - right[i]!));
  return largest;
}
