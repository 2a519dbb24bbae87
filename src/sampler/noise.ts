import { MersenneTwister } from './MersenneTwister';
import type { Sampler } from './types';

const TWO_PI = 2 * Math.PI;

/** Below this many values PyTorch draws one by one in double precision, from it on in blocks of 16. */
const BLOCK = 16;

/**
 * `torch.randn(count, generator=torch.Generator().manual_seed(seed))` in float32 on the CPU, to rounding.
 * Source: ATen/native/cpu/DistributionTemplates.h (`normal_fill`), DistributionsHelper.h.
 */
export function randn(seed: number, count: number): Float32Array {
  const random = new MersenneTwister(seed);
  return count < BLOCK ? drawOneByOne(random, count) : drawInBlocks(random, count);
}

/**
 * Noise of a chunk: `fixed` draws the same for every chunk, `fresh` moves the seed by the number of the chunk, `episode` by
 * that of the episode.
 */
export function chunkNoise(
  { noise, seed }: Sampler,
  { chunk, episode }: { readonly chunk: number; readonly episode: number },
  count: number,
): Float32Array {
  const moved = { fixed: 0, fresh: chunk, episode };
  return randn(seed + moved[noise], count);
}

function drawInBlocks(random: MersenneTwister, count: number): Float32Array {
  const values = new Float32Array(count);
  const uniform = (): number => (random.next32() & 0xffffff) / 0x1000000;
  for (let i = 0; i < count; i++) values[i] = uniform();
  for (let start = 0; start + BLOCK <= count; start += BLOCK) {
    boxMuller(values.subarray(start, start + BLOCK));
  }
  if (count % BLOCK !== 0) {
    // The last 16 values are drawn once more, so that the rest fills a whole block.
    const last = values.subarray(count - BLOCK);
    for (let i = 0; i < BLOCK; i++) last[i] = uniform();
    boxMuller(last);
  }
  return values;
}

/** Turns 16 uniforms into 16 normals in place: cosines in the first half, sines in the second. */
function boxMuller(block: Float32Array): void {
  const half = BLOCK / 2;
  for (let j = 0; j < half; j++) {
    const radius = Math.sqrt(-2 * Math.log(1 - (block[j] ?? 0)));
    const theta = TWO_PI * (block[j + half] ?? 0);
    block[j] = radius * Math.cos(theta);
    block[j + half] = radius * Math.sin(theta);
  }
}

function drawOneByOne(random: MersenneTwister, count: number): Float32Array {
  const values = new Float32Array(count);
  const uniform = (): number => {
    const high = random.next32() & 0x1fffff; // 53 bits of (high << 32 | low)
    return (high * 0x1_0000_0000 + random.next32()) / 2 ** 53;
  };
  for (let i = 0; i < count; i += 2) {
    const u1 = uniform();
    const u2 = uniform();
    const radius = Math.sqrt(-2 * Math.log1p(-u2));
    values[i] = radius * Math.cos(TWO_PI * u1);
    if (i + 1 < count) values[i + 1] = radius * Math.sin(TWO_PI * u1);
  }
  return values;
}
