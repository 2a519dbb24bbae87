/*
 * IEEE 754 binary16 ("half") and bfloat16, as bit patterns in unsigned 16-bit integers. All conversions to 16 bits
 * round to the nearest value, ties to even, as PyTorch and the hardware do; all conversions from them are exact.
 */

const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/** Types that a policy computes in. */
export const FLOAT_TYPES = ['float32', 'bfloat16', 'float16'] as const;
export type FloatType = (typeof FLOAT_TYPES)[number];

/** The value of a type nearest to `value`. */
export function roundTo(type: FloatType, value: number): number {
  switch (type) {
    case 'float32':
      return Math.fround(value);
    case 'bfloat16':
      return bfloat16ToFloat(floatToBfloat16(value));
    case 'float16':
      return halfToFloat(floatToHalf(value));
  }
}

/** bfloat16 is the upper half of a binary32. */
export function bfloat16ToFloat(pattern: number): number {
  bits[0] = pattern << 16;
  return single[0] ?? NaN;
}

/** Pattern of the bfloat16 nearest to `value` (which is rounded to binary32 first). */
export function floatToBfloat16(value: number): number {
  single[0] = value;
  return roundToBfloat16(bits[0] ?? 0);
}

/** Value of a binary16 pattern. */
export function halfToFloat(pattern: number): number {
  bits[0] = expandHalf(pattern);
  return single[0] ?? NaN;
}

/** Pattern of the binary16 nearest to `value` (which is rounded to binary32 first); overflow gives infinity. */
export function floatToHalf(value: number): number {
  single[0] = value;
  return roundToHalf(bits[0] ?? 0);
}

/** Converts patterns [n] to float32 [n]; NaN payloads are kept. */
export function bfloat16ToFloats(patterns: Uint16Array): Float32Array {
  const out = new Uint32Array(patterns.length);
  for (let i = 0; i < patterns.length; i++) out[i] = (patterns[i] ?? 0) << 16;
  return new Float32Array(out.buffer);
}

/** Converts patterns [n] to float32 [n]; NaN payloads are kept. */
export function halfToFloats(patterns: Uint16Array): Float32Array {
  const out = new Uint32Array(patterns.length);
  for (let i = 0; i < patterns.length; i++) out[i] = expandHalf(patterns[i] ?? 0);
  return new Float32Array(out.buffer);
}

/** Rounds float32 [n] to bfloat16 patterns [n]. */
export function floatsToBfloat16(values: Float32Array): Uint16Array {
  const source = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = roundToBfloat16(source[i] ?? 0);
  return out;
}

/** Rounds float32 [n] to binary16 patterns [n]. */
export function floatsToHalf(values: Float32Array): Uint16Array {
  const source = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = roundToHalf(source[i] ?? 0);
  return out;
}

function roundToBfloat16(f: number): number {
  // A NaN whose payload lies in the lower half must not become infinity: set the quiet bit.
  if ((f & 0x7fffffff) > 0x7f800000) return (f >>> 16) | 0x40;
  return ((f + 0x7fff + ((f >>> 16) & 1)) >>> 16) & 0xffff;
}

function roundToHalf(f: number): number {
  const sign = (f >>> 16) & 0x8000;
  const magnitude = f & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x1ff);
  // From 65520 on, the nearest binary16 would be 65536, which it cannot hold.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    const rebased = magnitude - (112 << 23);
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  // Subnormal: multiples of 2^-24. At or below half of the least one, the nearest (even) is zero.
  if (magnitude <= 0x33000000) return sign;
  const shift = 126 - (magnitude >>> 23);
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const kept = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0));
}

/** Bits of the binary32 that equals a binary16. */
function expandHalf(h: number): number {
  const sign = (h & 0x8000) << 16;
  const exponent = (h >>> 10) & 0x1f;
  const mantissa = h & 0x3ff;
  if (exponent === 31) return sign | 0x7f800000 | (mantissa << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (mantissa << 13);
  if (mantissa === 0) return sign;
  // Subnormal mantissa * 2^-24: shift its highest bit (number `top`) to the implicit place.
  const top = 31 - Math.clz32(mantissa);
  return sign | ((top + 103) << 23) | ((mantissa << (23 - top)) & 0x7fffff);
}
