import type { RgbImage } from './types';

/** A YUV picture: rows `step` bytes apart. */
interface YuvSource {
  readonly width: number;
  readonly height: number;
  readonly step: number;
  readonly data: Uint8Array;
}

/* BT.601 with limited range (Y 16…235, U and V 16…240) in fixed point with 20 fraction bits: the constants and the
   order of rounding of OpenCV's cvtColor, so that a frame is the same here as behind cv_bridge. */
const SHIFT = 20;
const HALF = 1 << (SHIFT - 1);
const LUMA = 1220542; // 1.164
const U_TO_BLUE = 2116026; // 2.018
const U_TO_GREEN = -409993; // -0.391
const V_TO_GREEN = -852492; // -0.813
const V_TO_RED = 1673527; // 1.596

function writePixel(out: Uint8ClampedArray, at: number, luma: number, u: number, v: number): void {
  const y = Math.max(luma - 16, 0) * LUMA + HALF;
  out[at] = (y + V_TO_RED * v) >> SHIFT;
  out[at + 1] = (y + V_TO_GREEN * v + U_TO_GREEN * u) >> SHIFT;
  out[at + 2] = (y + U_TO_BLUE * u) >> SHIFT;
}

/** Two pixels in four bytes: `uyvy` = U Y0 V Y1, `yuyv` = Y0 U Y1 V. The width is even, sizes are checked. */
export function decodeYuv422(source: YuvSource, order: 'uyvy' | 'yuyv'): RgbImage {
  const { width, height, step, data } = source;
  const out = new Uint8ClampedArray(width * height * 3);
  const luma = order === 'uyvy' ? 1 : 0;
  const chroma = 1 - luma;
  for (let row = 0, o = 0; row < height; row++) {
    for (let x = 0, i = row * step; x < width; x += 2, i += 4, o += 6) {
      const u = (data[i + chroma] as number) - 128;
      const v = (data[i + chroma + 2] as number) - 128;
      writePixel(out, o, data[i + luma] as number, u, v);
      writePixel(out, o + 3, data[i + luma + 2] as number, u, v);
    }
  }
  return { width, height, data: new Uint8Array(out.buffer) };
}

/**
 * A luma plane followed by chroma of half size: `nv12` = U and V interleaved, `nv21` = V and U interleaved, `i420` =
 * the U plane, then the V plane (each row of them half a step). Sides are even, sizes are checked.
 */
export function decodeYuv420(source: YuvSource, order: 'nv12' | 'nv21' | 'i420'): RgbImage {
  const { width, height, step, data } = source;
  const out = new Uint8ClampedArray(width * height * 3);
  const chroma = step * height;
  for (let row = 0, o = 0; row < height; row++) {
    const half = row >> 1;
    for (let x = 0; x < width; x++, o += 3) {
      const pair = x >> 1;
      let uAt: number;
      let vAt: number;
      if (order === 'i420') {
        uAt = chroma + half * (step >> 1) + pair;
        vAt = uAt + (step >> 1) * (height >> 1);
      } else {
        uAt = chroma + half * step + pair * 2 + (order === 'nv12' ? 0 : 1);
        vAt = chroma + half * step + pair * 2 + (order === 'nv12' ? 1 : 0);
      }
      writePixel(
        out,
        o,
        data[row * step + x] as number,
        (data[uAt] as number) - 128,
        (data[vAt] as number) - 128,
      );
    }
  }
  return { width, height, data: new Uint8Array(out.buffer) };
}
