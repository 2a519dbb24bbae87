import type { ChunkContext, ExpertShape } from './types';
import type { CommittedRefresh } from './refresh';
import type { StepValues } from './stepValues';

/** Whether token j of stored values stands for token j of a new chunk, or for the token that means the same moment. */
export type Alignment = 'none' | 'time';

/** The setting of the policies that reuse values of an earlier chunk. */
export const alignField = {
  shared: true,
  type: 'enum',
  values: ['none', 'time'],
  default: 'none',
  description:
    'none: token j of the stored values stands for token j; time: stored values are shifted by the control steps since the refresh, so that each token means the same moment as before, and a chunk refreshes when nothing of them is left',
  source: 'none: arXiv 2606.08962; time: this project',
} as const;

/**
 * Control steps by which a chunk is later than what is stored, from the stamps of the two observations: token j of the
 * chunk means the moment of token j + e.
 */
export function stepsSince(
  stored: CommittedRefresh,
  { time, period }: Pick<ChunkContext, 'time' | 'period'>,
): number {
  return Math.round((time - stored.time) / period);
}

/** Control steps by which stored values are to be shifted for a chunk; nothing is stored: none. */
export function shiftFor(
  align: Alignment,
  stored: CommittedRefresh | undefined,
  chunk: Pick<ChunkContext, 'time' | 'period'>,
): number {
  return align === 'time' && stored !== undefined ? stepsSince(stored, chunk) : 0;
}

/** Why values that are e control steps old cannot be shifted; empty if they can. */
export function misaligned(e: number, horizon: number): 'horizon' | 'time_jump' | '' {
  if (!(e >= 0)) return 'time_jump';
  return e >= horizon ? 'horizon' : '';
}

/**
 * Values [T, c] with token j taken from token min(j + e, T - 1): the last one stands for all that lie beyond the
 * horizon. By no step they are what they were.
 */
export function shiftedTokens(values: Float32Array, e: number, horizon: number): Float32Array {
  if (e === 0) return values;
  const width = values.length / horizon;
  const shifted = new Float32Array(values.length);
  const kept = values.subarray(Math.min(e, horizon) * width);
  shifted.set(kept);
  const last = values.subarray((horizon - 1) * width);
  for (let token = kept.length / width; token < horizon; token++) shifted.set(last, token * width);
  return shifted;
}

/** Step values with every step shifted by e tokens. */
export function shiftedValues(values: StepValues, e: number, { steps, horizon }: ExpertShape): StepValues {
  if (e === 0) return values;
  const each = (rows: Float32Array): Float32Array => {
    const size = rows.length / steps;
    const shifted = new Float32Array(rows.length);
    for (let k = 0; k < steps; k++) {
      shifted.set(shiftedTokens(rows.subarray(k * size, (k + 1) * size), e, horizon), k * size);
    }
    return shifted;
  };
  return {
    constants: each(values.constants),
    finite: values.finite,
    ...(values.residuals === undefined ? {} : { residuals: each(values.residuals) }),
  };
}
