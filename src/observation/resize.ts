import { InputError } from '../errors';
import type { RgbImage } from './types';

const CHANNELS = 3;
/** Fraction bits of a weight: 32 - 8 (pixel) - 2 (sign and headroom), so that a pass fits in an int32. */
const PRECISION_BITS = 32 - 8 - 2;
const HALF = 1 << (PRECISION_BITS - 1);

/** Which input samples make one output sample, for a whole axis. */
interface Weights {
  /** First input index of each output sample, [out]. */
  readonly first: Int32Array;
  /** Number of input samples of each output sample, [out]. */
  readonly count: Int32Array;
  /** Fixed-point weights, [out, taps]; each row is used up to `count`. */
  readonly weight: Int32Array;
  readonly taps: number;
}

/** Size pairs do not change while a policy runs; a handful of cameras needs a handful of tables. */
const MAX_CACHED_AXES = 64;
const cachedWeights = new Map<number, Weights>();
/** Above this an axis length could not share a key with its partner below 2^53. */
const MAX_LENGTH = 1 << 16;
/** Indices are int32 below. */
const MAX_BYTES = 2 ** 31 - 1;

/**
 * Weights of the antialiased triangle filter for one axis: when shrinking, the triangle is as wide as the scale,
 * so that every input pixel takes part. Definition and rounding as PIL's `Resample.c` (`precompute_coeffs`,
 * `normalize_coeffs_8bpc`).
 */
function computeWeights(inLength: number, outLength: number): Weights {
  const scale = inLength / outLength;
  const support = Math.max(scale, 1);
  const taps = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outLength);
  const count = new Int32Array(outLength);
  const weight = new Int32Array(outLength * taps);
  const exact = new Float64Array(taps);
  for (let out = 0; out < outLength; out++) {
    const center = (out + 0.5) * scale;
    const begin = Math.max(Math.trunc(center - support + 0.5), 0);
    const end = Math.min(Math.trunc(center + support + 0.5), inLength);
    const inverse = 1 / support;
    let sum = 0;
    for (let i = 0; i < end - begin; i++) {
      const w = Math.max(1 - Math.abs((begin + i - center + 0.5) * inverse), 0);
      exact[i] = w;
      sum += w;
    }
    for (let i = 0; i < end - begin; i++) {
      const w = (exact[i] ?? 0) / sum;
      weight[out * taps + i] = Math.trunc(w * (1 << PRECISION_BITS) + 0.5);
    }
    first[out] = begin;
    count[out] = end - begin;
  }
  return { first, count, weight, taps };
}

function weightsFor(inLength: number, outLength: number): Weights {
  const key = inLength * MAX_LENGTH + outLength;
  const known = cachedWeights.get(key);
  if (known !== undefined) return known;
  const weights = computeWeights(inLength, outLength);
  if (cachedWeights.size >= MAX_CACHED_AXES) cachedWeights.clear();
  cachedWeights.set(key, weights);
  return weights;
}

/* The two passes below run over every pixel of every frame. Indices are in range by construction, and `| 0`
   keeps the arithmetic in int32. The weights of a triangle are not negative and sum to 1, so a sum cannot leave
   0…255 and needs no clipping. */

function resizeRows(image: RgbImage, outWidth: number): RgbImage {
  const { first, count, weight, taps } = weightsFor(image.width, outWidth);
  const { height, data } = image;
  const out = new Uint8Array(height * outWidth * CHANNELS);
  const inStride = image.width * CHANNELS;
  let o = 0;
  for (let y = 0; y < height; y++) {
    const row = y * inStride;
    for (let x = 0; x < outWidth; x++) {
      const n = (count[x] as number) | 0;
      let w = (x * taps) | 0;
      let i = (row + (first[x] as number) * CHANNELS) | 0;
      let r = HALF;
      let g = HALF;
      let b = HALF;
      for (const last = (w + n) | 0; w < last; w++) {
        const k = weight[w] as number;
        r = (r + Math.imul(data[i] as number, k)) | 0;
        g = (g + Math.imul(data[i + 1] as number, k)) | 0;
        b = (b + Math.imul(data[i + 2] as number, k)) | 0;
        i = (i + CHANNELS) | 0;
      }
      out[o] = r >> PRECISION_BITS;
      out[o + 1] = g >> PRECISION_BITS;
      out[o + 2] = b >> PRECISION_BITS;
      o += CHANNELS;
    }
  }
  return { width: outWidth, height, data: out };
}

function resizeColumns(image: RgbImage, outHeight: number): RgbImage {
  const { first, count, weight, taps } = weightsFor(image.height, outHeight);
  const { width, data } = image;
  const stride = width * CHANNELS;
  const out = new Uint8Array(outHeight * stride);
  for (let y = 0; y < outHeight; y++) {
    const n = count[y] as number;
    const begin = (y * taps) | 0;
    const end = (begin + n) | 0;
    const top = ((first[y] as number) * stride) | 0;
    const row = (y * stride) | 0;
    for (let i = 0; i < stride; i++) {
      let sum = HALF;
      let from = (top + i) | 0;
      for (let w = begin; w < end; w++) {
        sum = (sum + Math.imul(data[from] as number, weight[w] as number)) | 0;
        from = (from + stride) | 0;
      }
      out[row + i] = sum >> PRECISION_BITS;
    }
  }
  return { width, height: outHeight, data: out };
}

function isLength(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value < MAX_LENGTH;
}

/**
 * Resizes an RGB image with the antialiased triangle filter, byte for byte as PIL's
 * `Image.resize((width, height), Image.BILINEAR)`: horizontal pass, rounding to 8 bits, vertical pass, rounding.
 * An axis that keeps its length is not filtered; an image that keeps its size is returned as it is.
 *
 * @throws InputError when a side is not in 1…65535, an image would pass 2 GiB, or the data do not have height * width * 3 bytes.
 */
export function resizeBilinear(image: RgbImage, width: number, height: number): RgbImage {
  if (!isLength(image.width) || !isLength(image.height) || !isLength(width) || !isLength(height)) {
    throw new InputError(
      `cannot resize an image of ${image.width}x${image.height} to ${width}x${height}: sides must be 1 to ${MAX_LENGTH - 1}`,
    );
  }
  const largest = Math.max(image.width, width) * Math.max(image.height, height) * CHANNELS;
  if (largest > MAX_BYTES) {
    throw new InputError(
      `cannot resize an image of ${image.width}x${image.height} to ${width}x${height}: it would take more than ${MAX_BYTES} bytes`,
    );
  }
  if (image.data.length !== image.width * image.height * CHANNELS) {
    throw new InputError(
      `an RGB image of ${image.width}x${image.height} has ${image.width * image.height * CHANNELS} bytes, not ${image.data.length}`,
    );
  }
  const narrowed = width === image.width ? image : resizeRows(image, width);
  return height === narrowed.height ? narrowed : resizeColumns(narrowed, height);
}
