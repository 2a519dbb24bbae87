import { InputError } from '../errors';
import type { ImageSize } from './types';

const CHANNELS = 3;
const { fround } = Math;

/** An image in floating point: RGB, row-major [height, width, 3]. */
export interface FloatImage extends ImageSize {
  /** length height * width * 3 */
  readonly data: Float32Array;
}

/** Which input samples make one output sample: a run of them and their weights, float32, which sum to 1. */
interface Taps {
  readonly first: number;
  readonly weights: Float32Array;
}

/**
 * Weights of the antialiased triangle filter for one axis, in float32 as PyTorch computes them
 * (`_compute_indices_min_size_weights_aa` in ATen/native/cpu/UpSampleKernel.cpp).
 */
function computeTaps(inLength: number, outLength: number): readonly Taps[] {
  const scale = fround(inLength / outLength);
  const support = Math.max(scale, 1);
  const inverse = scale > 1 ? fround(1 / scale) : 1;
  return Array.from({ length: outLength }, (_, out) => {
    const center = fround(scale * (out + 0.5));
    const first = Math.max(Math.trunc(fround(center - support) + 0.5), 0);
    const end = Math.min(Math.trunc(fround(center + support) + 0.5), inLength);
    const weights = new Float32Array(end - first);
    let sum = 0;
    for (let j = 0; j < weights.length; j++) {
      const distance = Math.abs(fround((fround(first + j - center) + 0.5) * inverse));
      const weight = distance < 1 ? fround(1 - distance) : 0;
      weights[j] = weight;
      sum = fround(sum + weight);
    }
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

/** Size pairs do not change while a policy runs; a handful of cameras needs a handful of tables. */
const MAX_CACHED_AXES = 64;
const cachedTaps = new Map<string, readonly Taps[]>();

function tapsFor(inLength: number, outLength: number): readonly Taps[] {
  const key = `${inLength} ${outLength}`;
  const known = cachedTaps.get(key);
  if (known !== undefined) return known;
  const taps = computeTaps(inLength, outLength);
  if (cachedTaps.size >= MAX_CACHED_AXES) cachedTaps.clear();
  cachedTaps.set(key, taps);
  return taps;
}

/**
 * Weighted sum of `count` samples that lie `stride` apart, rounded as PyTorch's compiled loop rounds: after the first
 * product the others are taken four at a time, multiplied and then added; what is left over is added with one rounding
 * (fused multiply-add; in double precision the product of two float32 is exact).
 */
function weightedSum(data: Float32Array, from: number, stride: number, weights: Float32Array): number {
  const count = weights.length;
  const inFours = 1 + 4 * Math.floor((count - 1) / 4);
  let at = from;
  let sum = fround((data[at] as number) * (weights[0] as number));
  for (let j = 1; j < inFours; j++) {
    at += stride;
    sum = fround(sum + fround((data[at] as number) * (weights[j] as number)));
  }
  for (let j = inFours; j < count; j++) {
    at += stride;
    sum = fround((data[at] as number) * (weights[j] as number) + sum);
  }
  return sum;
}

function resizeRows(image: FloatImage, width: number): FloatImage {
  const taps = tapsFor(image.width, width);
  const data = new Float32Array(image.height * width * CHANNELS);
  let o = 0;
  for (let y = 0; y < image.height; y++) {
    const row = y * image.width;
    for (const { first, weights } of taps) {
      const from = (row + first) * CHANNELS;
      for (let c = 0; c < CHANNELS; c++) data[o++] = weightedSum(image.data, from + c, CHANNELS, weights);
    }
  }
  return { width, height: image.height, data };
}

function resizeColumns(image: FloatImage, height: number): FloatImage {
  const stride = image.width * CHANNELS;
  const data = new Float32Array(height * stride);
  let o = 0;
  for (const { first, weights } of tapsFor(image.height, height)) {
    const from = first * stride;
    for (let i = 0; i < stride; i++) data[o++] = weightedSum(image.data, from + i, stride, weights);
  }
  return { width: image.width, height, data };
}

const LONGEST_SIDE = 2 ** 16;

/**
 * Resizes as `torch.nn.functional.interpolate(mode="bilinear", align_corners=False, antialias=True)` on a CPU, bit for
 * bit: rows, then columns, in float32, without rounding to 8 bits and without a clamp. An image of that size is
 * returned as it is.
 * @throws InputError for a side outside 1…65535
 */
export function resizeAntialiased(image: FloatImage, { width, height }: ImageSize): FloatImage {
  const sides = [image.width, image.height, width, height];
  if (!sides.every((side) => Number.isInteger(side) && side >= 1 && side < LONGEST_SIDE)) {
    throw new InputError(
      `cannot resize an image of ${image.width}x${image.height} to ${width}x${height}: sides must be 1 to ${LONGEST_SIDE - 1}`,
    );
  }
  if (image.width === width && image.height === height) return image;
  return resizeColumns(resizeRows(image, width), height);
}
