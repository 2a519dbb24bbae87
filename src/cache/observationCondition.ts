import { cosineSimilarity } from './blockGate';
import { at } from './matrix';
import type { ChunkContext } from './types';

/**
 * The condition entries of the X-Cache fingerprint for Fast-WAM, where the observation conditions the actions: they
 * veto reuse after a jump of the observation even where the block inputs still look alike. Two entries, so that a
 * small proprioception does not drown in the image.
 */
export interface ObservationCondition {
  /** normalised proprioception and a constant 1, because a cosine near the origin is unstable */
  readonly proprio: Float32Array;
  /** first-frame latent, averaged over 2 x 2 cells and flattened */
  readonly latent: Float32Array;
}

export function observationCondition(chunk: ChunkContext): ObservationCondition {
  const proprio = new Float32Array(chunk.proprio.length + 1).fill(1);
  proprio.set(chunk.proprio);
  return { proprio, latent: averagePooled(chunk.latents, chunk.latentShape) };
}

/** The smaller cosine of the two entries. */
export function conditionSimilarity(now: ObservationCondition, stored: ObservationCondition): number {
  return Math.min(cosineSimilarity(now.proprio, stored.proprio), cosineSimilarity(now.latent, stored.latent));
}

export function bytesOfCondition({ proprio, latent }: ObservationCondition): number {
  return proprio.byteLength + latent.byteLength;
}

/** Means of 2 x 2 cells of [channels, height, width]; an odd last row or column is left out, a single one is kept. */
function averagePooled(
  values: Float32Array,
  [channels, height, width]: readonly [number, number, number],
): Float32Array {
  const [tall, wide] = [Math.min(2, height), Math.min(2, width)];
  const [rows, columns] = [Math.floor(height / tall), Math.floor(width / wide)];
  return Float32Array.from({ length: channels * rows * columns }, (_, i) => {
    const column = i % columns;
    const row = Math.floor(i / columns) % rows;
    const channel = Math.floor(i / (columns * rows));
    let sum = 0;
    for (let dy = 0; dy < tall; dy++) {
      for (let dx = 0; dx < wide; dx++) {
        sum += at(values, (channel * height + tall * row + dy) * width + wide * column + dx);
      }
    }
    return sum / (tall * wide);
  });
}
