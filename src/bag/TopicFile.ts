import { open } from 'node:fs/promises';
import { compress, isLoaded } from '@foxglove/wasm-zstd';
import { McapWriter } from '@mcap/core';
import { FileHandleWritable } from '@mcap/nodejs';
import { stringify } from 'yaml';
import { UsageError } from '../errors';
import { quoted } from '../words/quoted';
import { MessageEncoder } from './MessageEncoder';
import { definitionText } from './definitionText';
import type { MessageFolders } from './definitionText';

/** What a publisher offers; `ros2 bag play` publishes with it. */
export interface TopicQos {
  readonly reliability: 'reliable' | 'best_effort';
  readonly durability: 'volatile' | 'transient_local';
  readonly depth: number;
}

export interface NewTopic {
  readonly name: string;
  /** `sensor_msgs/msg/Image` */
  readonly type: string;
  /** default: reliable, volatile, 10 */
  readonly qos?: TopicQos;
}

export interface TopicFileOptions {
  readonly compression: 'zstd' | 'none';
  /** bytes of messages that are compressed together; default 1 MiB */
  readonly chunkSize?: number;
  /** where types outside the common interfaces are defined */
  readonly messageFolders?: MessageFolders;
}

/** A topic of a file, with the number of its messages. */
export interface WrittenTopic extends Required<NewTopic> {
  readonly count: number;
}

interface Topic extends Required<NewTopic> {
  readonly channelId: number;
  readonly encoder: MessageEncoder;
  count: number;
}

const DEFAULT_QOS: TopicQos = { reliability: 'reliable', durability: 'volatile', depth: 10 };
const DEFAULT_CHUNK = 2 ** 20;
const FOREVER = { sec: 9223372036, nsec: 854775807 };
const LIBRARY = 'fast_wam_policy';
/** rosbag2's reader knows no aliases. */
export const YAML = { aliasDuplicateObjects: false, lineWidth: 0, singleQuote: true } as const;

/** The profile as rosbag2 stores it. */
export function qosProfile({ reliability, durability, depth }: TopicQos): object {
  return {
    history: 'keep_last',
    depth,
    reliability,
    durability,
    deadline: FOREVER,
    lifespan: FOREVER,
    liveliness: 'automatic',
    liveliness_lease_duration: FOREVER,
    avoid_ros_namespace_conventions: false,
  };
}

/**
 * Writes one MCAP file of ROS 2 messages (profile ros2, CDR, definitions in it), which readers such as Foxglove and Rerun
 * open by itself. The bytes depend on what is written alone, not on when or where.
 */
export class TopicFile {
  readonly #close: () => Promise<void>;
  readonly #writer: McapWriter;
  readonly #messageFolders: MessageFolders;
  readonly #topics = new Map<string, Topic>();
  #start: bigint | undefined;
  #end: bigint | undefined;
  /** The MCAP writer does one thing at a time. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(writer: McapWriter, messageFolders: MessageFolders, close: () => Promise<void>) {
    this.#writer = writer;
    this.#messageFolders = messageFolders;
    this.#close = close;
  }

  /** @param path a file that must not exist yet */
  static async create(path: string, options: TopicFileOptions): Promise<TopicFile> {
    const { compression, chunkSize = DEFAULT_CHUNK, messageFolders = {} } = options;
    if (compression === 'zstd') await isLoaded;
    const handle = await open(path, 'wx');
    const writer = new McapWriter({
      writable: new FileHandleWritable(handle),
      chunkSize,
      ...(compression === 'zstd' && {
        compressChunk: (data: Uint8Array) => ({ compression: 'zstd', compressedData: compress(data, 3) }),
      }),
    });
    await writer.start({ profile: 'ros2', library: LIBRARY });
    return new TopicFile(writer, messageFolders, () => handle.close());
  }

  /** Topics so far, in the order in which they were added. */
  get topics(): readonly WrittenTopic[] {
    return [...this.#topics.values()];
  }

  /** Log times of the first and the last message, nanoseconds; both 0 where there is none. */
  get span(): readonly [bigint, bigint] {
    return [this.#start ?? 0n, this.#end ?? 0n];
  }

  /** Declares a topic. @throws UsageError for a topic that is there already and for unknown types. */
  async addTopic({ name, type, qos = DEFAULT_QOS }: NewTopic): Promise<void> {
    if (this.#topics.has(name)) throw new UsageError(`the topic ${quoted(name)} was added already`);
    const text = definitionText(type, this.#messageFolders);
    const encoder = new MessageEncoder(text);
    const channelId = await this.#inTurn(async () => {
      const schemaId = await this.#writer.registerSchema({
        name: type,
        encoding: 'ros2msg',
        data: new TextEncoder().encode(text),
      });
      return this.#writer.registerChannel({
        topic: name,
        schemaId,
        messageEncoding: 'cdr',
        metadata: new Map([['offered_qos_profiles', stringify([qosProfile(qos)], YAML)]]),
      });
    });
    this.#topics.set(name, { name, type, qos, channelId, encoder, count: 0 });
  }

  /** Encodes a message given as an object of its fields. Times are nanoseconds. */
  async write(topic: string, logTime: bigint, message: object, publishTime = logTime): Promise<void> {
    await this.writeEncoded(topic, logTime, this.#topic(topic).encoder.encode(message), publishTime);
  }

  /** Writes a message that is CDR already. */
  async writeEncoded(topic: string, logTime: bigint, data: Uint8Array, publishTime = logTime): Promise<void> {
    const entry = this.#topic(topic);
    const sequence = entry.count++;
    if (this.#start === undefined || logTime < this.#start) this.#start = logTime;
    if (this.#end === undefined || logTime > this.#end) this.#end = logTime;
    await this.#inTurn(() =>
      this.#writer.addMessage({ channelId: entry.channelId, sequence, logTime, publishTime, data }),
    );
  }

  /** Finishes the file. */
  async end(): Promise<void> {
    await this.#inTurn(() => this.#writer.end());
    await this.#close();
  }

  /** Closes the file as it is: it cannot be used. */
  async abandon(): Promise<void> {
    await this.#last;
    await this.#close();
  }

  #topic(name: string): Topic {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw new UsageError(`the topic ${quoted(name)} was not added to the recording`);
    return topic;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
