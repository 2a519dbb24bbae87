import { InputError } from '../errors';
import { quoted } from '../words/quoted';

type Element = (view: DataView, at: number, little: boolean) => number;

/** How the elements of numpy's number types are read, by kind and bytes. */
const ELEMENTS: Readonly<Record<string, Element>> = {
  b1: (view, at) => view.getUint8(at),
  u1: (view, at) => view.getUint8(at),
  i1: (view, at) => view.getInt8(at),
  u2: (view, at, little) => view.getUint16(at, little),
  i2: (view, at, little) => view.getInt16(at, little),
  u4: (view, at, little) => view.getUint32(at, little),
  i4: (view, at, little) => view.getInt32(at, little),
  u8: (view, at, little) => Number(view.getBigUint64(at, little)),
  i8: (view, at, little) => Number(view.getBigInt64(at, little)),
  f4: (view, at, little) => view.getFloat32(at, little),
  f8: (view, at, little) => view.getFloat64(at, little),
};

/** More axes than any observation has. */
const MOST_AXES = 8;

/** An array as numpy holds it: elements row by row, in the byte order that `dtype` names (`<f4`, `|u1`). */
export class NdArray {
  /**
   * @param shape length of each axis
   * @throws InputError where the bytes are not as many as type and shape say, or the type is not one of numbers
   */
  constructor(
    readonly dtype: string,
    readonly shape: readonly number[],
    readonly data: Uint8Array,
  ) {
    const whole = shape.every((length) => Number.isSafeInteger(length) && length >= 0);
    if (!whole || shape.length > MOST_AXES) {
      throw new InputError(
        `array: shape ${shapeText(shape)}: expected at most ${MOST_AXES} whole numbers from 0`,
      );
    }
    const bytes = shape.reduce((product, length) => product * length, bytesOf(dtype));
    if (bytes !== data.length) {
      throw new InputError(
        `array: ${dtype} of shape ${shapeText(shape)} takes ${bytes} bytes, the message has ${data.length}`,
      );
    }
  }

  /** @param values float32, row-major */
  static ofFloats(shape: readonly number[], values: Float32Array): NdArray {
    return new NdArray('<f4', shape, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }

  /** @param values uint8, row-major */
  static ofBytes(shape: readonly number[], values: Uint8Array): NdArray {
    return new NdArray('|u1', shape, values);
  }

  get size(): number {
    return this.shape.reduce((product, length) => product * length, 1);
  }

  /** All elements, row-major; integers beyond 2^53 are rounded. */
  numbers(): Float64Array {
    const { dtype, data } = this;
    const read = elementOf(dtype);
    const width = bytesOf(dtype);
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const little = !dtype.startsWith('>');
    return Float64Array.from({ length: this.size }, (_, i) => read(view, i * width, little));
  }

  /** `uint8 [64, 64, 3]`-like, for sentences. */
  get description(): string {
    return `${this.dtype} ${shapeText(this.shape)}`;
  }
}

function elementOf(dtype: string): Element {
  const read = /^[<>|=]/.test(dtype) ? ELEMENTS[dtype.slice(1)] : undefined;
  if (read) return read;
  throw new InputError(
    `array: type ${quoted(dtype, 20)} is none of numbers; known are ${Object.keys(ELEMENTS).join(', ')} after <, > or |`,
  );
}

function bytesOf(dtype: string): number {
  elementOf(dtype);
  return Number(dtype.slice(2));
}

function shapeText(shape: readonly number[]): string {
  return `[${shape.slice(0, MOST_AXES + 1).join(', ')}]`;
}
