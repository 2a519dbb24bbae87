/**
 * Numbers as rclnodejs can publish them. It sends a typed array from the start of its buffer, whatever part of it
 * the array shows, and reads the bytes as the field's type, whatever the array's is: both put wrong numbers on the
 * wire without a word. A fresh array of exactly the right class cannot go wrong.
 */
export const toWire = {
  /** for float32[] */
  float32: (values: ArrayLike<number>): Float32Array => Float32Array.from(values),
  /** for float64[] */
  float64: (values: ArrayLike<number>): Float64Array => Float64Array.from(values),
  /** for uint8[] and byte[] */
  bytes: (values: ArrayLike<number>): Uint8Array => Uint8Array.from(values),
  /** for int64 and uint64 fields, which take nothing else */
  int64: (value: number): bigint => BigInt(Math.trunc(value)),
} as const;
