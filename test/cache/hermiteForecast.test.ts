import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  chaoticError,
  forecastFrom,
  forecastOutput,
  groupByCurvature,
  hermiteWeight,
  quantile,
} from '../../src/cache/hermiteForecast';
import type { TimedOutput } from '../../src/cache/hermiteForecast';
import { matrix, randomNumbers } from './ToyExpert';

const tokens = Array.from({ length: 5 }, (_, i) => ({ offset: 2 * i, length: 2 }));
const quantiles = { stable: 0.3, chaotic: 0.7 };

type Three<T> = readonly [T, T, T];

function outputs([first, second, third]: Three<readonly number[]>, times = [0, 1, 2]): Three<TimedOutput> {
  const at = (i: number, values: readonly number[]): TimedOutput => ({ time: times[i]!, values });
  return [at(0, first), at(1, second), at(2, third)];
}

// Figures computed apart from this code, in float64: five tokens of two values, full at steps 0, 1, 2
const golden = forecastFrom(
  outputs([
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [1, 0, 1, 0, 1, 0, 1, 0, 1, 0],
    [2, 0.01, 2, 0.2, 2, 0.5, 1.5, 0.5, 0.5, 0.5],
  ]),
  tokens,
  quantiles,
);
const moment = (predicted: number, maxPredicted = 4) => ({ time: 2 + predicted, predicted, maxPredicted });

describe('the curvature forecast', () => {
  it('has the curvatures, quantiles and groups of the golden case', () => {
    const expected = [0.009999, 0.19230769, 0.399999997, 1.414213534, 3.162277597];
    golden.curvature.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 8));
    expect(quantile(golden.curvature, 0.3)).toBeCloseTo(0.233846152, 8);
    expect(quantile(golden.curvature, 0.7)).toBeCloseTo(1.21137083, 7);
    expect(golden.groups).toEqual(['stable', 'stable', 'linear', 'chaotic', 'chaotic']);
  });

  it.each([
    [1, [2, 0.01, 2, 0.2, 3, 1, 2.078125, 0.921875, 0.234375, 0.921875], 0.51772663],
    [2, [2, 0.01, 2, 0.2, 4, 1.5, 3, 1, 1, 1], 1.26614507],
    [3, [2, 0.01, 2, 0.2, 5, 2, 4.265625, 0.734375, 2.796875, 0.734375], 2.780710436],
    [4, [2, 0.01, 2, 0.2, 6, 2.5, 5.5, 0.5, 4.5, 0.5], 4.223384557],
  ])('predicts step %i after the full one as in the golden case', (predicted, expected, accumulated) => {
    const output = forecastOutput(golden, tokens, moment(predicted));
    output.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 12));
    let error = 0;
    for (let j = 1; j <= predicted; j++) error += chaoticError(golden, tokens, moment(j - 1), moment(j));
    expect(error).toBeCloseTo(accumulated, 8);
  });

  it.each([
    // w = 3u^2 - 2u^3 at u = j / n
    [2, [0.5, 1]],
    [4, [0.15625, 0.5, 0.84375, 1]],
    [6, [0.074074, 0.259259, 0.5, 0.740741, 0.925926, 1]],
  ])('damps over %i steps with the Hermite weights', (maxPredicted, weights) => {
    weights.forEach((weight, i) => expect(hermiteWeight(i + 1, maxPredicted)).toBeCloseTo(weight, 6));
  });

  it('extrapolates constant velocities exactly with every predictor, and then calls every token chaotic', () => {
    const line = (t: number) => [1, -2, 0.5, 3, 2, 2, 0, 1, -1, 4].map((v, i) => v * t + i);
    const forecast = forecastFrom(outputs([line(0), line(1), line(2)]), tokens, quantiles);
    expect(forecast.groups).toEqual(new Array(5).fill('chaotic'));
    const output = forecastOutput(forecast, tokens, moment(3, 6));
    line(5).forEach((value, i) => expect(output[i]).toBeCloseTo(value, 12));
    expect(chaoticError(forecast, tokens, moment(0), moment(1))).toBe(0);
    for (const group of ['linear', 'chaotic'] as const) {
      const grouped = { ...forecast, groups: new Array(5).fill(group) as (typeof group)[] };
      const same = forecastOutput(grouped, tokens, moment(3, 6));
      same.forEach((value, i) => expect(value).toBeCloseTo(output[i]!, 12));
    }
  });

  it('keeps its groups and its error when all outputs are scaled', () => {
    fc.assert(
      fc.property(fc.nat(), fc.double({ min: 0.5, max: 8, noNaN: true }), (seed, scale) => {
        // Velocities well above 0, because the epsilon of the curvature is not scaled.
        const values = matrix(randomNumbers(seed), 30).map((value, i) => value + 20 * Math.floor(i / 10));
        const of = (factor: number) => {
          const row = (i: number) => [...values.slice(10 * i, 10 * i + 10)].map((v) => factor * v);
          return forecastFrom(outputs([row(0), row(1), row(2)]), tokens, quantiles);
        };
        const [one, other] = [of(1), of(scale)];
        expect(other.groups).toEqual(one.groups);
        const error = chaoticError(one, tokens, moment(0), moment(1));
        expect(chaoticError(other, tokens, moment(0), moment(1)) / error).toBeCloseTo(1, 6);
      }),
    );
  });

  it('puts every token into exactly one group, and the largest curvature always among the chaotic', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 9, noNaN: true }), { minLength: 1 }), (curvature) => {
        const groups = groupByCurvature(curvature, quantiles);
        expect(groups).toHaveLength(curvature.length);
        expect(groups[curvature.indexOf(Math.max(...curvature))]).toBe('chaotic');
      }),
    );
  });

  it('averages the error over all tokens, or over the chaotic ones if asked to', () => {
    const all = chaoticError(golden, tokens, moment(0), moment(1), 'all');
    // two of five tokens are chaotic
    expect(chaoticError(golden, tokens, moment(0), moment(1), 'chaotic')).toBeCloseTo((all * 5) / 2, 12);
  });
});
