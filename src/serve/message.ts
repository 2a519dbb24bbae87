import { decode, encode } from '@msgpack/msgpack';
import { InputError, messageOf } from '../errors';
import { checkMessagePack } from './messagePackLimits';
import { NdArray } from './NdArray';

/** What a message is made of, once its arrays are arrays. */
export type WireValue =
  null | boolean | number | string | Uint8Array | NdArray | readonly WireValue[] | WireMap;
export interface WireMap {
  readonly [key: string]: WireValue;
}

const text = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads a message: MessagePack, one map, its arrays as openpi's clients write them. Those are maps with the binary keys
 * `__ndarray__`, `data`, `dtype` and `shape`; numbers of numpy have `__npgeneric__`, `data` and `dtype`.
 * @throws InputError with one sentence for anything else
 */
export function readMessage(received: Uint8Array): WireMap {
  // Not as a Buffer, whose slices are no copies.
  const bytes = new Uint8Array(received.buffer, received.byteOffset, received.byteLength);
  checkMessagePack(bytes);
  let decoded: unknown;
  try {
    decoded = decode(bytes, { mapKeyConverter: keyText });
  } catch (error) {
    throw new InputError(`the message cannot be read: ${messageOf(error)}`, { cause: error });
  }
  const value = wireValue(decoded);
  if (isMap(value)) return value;
  throw new InputError('the message is not a map; expected keys and values, as a Python dict');
}

/** Whether a value has keys and values of its own. */
export function isMap(value: WireValue | undefined): value is WireMap {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    !(value instanceof NdArray)
  );
}

/** Writes a reply; arrays as {@link readMessage} reads them. */
export function writeMessage(value: WireValue): Uint8Array {
  return Buffer.concat([...parts(value)]);
}

function* parts(value: WireValue): Generator<Uint8Array> {
  if (value instanceof NdArray) {
    yield Uint8Array.of(0x84);
    const { data, dtype, shape } = value;
    const fields: readonly (readonly [string, unknown])[] = [
      ['__ndarray__', true],
      ['data', data],
      ['dtype', dtype],
      ['shape', shape],
    ];
    for (const [key, field] of fields) yield* [encode(Buffer.from(key)), encode(field)];
  } else if (Array.isArray(value)) {
    const items = value as readonly WireValue[];
    yield header(0x90, 0xdc, items.length);
    for (const item of items) yield* parts(item);
  } else if (isMap(value)) {
    const entries = Object.entries(value);
    yield header(0x80, 0xde, entries.length);
    for (const [key, field] of entries) {
      yield encode(key);
      yield* parts(field);
    }
  } else {
    yield encode(value);
  }
}

/** The head of an array or a map: of up to 15 values in one byte, of more in three. */
function header(short: number, long: number, count: number): Uint8Array {
  return count < 16 ? Uint8Array.of(short | count) : Uint8Array.of(long, count >> 8, count & 0xff);
}

function keyText(key: unknown): string {
  if (typeof key === 'string') return key;
  if (key instanceof Uint8Array) return text.decode(key);
  throw new InputError('a key is neither a text nor bytes');
}

function wireValue(value: unknown): WireValue {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value;
  if (typeof value === 'string' || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(wireValue);
  if (typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) {
    throw new InputError('the message has a value of a type of its own (a MessagePack extension)');
  }
  const map = value as Readonly<Record<string, unknown>>;
  if ('__ndarray__' in map) return ndArray(map);
  if ('__npgeneric__' in map) return wireValue(map['data']);
  return Object.fromEntries(Object.entries(map).map(([key, field]) => [key, wireValue(field)]));
}

function ndArray({ data, dtype, shape }: Readonly<Record<string, unknown>>): NdArray {
  const lengths: readonly unknown[] | undefined = Array.isArray(shape) ? shape : undefined;
  if (
    data instanceof Uint8Array &&
    typeof dtype === 'string' &&
    lengths?.every((length): length is number => typeof length === 'number') === true
  ) {
    return new NdArray(dtype, lengths, data);
  }
  throw new InputError('an array needs data (bytes), dtype (a text) and shape (whole numbers)');
}
