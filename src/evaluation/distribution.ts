/** Mean and percentiles of a sample, in its own unit. NaN everywhere where the sample is empty. */
export interface Distribution {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly min: number;
  readonly max: number;
}

/**
 * The p-quantile (0 ≤ p ≤ 1) of values in ascending order, interpolated linearly between the two neighbours
 * (type 7 of Hyndman and Fan, the default of NumPy and R); NaN for an empty sample.
 */
export function quantile(sorted: ArrayLike<number>, p: number): number {
  if (sorted.length === 0) return NaN;
  const position = Math.min(Math.max(p, 0), 1) * (sorted.length - 1);
  const below = Math.floor(position);
  const low = sorted[below] ?? NaN;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? NaN;
  // Not low + share·(high − low): that may leave [low, high] by rounding.
  const share = position - below;
  return share === 0 || low === high ? low : low * (1 - share) + high * share;
}

export function distributionOf(values: Iterable<number>): Distribution {
  const sorted = Float64Array.from(values).sort();
  const sum = sorted.reduce((total, value) => total + value, 0);
  return {
    count: sorted.length,
    mean: sum / sorted.length,
    p50: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    p99: quantile(sorted, 0.99),
    min: quantile(sorted, 0),
    max: quantile(sorted, 1),
  };
}

/** The same figures in another unit. */
export function scaled(distribution: Distribution, factor: number): Distribution {
  return {
    count: distribution.count,
    mean: distribution.mean * factor,
    p50: distribution.p50 * factor,
    p95: distribution.p95 * factor,
    p99: distribution.p99 * factor,
    min: distribution.min * factor,
    max: distribution.max * factor,
  };
}
