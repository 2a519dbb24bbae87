import { quoted } from '../words/quoted';

/** Element types as safetensors names them; torch files are mapped to the same names. */
export type StoredDType = 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL';

export const BYTES_PER_ELEMENT: Readonly<Record<StoredDType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** Floats of eight bits and fewer, by their names in safetensors and in PyTorch. */
const SMALL_FLOAT = /^(F[468](_|$)|torch\.float[48]_)/;

/** Why an element type is not read: the rest of a sentence that begins with the tensor. */
export function unreadType(dtype: string): string {
  if (SMALL_FLOAT.test(dtype)) {
    return `is stored as ${quoted(dtype)}: fp8 and smaller weights are not read, for they are coarser than what the policy was trained with; use the bf16 checkpoint that they were made of, or multiply them by their scales in PyTorch and save them as bfloat16`;
  }
  return `has the element type ${quoted(dtype)}, expected one of ${Object.keys(BYTES_PER_ELEMENT).join(', ')}`;
}

/**
 * A tensor that lies in a file as one run of little-endian, row-major, contiguous elements.
 * `offset` counts bytes from the start of the file, so that ONNX external data can point at it.
 */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  /** Path of the file that holds the bytes. */
  readonly file: string;
  readonly offset: number;
  readonly byteLength: number;
}

/** A file of named tensors (a safetensors file, or a dictionary inside a torch zip). */
export interface TensorFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
  /** names in the file that are no part of what was looked for */
  readonly others?: readonly string[];
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((n, d) => n * d, 1);
}
