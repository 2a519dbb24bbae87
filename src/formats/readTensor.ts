import { FileFormatError } from '../errors';
import { quoted } from '../words/quoted';
import { BYTES_PER_ELEMENT, elementCount } from './StoredTensor';
import type { StoredTensor } from './StoredTensor';
import { bfloat16ToFloats, halfToFloats } from './halfPrecision';
import { RangedFile } from './RangedFile';

/**
 * `length` raw bytes of a tensor from its byte `from`; by default all of it. Freshly allocated. Throws
 * FileFormatError where the range lies outside the tensor or the file became shorter.
 */
export function readBytes(tensor: StoredTensor, from = 0, length = tensor.byteLength - from): Uint8Array {
  const bytes = new Uint8Array(checkedLength(tensor, from, length));
  readInto(tensor, bytes, from);
  return bytes;
}

/**
 * All elements of a floating-point tensor as float32, row-major: F32 bit by bit, F16 and BF16 exactly, F64 rounded
 * to nearest. Throws FileFormatError for other element types.
 */
export function readFloat32(tensor: StoredTensor): Float32Array {
  const count = checkedCount(tensor);
  switch (tensor.dtype) {
    case 'F32': {
      const values = new Float32Array(count);
      readInto(tensor, values);
      return values;
    }
    case 'F16':
    case 'BF16': {
      const patterns = new Uint16Array(count);
      readInto(tensor, patterns);
      return tensor.dtype === 'F16' ? halfToFloats(patterns) : bfloat16ToFloats(patterns);
    }
    case 'F64': {
      const values = new Float64Array(count);
      readInto(tensor, values);
      return Float32Array.from(values);
    }
    default:
      return refuse(tensor, 'F32, F16, BF16 or F64');
  }
}

/** All elements of any tensor as float64, row-major; 64-bit integers beyond 2^53 are rounded. */
export function readFloat64(tensor: StoredTensor): Float64Array {
  const count = checkedCount(tensor);
  const read = <A extends ArrayBufferView>(values: A): A => {
    readInto(tensor, values);
    return values;
  };
  switch (tensor.dtype) {
    case 'F64':
      return read(new Float64Array(count));
    case 'F32':
    case 'F16':
    case 'BF16':
      return Float64Array.from(readFloat32(tensor));
    case 'I64':
      return Float64Array.from(read(new BigInt64Array(count)), Number);
    case 'I32':
      return Float64Array.from(read(new Int32Array(count)));
    case 'I16':
      return Float64Array.from(read(new Int16Array(count)));
    case 'I8':
      return Float64Array.from(read(new Int8Array(count)));
    case 'U8':
    case 'BOOL':
      return Float64Array.from(read(new Uint8Array(count)));
  }
}

/** All elements of a BOOL (or U8) tensor, row-major, 0 or 1 each. */
export function readBool(tensor: StoredTensor): Uint8Array {
  if (tensor.dtype !== 'BOOL' && tensor.dtype !== 'U8') return refuse(tensor, 'BOOL');
  const values = new Uint8Array(checkedCount(tensor));
  readInto(tensor, values);
  return values.map((v) => (v === 0 ? 0 : 1));
}

function readInto(tensor: StoredTensor, target: ArrayBufferView, from = 0): void {
  RangedFile.reading(tensor.file, (file) => {
    const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
    file.readInto(bytes, tensor.offset + from, `tensor ${quoted(tensor.name)}`);
  });
}

function checkedCount(tensor: StoredTensor): number {
  const count = elementCount(tensor.shape);
  const needed = count * BYTES_PER_ELEMENT[tensor.dtype];
  if (needed !== tensor.byteLength) {
    throw new FileFormatError(
      tensor.file,
      `tensor ${quoted(tensor.name)} has ${tensor.byteLength} bytes, but ${tensor.dtype} [${tensor.shape.join(', ')}] needs ${needed}`,
    );
  }
  return count;
}

function checkedLength(tensor: StoredTensor, from: number, length: number): number {
  const sane = Number.isSafeInteger(from) && Number.isSafeInteger(length) && from >= 0 && length >= 0;
  if (!sane || from + length > tensor.byteLength) {
    throw new FileFormatError(
      tensor.file,
      `tensor ${quoted(tensor.name)} has ${tensor.byteLength} bytes; ${length} from byte ${from} were asked for`,
    );
  }
  return length;
}

function refuse(tensor: StoredTensor, expected: string): never {
  throw new FileFormatError(
    tensor.file,
    `tensor ${quoted(tensor.name)} has the element type ${tensor.dtype}, expected ${expected}`,
  );
}
