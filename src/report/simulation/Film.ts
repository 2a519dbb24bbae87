import sharp from 'sharp';
import type { LoopMoment } from '../../sim/closedLoop';
import { CAMERA_SIZE, colourise, FRAME_WIDTH, renderIndices } from '../../sim/renderer';
import { CONTROL_RATE } from '../../sim/speeds';

/** Pixels of the film for one of the cameras. */
const SCALE = 3;
/** Rows below the pictures in which chunks are marked, in camera pixels. */
const BAR = 4;
const HEIGHT = CAMERA_SIZE + BAR;
/** A long episode is shown faster rather than in more pictures. */
const LARGEST_COUNT = 90;
const STEPS_BETWEEN = 3;
/** How much faster than the robot. */
const PACE = 3;
/** The last picture stays, ms. */
const PAUSE = 1200;

const FULL = [11, 79, 124] as const;
const REUSED = [160, 190, 214] as const;
const EMPTY = [255, 255, 255] as const;

/** Both cameras of an episode over time, and below them which chunks were computed in full. */
export class Film {
  readonly #pictures: { readonly pixels: Uint8Array; readonly chunks: number }[] = [];
  readonly #full: boolean[] = [];

  /** Takes part in a closed loop as its `onStep`. */
  readonly see = ({ world, step, chunk }: LoopMoment): void => {
    if (chunk) this.#full[chunk.number] = chunk.content.cost.reusedSteps === 0;
    if (step % STEPS_BETWEEN === 0) {
      this.#pictures.push({ pixels: colourise(renderIndices(world)), chunks: this.#full.length });
    }
  };

  /** The film as an animated WebP without loss, and without end. */
  async webp(): Promise<Buffer> {
    const every = Math.ceil(this.#pictures.length / LARGEST_COUNT);
    const shown = this.#pictures.filter((_, i) => i % every === 0 || i === this.#pictures.length - 1);
    const all = Buffer.concat(shown.map(({ pixels, chunks }) => this.#picture(pixels, chunks)));
    const delay = Math.round((1000 * STEPS_BETWEEN * every) / (CONTROL_RATE * PACE));
    const frames = await Promise.all(
      shown.map((_, i) =>
        sharp(all.subarray(i * 3 * FRAME_WIDTH * HEIGHT, (i + 1) * 3 * FRAME_WIDTH * HEIGHT), {
          raw: { width: FRAME_WIDTH, height: HEIGHT, channels: 3 },
        })
          .resize(FRAME_WIDTH * SCALE, HEIGHT * SCALE, { kernel: 'nearest' })
          .png()
          .toBuffer(),
      ),
    );
    return sharp(frames, { join: { animated: true } })
      .webp({
        lossless: true,
        loop: 0,
        delay: shown.map((_, i) => (i === shown.length - 1 ? PAUSE : delay)),
      })
      .toBuffer();
  }

  /** The cameras, and below them a cell for each chunk so far. */
  #picture(pixels: Uint8Array, chunks: number): Buffer {
    const picture = Buffer.alloc(3 * FRAME_WIDTH * HEIGHT, 255);
    picture.set(pixels);
    const total = Math.max(1, this.#full.length);
    for (let x = 0; x < FRAME_WIDTH; x++) {
      const chunk = Math.floor((x * total) / FRAME_WIDTH);
      const colour = chunk >= chunks ? EMPTY : this.#full[chunk] ? FULL : REUSED;
      for (let y = CAMERA_SIZE + 1; y < HEIGHT; y++) picture.set(colour, 3 * (y * FRAME_WIDTH + x));
    }
    return picture;
  }
}
