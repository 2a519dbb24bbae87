import { quantile } from './distribution';

/** Whole-stack residuals hL − h0 of one chunk by denoising step, [T, d] each. */
export type ResidualsByStep = ReadonlyMap<number, Float32Array>;

/**
 * Cosine of the residuals of two adjacent chunks at each of N steps: the likeness that re-using them rests on
 * (arXiv 2606.08962, Fig. 1). NaN where a step is missing in one of them or a residual is zero.
 */
export function residualCosines(
  previous: ResidualsByStep,
  current: ResidualsByStep,
  steps: number,
): Float64Array {
  return Float64Array.from({ length: steps }, (_, k) => {
    const a = previous.get(k);
    const b = current.get(k);
    return a && b ? cosine(a, b) : NaN;
  });
}

/** a·b / (‖a‖ ‖b‖), in float64 and within [−1, 1]; NaN if one of them is zero or their lengths differ. */
export function cosine(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return NaN;
  let dot = 0;
  let squaresA = 0;
  let squaresB = 0;
  for (let i = 0; i < a.length; i += 1) {
    const x = a[i] ?? NaN;
    const y = b[i] ?? NaN;
    dot += x * y;
    squaresA += x * x;
    squaresB += y * y;
  }
  return Math.min(1, Math.max(-1, dot / Math.sqrt(squaresA * squaresB)));
}

/** Spread of the cosine at one denoising step over all pairs of adjacent chunks. */
export interface StepCosine {
  readonly step: number;
  readonly mean: number;
  readonly p5: number;
  readonly p95: number;
  readonly pairs: number;
}

/** Summary by step of rows [N]; undefined rows (first chunks) and NaN do not count. */
export function cosineByStep(
  rows: readonly (Float64Array | undefined)[],
  steps: number,
): readonly StepCosine[] {
  return Array.from({ length: steps }, (_, step) => {
    const values = Float64Array.from(
      rows.flatMap((row) => {
        const value = row?.[step] ?? NaN;
        return Number.isNaN(value) ? [] : [value];
      }),
    ).sort();
    return {
      step,
      mean: values.reduce((sum, value) => sum + value, 0) / values.length,
      p5: quantile(values, 0.05),
      p95: quantile(values, 0.95),
      pairs: values.length,
    };
  });
}
