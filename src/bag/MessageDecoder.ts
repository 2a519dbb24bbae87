import { parse } from '@foxglove/rosmsg';
import { ros2humble, ros2jazzy } from '@foxglove/rosmsg-msgs-common';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import { InputError, messageOf } from '../errors';
import { quoted } from '../formats/quoted';
import type { BagMessage, BagTopic, MessageDefinitionText } from './types';

type Definition = ReturnType<typeof parse>[number];

/** Far above any real interface; a definition beyond it is refused unparsed. */
const MAX_DEFINITION = 2 ** 20;
/** Elements of a fixed-size array, which are allocated before anything is read. */
const MAX_FIXED_ARRAY = 2 ** 24;

/** `sensor_msgs/msg/Image` as the bundled definitions call it: `sensor_msgs/Image`. */
function shortName(type: string): string {
  return type.replace('/msg/', '/');
}

/** Definition of a standard type with all it refers to, root first; undefined for types that are not bundled. */
function bundledDefinitions(type: string): Definition[] | undefined {
  const lookUp = (name: string): Definition | undefined =>
    (ros2jazzy as Record<string, Definition>)[name] ?? (ros2humble as Record<string, Definition>)[name];
  const found = new Map<string, Definition>();
  const pending = [shortName(type)];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (found.has(name)) continue;
    const definition = lookUp(name);
    if (definition === undefined) return undefined;
    found.set(name, definition);
    for (const field of definition.definitions) if (field.isComplex === true) pending.push(field.type);
  }
  return [...found.values()];
}

function parsedDefinitions({ text }: MessageDefinitionText): Definition[] {
  if (text.length > MAX_DEFINITION) throw new Error(`its definition has ${text.length} characters`);
  const definitions = parse(text, { ros2: true });
  for (const { definitions: fields } of definitions) {
    const huge = fields.find((field) => (field.arrayLength ?? 0) > MAX_FIXED_ARRAY);
    if (huge !== undefined)
      throw new Error(`its field ${quoted(huge.name)} has ${huge.arrayLength ?? 0} elements`);
  }
  return definitions;
}

/**
 * Decodes CDR messages by the definitions that a recording carries, and by those of the ROS 2 distribution where it
 * carries none (as before Iron).
 */
export class MessageDecoder {
  readonly #topics: ReadonlyMap<string, BagTopic>;
  readonly #readers = new Map<string, MessageReader>();

  constructor(topics: readonly BagTopic[]) {
    this.#topics = new Map(topics.map((topic) => [topic.name, topic]));
  }

  /** @throws InputError where the bytes do not fit the type, or nobody knows the type. */
  decode(message: BagMessage): unknown {
    const reader = this.#readerFor(message);
    let value: unknown;
    try {
      value = reader.readMessage(message.data);
    } catch (error) {
      throw this.#misfit(message, messageOf(error), error);
    }
    // The reader looks through the message into the buffer that it lies in.
    if (reader.lastReadByteLength() > message.data.byteLength) {
      throw this.#misfit(message, `it says it has ${reader.lastReadByteLength()}`);
    }
    return value;
  }

  #misfit({ topic, type, data }: BagMessage, problem: string, cause?: unknown): InputError {
    const options = cause === undefined ? undefined : { cause };
    return new InputError(
      `${topic}: a message of ${data.byteLength} bytes is not a ${type}: ${problem}`,
      options,
    );
  }

  #readerFor({ topic: name, type }: BagMessage): MessageReader {
    const known = this.#readers.get(name);
    if (known !== undefined) return known;
    const topic = this.#topics.get(name);
    if (topic === undefined) throw new InputError(`the recording has no topic ${quoted(name)}`);
    if (topic.encoding !== 'cdr') {
      throw new InputError(
        `${name}: messages are encoded as ${quoted(topic.encoding)}, only cdr can be read`,
      );
    }
    const reader = new MessageReader(this.#definitionsFor(topic, type));
    this.#readers.set(name, reader);
    return reader;
  }

  #definitionsFor({ name, definition }: BagTopic, type: string): Definition[] {
    let problem = 'the recording has no definition of it';
    if (definition?.encoding === 'ros2msg') {
      try {
        return parsedDefinitions(definition);
      } catch (error) {
        problem = `the definition in the recording cannot be used (${messageOf(error)})`;
      }
    } else if (definition !== undefined) {
      problem = `the recording defines it as ${quoted(definition.encoding)}, only ros2msg can be read`;
    }
    const bundled = bundledDefinitions(type);
    if (bundled !== undefined) return bundled;
    throw new InputError(
      `${name}: ${quoted(type)} cannot be decoded: ${problem}, and it is not a standard type`,
    );
  }
}
