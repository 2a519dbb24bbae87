import type { FloatType } from '../formats/halfPrecision';

/** fixed: the same for every chunk; fresh: seed + number of the chunk; episode: seed + number of the episode */
export const NOISE_MODES = ['fixed', 'fresh', 'episode'] as const;
export type NoiseMode = (typeof NOISE_MODES)[number];

/** Where the starting noise of a chunk comes from. */
export interface Sampler {
  readonly noise: NoiseMode;
  readonly seed: number;
}

/** The denoising schedule of one bundle: `sigma` [N+1] falls from 1 to 0, `delta[k] = sigma[k+1] - sigma[k] < 0`. */
export interface Schedule {
  readonly steps: number;
  readonly shift: number;
  /** type in which timesteps and step sizes are rounded, as a model that runs in it rounds them */
  readonly dtype: FloatType;
  /** [N+1] */
  readonly sigma: Float64Array;
  /** [N], 1000 * sigma[k], rounded to `dtype` */
  readonly timesteps: Float64Array;
  /** [N], rounded to `dtype` */
  readonly delta: Float64Array;
}
