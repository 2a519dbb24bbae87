import sharp from 'sharp';
import { decodeFrame } from '../observation/RawFrame';
import type { Observation } from '../policy/types';
import type { ActionLayout, ChunkResult, SmallPicture } from './types';
import { farthest } from './worstMoments';

/** Moments of a configuration whose pictures are kept, and shown. */
export const MOMENTS = 10;
/** A picture fits into a box of this size, pixels. */
const BOX = { width: 208, height: 156 } as const;
const QUALITY = 68;

/**
 * Keeps small pictures of what the cameras saw when a configuration was far from the uncached run: those of the
 * {@link MOMENTS} worst so far for each, so that a long recording takes no more memory than a short one.
 */
export class MomentPictures {
  readonly #layout: ActionLayout;
  /** for each configuration its worst observations so far, the worst first */
  readonly #worst: { readonly observation: number; readonly difference: number }[][] = [];
  readonly #pictures = new Map<number, readonly SmallPicture[]>();

  constructor(layout: ActionLayout) {
    this.#layout = layout;
  }

  /** By index of the observation. */
  get pictures(): ReadonlyMap<number, readonly SmallPicture[]> {
    return this.#pictures;
  }

  /**
   * Looks at what all configurations made of one observation.
   * @param results one for each configuration, the uncached one first
   */
  async see(
    index: number,
    { cameras }: Observation,
    [reference, ...results]: readonly ChunkResult[],
  ): Promise<void> {
    if (!reference || !cameras) return;
    const wanted = results.map((result, i) => this.#isAmongWorst(i, index, reference, result));
    if (!wanted.includes(true)) return;
    this.#pictures.set(
      index,
      await Promise.all([...cameras].map(async ([camera, frame]) => small(camera, await decodeFrame(frame)))),
    );
    const kept = new Set(this.#worst.flat().map(({ observation }) => observation));
    for (const observation of this.#pictures.keys())
      if (!kept.has(observation)) this.#pictures.delete(observation);
  }

  /** Whether a chunk is one of the worst of its configuration so far; it is then counted among them. */
  #isAmongWorst(run: number, observation: number, reference: ChunkResult, result: ChunkResult): boolean {
    const worst = (this.#worst[run] ??= []);
    const difference = farthest(reference, result, this.#layout)?.difference ?? 0;
    const place = worst.findIndex((one) => one.difference < difference);
    if (difference === 0 || (place < 0 && worst.length >= MOMENTS)) return false;
    worst.splice(place < 0 ? worst.length : place, 0, { observation, difference });
    worst.splice(MOMENTS);
    return true;
  }
}

/** @param image RGB, uint8 [height, width, 3] */
async function small(
  camera: string,
  { data, width, height }: { readonly data: Uint8Array; readonly width: number; readonly height: number },
): Promise<SmallPicture> {
  const shrunk = sharp(data, { raw: { width, height, channels: 3 } }).resize({
    ...BOX,
    fit: 'inside',
    // Pictures smaller than the box stay as they are; the page shows their pixels.
    withoutEnlargement: true,
  });
  const { data: jpeg, info } = await shrunk
    .jpeg({ quality: QUALITY, mozjpeg: true })
    .toBuffer({ resolveWithObject: true });
  return { camera, width: info.width, height: info.height, jpeg };
}
