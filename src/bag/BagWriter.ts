import { mkdirSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { compress, isLoaded } from '@foxglove/wasm-zstd';
import { McapWriter } from '@mcap/core';
import { FileHandleWritable } from '@mcap/nodejs';
import { stringify } from 'yaml';
import { UsageError } from '../errors';
import { writeAtomically } from '../formats/writeAtomically';
import { quoted } from '../words/quoted';
import { METADATA_FILE } from './bagMetadata';
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

export interface BagWriterOptions {
  /** folder of the recording; it must not exist yet */
  readonly folder: string;
  readonly compression: 'zstd' | 'none';
  /** bytes of messages that are compressed together; default 1 MiB */
  readonly chunkSize?: number;
  /** where types outside the common interfaces are defined */
  readonly messageFolders?: MessageFolders;
}

interface Topic extends Required<NewTopic> {
  readonly channelId: number;
  readonly encoder: MessageEncoder;
  count: number;
}

const DEFAULT_QOS: TopicQos = { reliability: 'reliable', durability: 'volatile', depth: 10 };
const DEFAULT_CHUNK = 2 ** 20;
const FOREVER = { sec: 9223372036, nsec: 854775807 };
/** Version of metadata.yaml in ROS 2 Jazzy and later. */
const METADATA_VERSION = 9;
const LIBRARY = 'fast_wam_policy';
/** rosbag2's reader knows no aliases. */
const YAML = { aliasDuplicateObjects: false, lineWidth: 0, singleQuote: true } as const;

function qosProfile({ reliability, durability, depth }: TopicQos): object {
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
 * Writes a rosbag2 recording: one MCAP file (profile ros2, CDR, definitions in it) and metadata.yaml. The bytes
 * depend on what is written alone, not on when or where.
 */
export class BagWriter {
  readonly #folder: string;
  readonly #file: string;
  readonly #close: () => Promise<void>;
  readonly #writer: McapWriter;
  readonly #messageFolders: MessageFolders;
  readonly #topics = new Map<string, Topic>();
  #start: bigint | undefined;
  #end: bigint | undefined;
  /** The MCAP writer does one thing at a time. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(
    options: BagWriterOptions,
    file: string,
    writer: McapWriter,
    close: () => Promise<void>,
  ) {
    this.#folder = options.folder;
    this.#messageFolders = options.messageFolders ?? {};
    this.#file = file;
    this.#writer = writer;
    this.#close = close;
  }

  /** @throws UsageError where the folder exists already. */
  static async create(options: BagWriterOptions): Promise<BagWriter> {
    const { folder, compression, chunkSize = DEFAULT_CHUNK } = options;
    try {
      mkdirSync(folder);
    } catch (error) {
      const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
      const problem = exists
        ? 'exists already; name a new folder'
        : 'cannot be made; is there a folder to put it in?';
      throw new UsageError(`${folder}: ${problem}`, { cause: error });
    }
    if (compression === 'zstd') await isLoaded;
    const file = `${basename(resolve(folder))}_0.mcap`;
    const handle = await open(join(folder, file), 'wx');
    const writer = new McapWriter({
      writable: new FileHandleWritable(handle),
      chunkSize,
      ...(compression === 'zstd' && {
        compressChunk: (data: Uint8Array) => ({ compression: 'zstd', compressedData: compress(data, 3) }),
      }),
    });
    await writer.start({ profile: 'ros2', library: LIBRARY });
    return new BagWriter(options, file, writer, () => handle.close());
  }

  /** Topics so far, with the number of messages written. */
  get counts(): ReadonlyMap<string, number> {
    return new Map([...this.#topics].map(([name, { count }]) => [name, count]));
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

  /** Finishes the file and writes metadata.yaml. */
  async close(): Promise<void> {
    await this.#inTurn(() => this.#writer.end());
    await this.#close();
    writeAtomically(join(this.#folder, METADATA_FILE), (sink) =>
      sink.write(Buffer.from(stringify(this.#metadata(), YAML))),
    );
  }

  /** Closes and removes what was written. */
  async discard(): Promise<void> {
    await this.#close();
    rmSync(this.#folder, { recursive: true, force: true });
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

  #metadata(): object {
    const topics = [...this.#topics.values()];
    const count = topics.reduce((sum, topic) => sum + topic.count, 0);
    const starting_time = { nanoseconds_since_epoch: this.#start ?? 0n };
    const duration = { nanoseconds: (this.#end ?? 0n) - (this.#start ?? 0n) };
    return {
      rosbag2_bagfile_information: {
        version: METADATA_VERSION,
        storage_identifier: 'mcap',
        duration,
        starting_time,
        message_count: count,
        topics_with_message_count: topics.map((topic) => ({
          topic_metadata: {
            name: topic.name,
            type: topic.type,
            serialization_format: 'cdr',
            offered_qos_profiles: [qosProfile(topic.qos)],
            type_description_hash: '',
          },
          message_count: topic.count,
        })),
        compression_format: '',
        compression_mode: '',
        relative_file_paths: [this.#file],
        files: [{ path: this.#file, starting_time, duration, message_count: count }],
        custom_data: null,
        ros_distro: 'jazzy',
      },
    };
  }
}
