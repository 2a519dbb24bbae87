import { InputError } from '../errors';

/** An observation is a few maps in one another. */
const DEEPEST = 8;
/** Values in one message, the elements of arrays of numbers not counted, which are bytes. */
const MOST_VALUES = 10_000;

/** What follows the first byte of a value: bytes of its length field, bytes of content, values inside. */
interface Head {
  readonly bytes: number;
  readonly values: number;
}

/** Content lengths of the types 0xca to 0xd8, and how many bytes state the length of the others. */
const FIXED: Readonly<Record<number, number>> = {
  0xc0: 0,
  0xc2: 0,
  0xc3: 0,
  0xca: 4,
  0xcb: 8,
  0xcc: 1,
  0xcd: 2,
  0xce: 4,
  0xcf: 8,
  0xd0: 1,
  0xd1: 2,
  0xd2: 4,
  0xd3: 8,
  0xd4: 2,
  0xd5: 3,
  0xd6: 5,
  0xd7: 9,
  0xd8: 17,
};
const COUNTED: Readonly<
  Record<number, { readonly width: 1 | 2 | 4; readonly of: 'bytes' | 'extension' | 'array' | 'map' }>
> = {
  0xc4: { width: 1, of: 'bytes' },
  0xc5: { width: 2, of: 'bytes' },
  0xc6: { width: 4, of: 'bytes' },
  0xc7: { width: 1, of: 'extension' },
  0xc8: { width: 2, of: 'extension' },
  0xc9: { width: 4, of: 'extension' },
  0xd9: { width: 1, of: 'bytes' },
  0xda: { width: 2, of: 'bytes' },
  0xdb: { width: 4, of: 'bytes' },
  0xdc: { width: 2, of: 'array' },
  0xdd: { width: 4, of: 'array' },
  0xde: { width: 2, of: 'map' },
  0xdf: { width: 4, of: 'map' },
};

/**
 * Walks over a message without making anything of it: it must be one whole value, and neither deep nor of many parts. A
 * decoder makes an object of each byte of a hostile message, tens of times its size.
 * @throws InputError with the byte at which it is not so
 */
export function checkMessagePack(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** values still to come at each depth */
  const open = [1];
  let at = 0;
  let values = 0;
  while (open.length > 0) {
    const left = open[open.length - 1] ?? 0;
    if (left === 0) {
      open.pop();
      continue;
    }
    open[open.length - 1] = left - 1;
    values += 1;
    if (values > MOST_VALUES) throw wrong(`has more than ${MOST_VALUES} values`, at);
    if (at >= bytes.length) throw wrong('ends inside a value', at);
    const head = headAt(view, at);
    at += 1 + head.bytes;
    if (at > bytes.length) throw wrong('ends inside a value', bytes.length);
    if (head.values > MOST_VALUES) throw wrong(`has more than ${MOST_VALUES} values`, at);
    if (head.values > 0) {
      if (open.length > DEEPEST) throw wrong(`is nested more than ${DEEPEST} deep`, at);
      open.push(head.values);
    }
  }
  if (at < bytes.length)
    throw wrong(`is followed by ${bytes.length - at} bytes that do not belong to it`, at);
}

function headAt(view: DataView, at: number): Head {
  const first = view.getUint8(at);
  if (first < 0x80 || first >= 0xe0) return { bytes: 0, values: 0 };
  if (first < 0x90) return { bytes: 0, values: 2 * (first & 0x0f) };
  if (first < 0xa0) return { bytes: 0, values: first & 0x0f };
  if (first < 0xc0) return { bytes: first & 0x1f, values: 0 };
  const fixed = FIXED[first];
  if (fixed !== undefined) return { bytes: fixed, values: 0 };
  const counted = COUNTED[first];
  if (!counted) throw wrong('has a byte that begins no value (0xc1)', at);
  const { width, of } = counted;
  if (at + 1 + width > view.byteLength) throw wrong('ends inside a value', view.byteLength);
  const count =
    width === 1 ? view.getUint8(at + 1) : width === 2 ? view.getUint16(at + 1) : view.getUint32(at + 1);
  switch (of) {
    case 'bytes':
      return { bytes: width + count, values: 0 };
    case 'extension':
      return { bytes: width + 1 + count, values: 0 };
    case 'array':
      return { bytes: width, values: count };
    case 'map':
      return { bytes: width, values: 2 * count };
  }
}

function wrong(problem: string, at: number): InputError {
  return new InputError(`the message is not what an observation is: it ${problem} (byte ${at})`);
}
