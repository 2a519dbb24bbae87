import { parse } from '@foxglove/rosmsg';
import { ros2humble, ros2jazzy } from '@foxglove/rosmsg-msgs-common';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import { InputError, messageOf } from '../errors';
import { quoted } from '../words/quoted';
import { messageCosts } from './messageCosts';
import type { MessageCosts } from './messageCosts';
import type { BagMessage, BagTopic, MessageDefinitionText } from './types';

type Definition = ReturnType<typeof parse>[number];

/** Far above any real interface; a definition beyond it is refused unparsed. */
const MAX_DEFINITION = 2 ** 17;

/** What tells topics apart: a name may be used with several types, by several programs. */
export function topicKey({ name, type, encoding }: Pick<BagTopic, 'name' | 'type' | 'encoding'>): string {
  return `${name} ${type} ${encoding}`;
}

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
  return parse(text, { ros2: true });
}

/** A type that messages can be decoded by, and what they may cost. */
interface DecodableType {
  readonly reader: MessageReader;
  readonly costs: MessageCosts;
}

/** @throws Error where the definitions are no type, or one whose messages could cost without bounds */
function decodableType(definitions: Definition[]): DecodableType {
  return { reader: new MessageReader(definitions), costs: messageCosts(definitions) };
}

/**
 * Decodes CDR messages by the definitions that a recording carries, and by those of the ROS 2 distribution where it
 * carries none (as before Iron).
 */
export class MessageDecoder {
  readonly #topics: ReadonlyMap<string, BagTopic>;
  readonly #types = new Map<string, DecodableType>();

  constructor(topics: readonly BagTopic[]) {
    this.#topics = new Map(topics.map((topic) => [topicKey(topic), topic]));
  }

  /** @throws InputError where the bytes do not fit the type, or nobody knows the type. */
  decode(message: BagMessage): unknown {
    const { reader, costs } = this.#typeFor(message);
    const problem = costs.whyNot(message.data.byteLength);
    if (problem !== undefined) throw this.#misfit(message, problem);
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

  #typeFor({ topic: name, type, encoding }: BagMessage): DecodableType {
    const key = topicKey({ name, type, encoding });
    const known = this.#types.get(key);
    if (known !== undefined) return known;
    const topic = this.#topics.get(key);
    if (topic === undefined)
      throw new InputError(`the recording has no topic ${quoted(name)} of ${quoted(type)}`);
    if (encoding !== 'cdr') {
      throw new InputError(`${name}: messages are encoded as ${quoted(encoding)}, only cdr can be read`);
    }
    const found = this.#decodable(topic, type);
    this.#types.set(key, found);
    return found;
  }

  /** By the definition of the recording, else by the distribution's. */
  #decodable(topic: BagTopic, type: string): DecodableType {
    const definitions = this.#definitionsFor(topic, type);
    try {
      return decodableType(definitions);
    } catch (error) {
      const bundled = bundledDefinitions(type);
      if (bundled !== undefined && bundled !== definitions) return decodableType(bundled);
      throw new InputError(`${topic.name}: ${quoted(type)} cannot be decoded: ${messageOf(error)}`, {
        cause: error,
      });
    }
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
