import { InputError } from '../errors';
import { resizeBilinear } from './resize';
import type { CameraPlacement, ImageSize, RgbImage } from './types';

const CHANNELS = 3;

/** The frame turned by 180°: pixel order reversed, channels kept. */
export function rotate180(image: RgbImage): RgbImage {
  const { data } = image;
  const out = new Uint8Array(data.length);
  for (let from = 0, to = data.length - CHANNELS; to >= 0; from += CHANNELS, to -= CHANNELS) {
    out[to] = data[from] as number;
    out[to + 1] = data[from + 1] as number;
    out[to + 2] = data[from + 2] as number;
  }
  return { width: image.width, height: image.height, data: out };
}

/** Python's `round`, which the original uses for the covering size: halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const fraction = value - below;
  if (fraction !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

/**
 * The size that covers a box with the aspect of the frame kept, as the original's `_center_crop_resize`
 * (experiments/libero/eval_libero_single.py).
 */
export function coverSize(frame: ImageSize, box: ImageSize): ImageSize {
  const scale = Math.max(box.width / frame.width, box.height / frame.height);
  return { width: roundHalfEven(frame.width * scale), height: roundHalfEven(frame.height * scale) };
}

function describe({ width, height }: ImageSize): string {
  return `${width}x${height}`;
}

/**
 * Checks that every camera's box has a size and lies inside the canvas, and that no name occurs twice.
 * @throws InputError naming the camera.
 */
export function checkPlacements(placements: readonly CameraPlacement[], canvas: ImageSize): void {
  const seen = new Set<string>();
  for (const p of placements) {
    if (seen.has(p.name)) throw new InputError(`camera ${p.name} is placed twice in the composed image`);
    seen.add(p.name);
    const whole = [p.x, p.y, p.width, p.height].every(Number.isInteger);
    if (!whole || p.x < 0 || p.y < 0 || p.width < 1 || p.height < 1) {
      throw new InputError(
        `camera ${p.name}: the box x=${p.x} y=${p.y} ${describe(p)} must be whole pixels with a size of at least 1x1`,
      );
    }
    if (p.x + p.width > canvas.width || p.y + p.height > canvas.height) {
      throw new InputError(
        `camera ${p.name}: the box x=${p.x} y=${p.y} ${describe(p)} reaches outside the composed image of ${describe(canvas)}`,
      );
    }
  }
}

/** The frame scaled for its box; with `cover` one side may be longer than the box's. */
function scaleForBox(placement: CameraPlacement, frame: RgbImage): RgbImage {
  const upright = placement.rotate180 ? rotate180(frame) : frame;
  const target = placement.fit === 'cover' ? coverSize(upright, placement) : placement;
  return resizeBilinear(upright, target.width, target.height);
}

/**
 * Puts the frames of all cameras into one image, as in the original's evaluation: each frame is turned if its
 * camera asks for it, resized with PIL's BILINEAR, cut to its box around the centre and written at its place.
 * What no box covers stays black.
 *
 * @param frames the newest frame of each camera by name; further cameras are ignored
 * @returns RGB uint8 [canvas.height, canvas.width, 3]
 * @throws InputError when a camera has no frame, a frame's data do not have the size it states, or a box does not fit.
 */
export function composeImage(
  placements: readonly CameraPlacement[],
  canvas: ImageSize,
  frames: ReadonlyMap<string, RgbImage>,
): Uint8Array {
  checkPlacements(placements, canvas);
  const out = new Uint8Array(canvas.width * canvas.height * CHANNELS);
  for (const placement of placements) {
    const frame = frames.get(placement.name);
    if (frame === undefined) {
      const given = frames.size === 0 ? 'none' : [...frames.keys()].join(', ');
      throw new InputError(`camera ${placement.name} has no frame; frames were given for: ${given}`);
    }
    if (frame.data.length !== frame.width * frame.height * CHANNELS) {
      throw new InputError(
        `camera ${placement.name}: a frame of ${describe(frame)} needs ${frame.width * frame.height * CHANNELS} bytes of RGB, got ${frame.data.length}`,
      );
    }
    const scaled = scaleForBox(placement, frame);
    const left = Math.max(Math.floor((scaled.width - placement.width) / 2), 0);
    const top = Math.max(Math.floor((scaled.height - placement.height) / 2), 0);
    const rowBytes = placement.width * CHANNELS;
    for (let y = 0; y < placement.height; y++) {
      const from = ((top + y) * scaled.width + left) * CHANNELS;
      const to = ((placement.y + y) * canvas.width + placement.x) * CHANNELS;
      out.set(scaled.data.subarray(from, from + rowBytes), to);
    }
  }
  return out;
}
