import { FileFormatError } from '../errors';

/** A field of a protobuf message: a number for varints, the bytes for everything else. */
export interface WireField {
  readonly number: number;
  readonly value: bigint | Uint8Array;
}

/**
 * Reads the fields of a protobuf message in their order (protobuf.dev, "Encoding"). Groups are refused.
 * @param path the file, for messages
 * @throws FileFormatError with the byte at which it is not such a message
 */
export function* readWire(bytes: Uint8Array, path: string): Generator<WireField> {
  let at = 0;
  const fail = (problem: string): never => {
    throw new FileFormatError(path, `is not the protobuf message it should be: byte ${at} ${problem}`);
  };
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at];
      if (byte === undefined) return fail('is beyond its end');
      at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    return fail('ends a number that is too long');
  };
  const take = (length: number): Uint8Array => {
    if (at + length > bytes.length) return fail(`begins ${length} bytes, but ${bytes.length - at} are left`);
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const number = Math.floor(tag / 8);
    if (number < 1) fail('has a field without a number');
    switch (tag % 8) {
      case 0:
        yield { number, value: varint() };
        break;
      case 1:
        yield { number, value: take(8) };
        break;
      case 2:
        yield { number, value: take(Number(varint())) };
        break;
      case 5:
        yield { number, value: take(4) };
        break;
      default:
        fail(`has a field of the unknown wire type ${tag % 8}`);
    }
  }
}

/** The 32-bit float of a fixed32 field. */
export function wireFloat(value: WireField['value']): number {
  if (typeof value === 'bigint' || value.byteLength !== 4) return NaN;
  return new DataView(value.buffer, value.byteOffset, 4).getFloat32(0, true);
}

/** The text of a length-delimited field. */
export function wireText(value: WireField['value']): string {
  return typeof value === 'bigint' ? '' : Buffer.from(value).toString('utf8');
}
