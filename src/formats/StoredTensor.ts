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
