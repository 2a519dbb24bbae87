import { CdrWriter } from '@foxglove/cdr';
import { parse } from '@foxglove/rosmsg';

type Definition = ReturnType<typeof parse>[number];
type Field = Definition['definitions'][number];
type Write = (cdr: Utf8CdrWriter, value: unknown) => void;

/** CDR counts the bytes of a text and its closing zero; the library counts UTF-16 units, which are fewer. */
class Utf8CdrWriter extends CdrWriter {
  override string(text: string, writeLength = true): CdrWriter {
    const bytes = utf8.encode(text);
    if (writeLength) this.uint32(bytes.length + 1);
    return this.uint8Array(bytes).uint8(0);
  }
}

const utf8 = new TextEncoder();

/**
 * Writes messages, given as objects of their fields, as CDR by the definition of their type: the opposite of
 * `MessageDecoder`, for what is published and what is recorded. Texts are UTF-8, as ROS 2 says. A field that a message
 * lacks has the default of its definition, else zero, as in a new message.
 */
export class MessageEncoder {
  readonly #write: Write;

  /** @param definition text of the type with all it refers to, as {@link definitionText} gives it */
  constructor(definition: string) {
    this.#write = writerOfType(parse(definition, { ros2: true }));
  }

  /**
   * The bytes of a message, from the start of a buffer of their own; lists may be arrays or typed arrays.
   * @throws TypeError for a field that has another kind of value, or a list of fixed length that has another
   */
  encode(message: object): Uint8Array {
    const cdr = new Utf8CdrWriter();
    this.#write(cdr, message);
    return cdr.data;
  }
}

/** Writes the first type, which may hold the others. */
function writerOfType(definitions: readonly Definition[]): Write {
  const byName = new Map(definitions.map((one) => [one.name ?? '', one]));
  const made = new Map<Definition, Write>();
  const typeWriter = (definition: Definition): Write => {
    const known = made.get(definition);
    if (known !== undefined) return known;
    const fields = definition.definitions
      .filter(({ isConstant }) => isConstant !== true)
      .map((field) => ({ name: field.name, write: fieldWriter(field) }));
    const write: Write = (cdr, value) => {
      const message = (value ?? {}) as Readonly<Record<string, unknown>>;
      for (const { name, write } of fields) write(cdr, message[name]);
      // The interface language knows no empty structure, so a type without fields has a byte.
      if (fields.length === 0) cdr.uint8(0);
    };
    made.set(definition, write);
    return write;
  };
  const fieldWriter = (field: Field): Write => {
    const one = field.isComplex === true ? nestedWriter(field) : primitiveWriter(field);
    if (field.isArray !== true) return (cdr, value) => one(cdr, value ?? field.defaultValue);
    return listWriter(field, one);
  };
  const nestedWriter = ({ type }: Field): Write => {
    const nested = byName.get(type);
    if (nested === undefined) throw new TypeError(`the definition of ${type} is missing`);
    return typeWriter(nested);
  };
  const [root] = definitions;
  if (root === undefined) throw new TypeError('there is no definition');
  return typeWriter(root);
}

/** A list: its length, where the definition does not fix it, and its elements. */
function listWriter(field: Field, one: Write): Write {
  const { name, type, arrayLength } = field;
  const atOnce = WHOLE_LISTS[type];
  return (cdr, value) => {
    const list: unknown = value ?? field.defaultValue ?? { length: arrayLength ?? 0 };
    if (!isList(list)) throw new TypeError(`${name} is no list`);
    if (arrayLength === undefined) cdr.sequenceLength(list.length);
    else if (list.length !== arrayLength) {
      throw new TypeError(`${name} has ${list.length} elements, expected ${arrayLength}`);
    }
    if (atOnce?.(cdr, list) === true) return;
    for (let i = 0; i < list.length; i++) one(cdr, list[i]);
  };
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return typeof value === 'object' && value !== null && 'length' in value && typeof value.length === 'number';
}

function primitiveWriter({ name, type }: Field): Write {
  const write = PRIMITIVES[type];
  if (write === undefined) throw new TypeError(`${name} is a ${type}, which cannot be written`);
  return (cdr, value) => {
    if (write(cdr, value) === false) throw new TypeError(`${name} is a ${type}, got ${typeof value}`);
  };
}

/** Writes a value, nothing as zero; false where it is of another kind. */
type WritePrimitive = (cdr: Utf8CdrWriter, value: unknown) => CdrWriter | false;

const numeric =
  (write: (cdr: Utf8CdrWriter, value: number) => CdrWriter): WritePrimitive =>
  (cdr, value = 0) =>
    typeof value === 'number' && write(cdr, value);

const big =
  (write: (cdr: Utf8CdrWriter, value: bigint) => CdrWriter): WritePrimitive =>
  (cdr, value = 0n) =>
    (typeof value === 'bigint' || typeof value === 'number') && write(cdr, BigInt(value));

/** Times of messages read from recordings have `nsec`, those of ROS 2 `nanosec`. */
const time: WritePrimitive = (cdr, value = {}) => {
  if (typeof value !== 'object' || value === null) return false;
  const { sec = 0, nanosec, nsec } = value as { sec?: number; nanosec?: number; nsec?: number };
  return cdr.int32(sec).uint32(nanosec ?? nsec ?? 0);
};

const PRIMITIVES: Readonly<Record<string, WritePrimitive>> = {
  bool: (cdr, value = false) => typeof value === 'boolean' && cdr.uint8(value ? 1 : 0),
  int8: numeric((cdr, value) => cdr.int8(value)),
  uint8: numeric((cdr, value) => cdr.uint8(value)),
  int16: numeric((cdr, value) => cdr.int16(value)),
  uint16: numeric((cdr, value) => cdr.uint16(value)),
  int32: numeric((cdr, value) => cdr.int32(value)),
  uint32: numeric((cdr, value) => cdr.uint32(value)),
  int64: big((cdr, value) => cdr.int64(value)),
  uint64: big((cdr, value) => cdr.uint64(value)),
  float32: numeric((cdr, value) => cdr.float32(value)),
  float64: numeric((cdr, value) => cdr.float64(value)),
  string: (cdr, value = '') => typeof value === 'string' && cdr.string(value),
  time,
  duration: time,
};

/** Lists of numbers that lie in memory as they go into the message; false for others, which go one by one. */
const WHOLE_LISTS: Readonly<Record<string, (cdr: Utf8CdrWriter, list: ArrayLike<unknown>) => boolean>> = {
  uint8: (cdr, list) => list instanceof Uint8Array && !!cdr.uint8Array(list),
  float32: (cdr, list) => list instanceof Float32Array && !!cdr.float32Array(list),
  float64: (cdr, list) => list instanceof Float64Array && !!cdr.float64Array(list),
};
