/** ONNX element types used here, with their number in `TensorProto.DataType`. */
export const DATA_TYPE = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
} as const;

export type DataType = keyof typeof DATA_TYPE;

/** A dimension is a number, or a name where it is only known at run time. */
export type Dimension = number | string;

/** An edge of a graph. The shape is documentation, except for graph inputs and outputs. */
export interface Value {
  readonly name: string;
  readonly type: DataType;
}

/** Element type and shape of an input or output. */
export interface TypedShape {
  readonly type: DataType;
  readonly shape: readonly Dimension[];
}

/** Inputs or outputs of a graph by name: what the graph declares and what its caller feeds or fetches. */
export type Signature<K extends string> = Readonly<Record<K, TypedShape>>;

export interface TensorAttribute {
  readonly type: DataType;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/** Where external initializer bytes lie: `location` is relative to the folder given to the session. */
export interface ExternalBytes {
  readonly location: string;
  readonly offset: number;
  readonly byteLength: number;
}
