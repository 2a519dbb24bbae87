import type { ModelDimensions } from '../bundle/layout';
import { writeSafetensors } from '../formats/safetensors';
import { MersenneTwister } from '../sampler/MersenneTwister';

/** Chunks of the made-up episode: one that fills a cache, and two that use it. */
const CHUNKS = 3;

/**
 * Writes observations for `infer` and `calibrate` of a made-up checkpoint: `images` [3, H, W, 3] of random bytes and, where the
 * model takes it, `proprio` [3, p] uniform in [-1, 1). They cost what real ones cost, and mean nothing.
 */
export function writeSynthObservations(path: string, dims: ModelDimensions, seed: number): void {
  const random = new MersenneTwister(seed);
  const { height, width, proprioDim } = dims;
  const images = new Uint8Array(CHUNKS * height * width * 3).map(() => random.next32() >>> 24);
  const proprio = new Float32Array(CHUNKS * proprioDim).map(() => random.next32() / 2 ** 31 - 1);
  writeSafetensors(path, [
    { name: 'images', dtype: 'U8', shape: [CHUNKS, height, width, 3], data: images },
    ...(proprioDim === 0
      ? []
      : [{ name: 'proprio', dtype: 'F32' as const, shape: [CHUNKS, proprioDim], data: proprio }]),
  ]);
}
