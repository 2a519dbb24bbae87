import { at } from './matrix';
import type { Numbers } from './matrix';

/**
 * Forecasting of outputs by curvature groups (WorldCache for heterogeneous tokens, arXiv 2603.06331, rules of the
 * authors' code). A token is a stretch of values in a flat output.
 */

/** Where the values of one token lie in an output. */
export interface Token {
  readonly offset: number;
  readonly length: number;
}

export type TokenGroup = 'stable' | 'linear' | 'chaotic';

/** A full output and the time at which it was computed. */
export interface TimedOutput {
  readonly time: number;
  readonly values: Numbers;
}

/** What the last three full outputs say about the next ones. */
export interface Forecast {
  readonly latest: TimedOutput;
  /** (F0 - F1) / (t0 - t1) */
  readonly currentVelocity: Float64Array;
  /** (F1 - F2) / (t1 - t2) */
  readonly previousVelocity: Float64Array;
  /** curvature of each token */
  readonly curvature: Float64Array;
  readonly groups: readonly TokenGroup[];
}

export interface GroupQuantiles {
  /** tokens whose curvature lies below this quantile are stable */
  readonly stable: number;
  /** tokens whose curvature lies at or above this quantile are chaotic */
  readonly chaotic: number;
}

const EPSILON = 1e-8;

/** The forecast from the last three full outputs, oldest first. */
export function forecastFrom(
  [oldest, middle, latest]: readonly [TimedOutput, TimedOutput, TimedOutput],
  tokens: readonly Token[],
  quantiles: GroupQuantiles,
): Forecast {
  const previousVelocity = velocityBetween(oldest, middle);
  const currentVelocity = velocityBetween(middle, latest);
  const interval = latest.time - middle.time;
  const curvature = Float64Array.from(tokens, ({ offset, length }) => {
    let acceleration = 0;
    let speed = 0;
    for (let i = offset; i < offset + length; i++) {
      acceleration += ((at(currentVelocity, i) - at(previousVelocity, i)) / interval) ** 2;
      speed += at(currentVelocity, i) ** 2;
    }
    return Math.sqrt(acceleration) / (speed + EPSILON);
  });
  return {
    latest,
    currentVelocity,
    previousVelocity,
    curvature,
    groups: groupByCurvature(curvature, quantiles),
  };
}

/** Every token in exactly one group; a tie with the upper quantile is chaotic, so equal curvatures are all chaotic. */
export function groupByCurvature(curvature: Numbers, quantiles: GroupQuantiles): readonly TokenGroup[] {
  const lower = quantile(curvature, quantiles.stable);
  const upper = quantile(curvature, quantiles.chaotic);
  return Array.from(curvature, (value) => (value >= upper ? 'chaotic' : value < lower ? 'stable' : 'linear'));
}

/** Quantile with linear interpolation between the two nearest ranks, as torch and numpy do by default. */
export function quantile(values: Numbers, share: number): number {
  const sorted = Float64Array.from(values).sort();
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return at(sorted, below) + (position - below) * (at(sorted, above) - at(sorted, below));
}

/** Weight of the previous velocity after j of at most n predicted steps: 3 z^2 - 2 z^3, z = min(j / n, 1). */
export function hermiteWeight(predicted: number, maxPredicted: number): number {
  const z = Math.min(predicted / maxPredicted, 1);
  return 3 * z ** 2 - 2 * z ** 3;
}

/** A moment to forecast: its time, how many steps lie since the latest full output, and how many may. */
export interface ForecastMoment {
  readonly time: number;
  readonly predicted: number;
  readonly maxPredicted: number;
}

/** The output at a moment: stable tokens stay, linear ones move on, chaotic ones fall back to the older velocity. */
export function forecastOutput(
  forecast: Forecast,
  tokens: readonly Token[],
  moment: ForecastMoment,
): Float64Array {
  const chaotic = chaoticOutput(forecast, moment);
  const result = Float64Array.from(forecast.latest.values);
  const elapsed = moment.time - forecast.latest.time;
  tokens.forEach(({ offset, length }, token) => {
    const group = forecast.groups[token];
    if (group === 'stable') return;
    for (let i = offset; i < offset + length; i++) {
      result[i] =
        group === 'chaotic' ? at(chaotic, i) : at(result, i) + elapsed * at(forecast.currentVelocity, i);
    }
  });
  return result;
}

/**
 * How fast the chaotic tokens still move: mean of curvature times the step of the chaotic predictor from `before` to
 * `moment`. `over` says whether the mean is taken over all tokens (the authors' code) or over the chaotic ones.
 */
export function chaoticError(
  forecast: Forecast,
  tokens: readonly Token[],
  before: ForecastMoment,
  moment: ForecastMoment,
  over: 'all' | 'chaotic' = 'all',
): number {
  const from = chaoticOutput(forecast, before);
  const to = chaoticOutput(forecast, moment);
  let sum = 0;
  let chaotic = 0;
  tokens.forEach(({ offset, length }, token) => {
    if (forecast.groups[token] !== 'chaotic') return;
    let moved = 0;
    for (let i = offset; i < offset + length; i++) moved += (at(to, i) - at(from, i)) ** 2;
    sum += at(forecast.curvature, token) * Math.sqrt(moved);
    chaotic++;
  });
  return sum / Math.max(1, over === 'all' ? tokens.length : chaotic);
}

/** The chaotic predictor on every token: F0 + s [(1 - w) u_current + w u_previous]. */
function chaoticOutput(forecast: Forecast, moment: ForecastMoment): Float64Array {
  const elapsed = moment.time - forecast.latest.time;
  const weight = moment.predicted === 0 ? 0 : hermiteWeight(moment.predicted, moment.maxPredicted);
  return Float64Array.from(forecast.latest.values, (value, i) => {
    const velocity =
      (1 - weight) * at(forecast.currentVelocity, i) + weight * at(forecast.previousVelocity, i);
    return value + elapsed * velocity;
  });
}

function velocityBetween(earlier: TimedOutput, later: TimedOutput): Float64Array {
  const interval = later.time - earlier.time;
  return Float64Array.from(later.values, (value, i) => (value - at(earlier.values, i)) / interval);
}
