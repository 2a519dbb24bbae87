import { createHash } from 'node:crypto';
import type { RgbImage } from './types';

/** How long a camera may repeat a picture where nothing else is said, seconds. */
const AUTOMATIC = 2;
/** How far an element of the proprioception moves when the robot has moved, in its own unit (rad, m). */
const MOVED = 0.01;

/** A camera whose picture has been the same, pixel for pixel, for too long. */
export interface StillPicture {
  readonly camera: string;
  /** for how long, by the observations' stamps */
  readonly seconds: number;
  /** whether it may no longer be acted on */
  readonly refused: boolean;
  /** one line for a person */
  readonly message: string;
}

interface Seen {
  readonly hash: string;
  /** stamp of the first observation with this picture, seconds, and where the robot was */
  readonly since: number;
  readonly proprio: readonly number[];
  /** whether the camera has shown another picture before */
  readonly changed: boolean;
}

/**
 * Notices a camera that repeats its last picture with new stamps, as drivers do whose sensor has stopped. A real sensor's
 * noise makes every picture another one; a rendered or still one may stay the same for good reason, and so by itself
 * (`maxFrozen` below 0) only that is refused which was seen to change before and has not while the robot moved.
 */
export class PictureWatch {
  readonly #seen = new Map<string, Seen>();

  /**
   * Takes what a camera shows at a time.
   * @param stamp of the observation, seconds
   * @param proprio the robot's, physical units
   * @param maxFrozen seconds; 0 = never too long, below 0 = automatic
   * @returns undefined for a picture there is nothing to say about
   */
  see(
    camera: string,
    picture: RgbImage,
    stamp: number,
    proprio: ArrayLike<number>,
    maxFrozen: number,
  ): StillPicture | undefined {
    const hash = createHash('sha1')
      .update(`${picture.width}x${picture.height}`)
      .update(picture.data)
      .digest('hex');
    const seen = this.#seen.get(camera);
    if (seen?.hash !== hash || stamp < seen.since) {
      const changed = seen !== undefined && (seen.changed || seen.hash !== hash);
      this.#seen.set(camera, { hash, since: stamp, proprio: Array.from(proprio), changed });
      return undefined;
    }
    const seconds = stamp - seen.since;
    if (maxFrozen === 0) return undefined;
    return maxFrozen > 0
      ? stillFor(camera, seconds, maxFrozen / 2, seconds >= maxFrozen)
      : seen.changed
        ? stillFor(camera, seconds, AUTOMATIC, seconds >= AUTOMATIC && hasMoved(seen.proprio, proprio))
        : undefined;
  }
}

function stillFor(
  camera: string,
  seconds: number,
  noticed: number,
  refused: boolean,
): StillPicture | undefined {
  if (seconds < noticed) return undefined;
  const so = refused
    ? 'no chunk is made from it: is its driver alive?'
    : 'is its driver alive, or does nothing move?';
  const message = `${camera} has repeated the same picture with new stamps for ${seconds.toFixed(1)} s; ${so} (observation.max_frozen)`;
  return { camera, seconds, refused, message };
}

/** Whether the robot has moved; one that tells nothing of itself may have. */
function hasMoved(before: readonly number[], now: ArrayLike<number>): boolean {
  return before.length === 0 || before.some((value, i) => Math.abs(value - (now[i] ?? value)) > MOVED);
}
