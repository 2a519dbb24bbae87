import { InputError } from '../errors';
import { roundTo } from '../formats/halfPrecision';
import type { FloatType } from '../formats/halfPrecision';
import { composeImage, rotate180 } from './compose';
import { resizeAntialiased } from './resizeAntialiased';
import type { FloatImage } from './resizeAntialiased';
import type { CameraPlacement, ImageSize, RgbImage } from './types';

const CHANNELS = 3;
const { fround } = Math;

/** How a LeRobot policy takes its cameras. Source: `_stack_video_from_images` in LeRobot's `modeling_fastwam.py`. */
export interface StackedImage {
  /** the policy's `torch_dtype`, in which the VAE's input is rounded */
  readonly dtype: FloatType;
  /**
   * `before`: [0, 1] is rounded, then mapped to [-1, 1] in that type (two roundings). `after`: mapped in float32, then
   * rounded, as the first checkpoints' processors did; those also clamp to [0, 1] after the resize.
   */
  readonly rounding: 'before' | 'after';
  /** Size of the picture, where the one that the policy knows is composed of several cameras. */
  readonly mosaic?: ImageSize | undefined;
}

/** 0…255 as [0, 1]. */
const UNIT = Float32Array.from({ length: 256 }, (_, level) => level / 255);

/** uint8 as [0, 1] in float32. */
export function unitImage({ width, height, data }: RgbImage): FloatImage {
  return { width, height, data: Float32Array.from(data, (level) => UNIT[level] ?? 0) };
}

/**
 * Stretches every frame to its camera's box, side by side in the cameras' order; where the boxes do not fill the
 * canvas (three cameras in a width that does not divide) the whole is stretched once more.
 * @param cameras in the policy's order, which is that of their names
 * @returns [canvas.height, canvas.width, 3] in [0, 1]
 * @throws InputError when a camera has no frame or a frame's data do not have the size it states
 */
export function stackCameras(
  cameras: readonly CameraPlacement[],
  canvas: ImageSize,
  frames: ReadonlyMap<string, RgbImage>,
  settings: Pick<StackedImage, 'rounding' | 'mosaic'>,
): FloatImage {
  if (settings.mosaic) {
    const { width, height } = settings.mosaic;
    const data = composeImage(cameras, settings.mosaic, frames);
    return clamped(resizeAntialiased(unitImage({ width, height, data }), canvas), settings);
  }
  const parts = cameras.map((camera) => {
    const frame = frames.get(camera.name);
    if (frame === undefined) {
      const given = frames.size === 0 ? 'none' : [...frames.keys()].join(', ');
      throw new InputError(`camera ${camera.name} has no frame; frames were given for: ${given}`);
    }
    const needed = frame.width * frame.height * CHANNELS;
    if (frame.data.length !== needed) {
      throw new InputError(
        `camera ${camera.name}: a frame of ${frame.width}x${frame.height} needs ${needed} bytes of RGB, got ${frame.data.length}`,
      );
    }
    return clamped(
      resizeAntialiased(unitImage(camera.rotate180 ? rotate180(frame) : frame), camera),
      settings,
    );
  });
  return resizeAntialiased(sideBySide(parts), canvas);
}

function sideBySide(parts: readonly FloatImage[]): FloatImage {
  const [first] = parts;
  if (first === undefined) throw new InputError('the policy has no camera');
  if (parts.length === 1) return first;
  const width = parts.reduce((sum, part) => sum + part.width, 0);
  const { height } = first;
  const data = new Float32Array(width * height * CHANNELS);
  let left = 0;
  for (const part of parts) {
    const row = part.width * CHANNELS;
    for (let y = 0; y < height; y++) {
      data.set(part.data.subarray(y * row, (y + 1) * row), (y * width + left) * CHANNELS);
    }
    left += part.width;
  }
  return { width, height, data };
}

/** The filter's weights do not sum to 1 exactly; the processors that map before rounding cut what is beyond. */
function clamped(image: FloatImage, { rounding }: Pick<StackedImage, 'rounding'>): FloatImage {
  if (rounding === 'before') return image;
  return { ...image, data: image.data.map((x) => Math.min(Math.max(x, 0), 1)) };
}

/** [0, 1] to the VAE's [-1, 1], [height, width, 3], rounded as the policy's type rounds. */
export function vaeInput(image: FloatImage, { dtype, rounding }: StackedImage): Float32Array {
  if (rounding === 'after') return image.data.map((x) => roundTo(dtype, fround(fround(x * 2) - 1)));
  return image.data.map((x) => roundTo(dtype, roundTo(dtype, roundTo(dtype, x) * 2) - 1));
}
