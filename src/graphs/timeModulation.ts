import { FastWamError } from '../errors';
import type { Weights } from './Weights';

/** Modulations of one block, in this order: shift, 1 + scale and gate of self-attention, then of the FFN. */
export const MODULATIONS = 6;

/** y = x W^T + b in float64; weight [out, in]. */
function linear(weights: Weights, name: string, x: Float64Array): Float64Array {
  const weight = weights.float32(`${name}.weight`);
  const bias = weights.float32(`${name}.bias`);
  const inputs = x.length;
  return Float64Array.from(bias, (b, row) => {
    let sum = b;
    const start = row * inputs;
    for (let i = 0; i < inputs; i++) sum += (x[i] ?? 0) * (weight[start + i] ?? 0);
    return sum;
  });
}

const silu = (x: number): number => x / (1 + Math.exp(-x));

/**
 * Sinusoidal embedding of a timestep: cosines, then sines, base 10000; [freqDim].
 * Source: `sinusoidal_embedding_1d` of `wan_video_dit.py`; the angle is taken in double precision there too, and
 * the result rounded to the timestep's float32.
 */
export function sinusoidalEmbedding(freqDim: number, timestep: number): Float64Array {
  const half = Math.floor(freqDim / 2);
  const out = new Float64Array(2 * half);
  for (let i = 0; i < half; i++) {
    const angle = Math.fround(timestep) * 10000 ** (-i / half);
    out[i] = Math.fround(Math.cos(angle));
    out[half + i] = Math.fround(Math.sin(angle));
  }
  return out;
}

/**
 * Modulation of every block at every timestep: `modulation + time_projection(time_embedding(t))`, with 1 added to
 * the scales, so that a graph needs no arithmetic on it. It depends on weights and schedule alone.
 * @param expert `mixtures.video` or `mixtures.action`
 * @returns float32 [timesteps, layers, 6, hidden]
 */
export function timeModulations(
  weights: Weights,
  expert: string,
  timesteps: readonly number[],
  layers: number,
  freqDim: number,
): Float32Array {
  const blocks = Array.from({ length: layers }, (_, l) =>
    weights.float32(`${expert}.blocks.${l}.modulation`),
  );
  const width = blocks[0]?.length;
  if (!width) throw new FastWamError(`${expert} has no blocks`);
  const hidden = width / MODULATIONS;
  const out = new Float32Array(timesteps.length * layers * width);
  timesteps.forEach((timestep, step) => {
    const first = linear(weights, `${expert}.time_embedding.0`, sinusoidalEmbedding(freqDim, timestep));
    const t = linear(weights, `${expert}.time_embedding.2`, first.map(silu));
    const projected = linear(weights, `${expert}.time_projection.1`, t.map(silu));
    blocks.forEach((modulation, l) => {
      const start = (step * layers + l) * width;
      for (let i = 0; i < width; i++) {
        const kind = Math.floor(i / hidden);
        const one = kind === 1 || kind === 4 ? 1 : 0; // the scales
        out[start + i] = one + (modulation[i] ?? 0) + (projected[i] ?? 0);
      }
    });
  });
  return out;
}
