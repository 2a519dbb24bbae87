import { mkdirSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { UsageError } from '../errors';
import { writeAtomically } from '../formats/writeAtomically';
import { METADATA_FILE } from './bagMetadata';
import { qosProfile, TopicFile, YAML } from './TopicFile';
import type { NewTopic, TopicFileOptions } from './TopicFile';

export interface BagWriterOptions extends TopicFileOptions {
  /** folder of the recording; it must not exist yet */
  readonly folder: string;
}

/** Version of metadata.yaml in ROS 2 Jazzy and later. */
const METADATA_VERSION = 9;

/** Writes a rosbag2 recording: one MCAP file, see {@link TopicFile}, and metadata.yaml. */
export class BagWriter {
  readonly #folder: string;
  readonly #name: string;
  readonly #file: TopicFile;

  private constructor(folder: string, name: string, file: TopicFile) {
    this.#folder = folder;
    this.#name = name;
    this.#file = file;
  }

  /** @throws UsageError where the folder exists already. */
  static async create(options: BagWriterOptions): Promise<BagWriter> {
    const { folder } = options;
    try {
      mkdirSync(folder);
    } catch (error) {
      const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
      const problem = exists
        ? 'exists already; name a new folder'
        : 'cannot be made; is there a folder to put it in?';
      throw new UsageError(`${folder}: ${problem}`, { cause: error });
    }
    const name = `${basename(resolve(folder))}_0.mcap`;
    return new BagWriter(folder, name, await TopicFile.create(join(folder, name), options));
  }

  /** Topics so far, with the number of messages written. */
  get counts(): ReadonlyMap<string, number> {
    return new Map(this.#file.topics.map(({ name, count }) => [name, count]));
  }

  /** Declares a topic. @throws UsageError for a topic that is there already and for unknown types. */
  addTopic(topic: NewTopic): Promise<void> {
    return this.#file.addTopic(topic);
  }

  /** Encodes a message given as an object of its fields. Times are nanoseconds. */
  write(topic: string, logTime: bigint, message: object, publishTime = logTime): Promise<void> {
    return this.#file.write(topic, logTime, message, publishTime);
  }

  /** Writes a message that is CDR already. */
  writeEncoded(topic: string, logTime: bigint, data: Uint8Array, publishTime = logTime): Promise<void> {
    return this.#file.writeEncoded(topic, logTime, data, publishTime);
  }

  /** Finishes the file and writes metadata.yaml. */
  async close(): Promise<void> {
    await this.#file.end();
    writeAtomically(join(this.#folder, METADATA_FILE), (sink) =>
      sink.write(Buffer.from(stringify(this.#metadata(), YAML))),
    );
  }

  /** Closes and removes what was written. */
  async discard(): Promise<void> {
    await this.#file.abandon();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #metadata(): object {
    const { topics } = this.#file;
    const count = topics.reduce((sum, topic) => sum + topic.count, 0);
    const [start, end] = this.#file.span;
    const starting_time = { nanoseconds_since_epoch: start };
    const duration = { nanoseconds: end - start };
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
        relative_file_paths: [this.#name],
        files: [{ path: this.#name, starting_time, duration, message_count: count }],
        custom_data: null,
        ros_distro: 'jazzy',
      },
    };
  }
}
