import { InputError } from '../errors';
import { Random } from './Random';
import { sum } from '../cache/matrix';

/** An estimate with its confidence interval. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** Two-sided 95 % of the normal distribution. */
const Z_95 = 1.959963984540054;

/**
 * Success rate with its Wilson score interval (E. B. Wilson, JASA 22, 1927): right also near 0 and 1, where these
 * tables are, and never outside [0, 1]. NaN without episodes.
 */
export function successRate(successes: number, episodes: number, z = Z_95): Estimate {
  if (episodes === 0) return { value: NaN, low: NaN, high: NaN };
  const rate = successes / episodes;
  const spread = (z * z) / episodes;
  const centre = (rate + spread / 2) / (1 + spread);
  const half = (z / (1 + spread)) * Math.sqrt((rate * (1 - rate)) / episodes + spread / (4 * episodes));
  // At 0 and 1 the interval touches the rate; rounding must not take it past.
  const low = rate === 0 ? 0 : Math.max(0, centre - half);
  const high = rate === 1 ? 1 : Math.min(1, centre + half);
  return { value: rate, low, high };
}

export interface BootstrapOptions {
  /** share of resamples inside the interval */
  readonly level?: number;
  readonly resamples?: number;
  readonly seed?: number;
}

/**
 * Mean of a - b over episodes that both runs share, with its percentile bootstrap interval. Episodes are drawn, not
 * runs, so that what an episode does to both cancels. Takes successes as 0 and 1, or steps, or any other figure.
 *
 * @param a figure of each episode in one run; @param b the same episodes in the other
 */
export function pairedDifference(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  options: BootstrapOptions = {},
): Estimate {
  return pairedBootstrap(a, b, (sumA, sumB, count) => (sumA - sumB) / count, options);
}

/** Ratio of the sums of a and b over shared episodes, with its paired percentile bootstrap interval. */
export function pairedRatio(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  options: BootstrapOptions = {},
): Estimate {
  return pairedBootstrap(a, b, (sumA, sumB) => sumA / sumB, options);
}

/**
 * Exact two-sided McNemar test: how probable is a split of the episodes on which two runs disagree at least as uneven
 * as this one, if neither run were better?
 *
 * @param onlyFirst episodes in which only the first run succeeded; @param onlySecond the other way round
 */
export function mcNemar(onlyFirst: number, onlySecond: number): number {
  const n = onlyFirst + onlySecond;
  const fewer = Math.min(onlyFirst, onlySecond);
  let tail = 0;
  let logBinomial = 0;
  for (let k = 0; k <= fewer; k++) {
    if (k > 0) logBinomial += Math.log((n - k + 1) / k);
    tail += Math.exp(logBinomial - n * Math.LN2);
  }
  return Math.min(1, 2 * tail);
}

function pairedBootstrap(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  statistic: (sumA: number, sumB: number, count: number) => number,
  { level = 0.95, resamples = 10_000, seed = 1 }: BootstrapOptions,
): Estimate {
  const count = a.length;
  if (b.length !== count) {
    throw new InputError(`paired runs have ${count} and ${b.length} episodes; expected the same ones`);
  }
  if (count === 0) return { value: NaN, low: NaN, high: NaN };
  const random = new Random(seed);
  const draws = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    let [sumA, sumB] = [0, 0];
    for (let i = 0; i < count; i++) {
      const episode = random.integer(0, count);
      sumA += a[episode] ?? NaN;
      sumB += b[episode] ?? NaN;
    }
    draws[r] = statistic(sumA, sumB, count);
  }
  draws.sort();
  const [sumA, sumB] = [sum(a), sum(b)];
  const tail = (1 - level) / 2;
  return {
    value: statistic(sumA, sumB, count),
    low: draws[Math.floor(tail * (resamples - 1))] ?? NaN,
    high: draws[Math.ceil((1 - tail) * (resamples - 1))] ?? NaN,
  };
}
