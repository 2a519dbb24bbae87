import { FileFormatError, messageOf } from '../errors';
import { quoted } from '../words/quoted';
import { MEMORY_LIMITS } from './limits';
import { MessageDecoder, topicKey } from './MessageDecoder';
import { decompressBytes } from './zstd';
import type { BagFile, BagMessage, BagMetadata, BagReader, BagStorage, BagTopic, ReadOptions } from './types';

/** Topics of all files by name, type and encoding. Counts add up; the first definition that a file has is kept. */
function mergeTopics(files: readonly BagFile[]): BagTopic[] {
  const merged = new Map<string, BagTopic>();
  for (const topic of files.flatMap((file) => file.topics)) {
    const key = topicKey(topic);
    const known = merged.get(key);
    if (known === undefined) {
      merged.set(key, topic);
      continue;
    }
    const count =
      known.count === undefined || topic.count === undefined ? undefined : known.count + topic.count;
    const definition = known.definition ?? topic.definition;
    const { name, type, encoding } = known;
    const offeredQos = known.offeredQos ?? topic.offeredQos;
    merged.set(key, {
      name,
      type,
      encoding,
      ...(count !== undefined && { count }),
      ...(definition && { definition }),
      ...(offeredQos !== undefined && { offeredQos }),
    });
  }
  return [...merged.values()].sort((a, b) => (topicKey(a) < topicKey(b) ? -1 : 1));
}

function extreme(files: readonly BagFile[], which: 'start' | 'end'): bigint | undefined {
  const times = files.map((file) => file[which]).filter((time) => time !== undefined);
  return times.reduce<bigint | undefined>((best, time) => {
    if (best === undefined) return time;
    return which === 'start' ? (time < best ? time : best) : time > best ? time : best;
  }, undefined);
}

/** The files of a recording as one. */
export class Bag implements BagReader {
  readonly path: string;
  readonly storage: BagStorage;
  readonly metadata: BagMetadata | undefined;
  readonly topics: readonly BagTopic[];
  readonly start: bigint | undefined;
  readonly end: bigint | undefined;
  readonly #files: readonly BagFile[];
  readonly #decoder: MessageDecoder;
  readonly #warnings = new Set<string>();

  /** @param warnings what of the recording could not be read when it was opened */
  constructor(
    path: string,
    files: readonly BagFile[],
    metadata: BagMetadata | undefined,
    warnings: readonly string[] = [],
  ) {
    const [first] = files;
    if (first === undefined) throw new FileFormatError(path, 'is a recording without files');
    this.path = path;
    this.storage = first.storage;
    this.metadata = metadata;
    for (const warning of warnings) this.#warnings.add(warning);
    this.topics = mergeTopics(files).map((topic) => {
      const offeredQos = topic.offeredQos ?? metadata?.offeredQos.get(topic.name);
      return offeredQos === undefined ? topic : { ...topic, offeredQos };
    });
    this.start = extreme(files, 'start');
    this.end = extreme(files, 'end');
    this.#files = files;
    this.#decoder = new MessageDecoder(this.topics);
    const { compression } = metadata ?? {};
    if (compression !== undefined && compression.format !== '' && compression.format !== 'zstd') {
      throw new FileFormatError(
        path,
        `is compressed with ${quoted(compression.format)}, only zstd can be read`,
      );
    }
    this.#compareCount();
  }

  get warnings(): readonly string[] {
    return [...this.#warnings, ...this.#files.flatMap((file) => file.warnings)];
  }

  async *messages(options: ReadOptions = {}): AsyncGenerator<BagMessage, void, void> {
    const { start, end } = options;
    for (const file of this.#files) {
      // Later files of a split recording need not be read for an early stretch, and the other way round.
      if (start !== undefined && file.end !== undefined && file.end < start) continue;
      if (end !== undefined && file.start !== undefined && file.start > end) continue;
      if (this.metadata?.compression?.mode === 'message') yield* this.#unpacked(file, options);
      else yield* file.messages(options);
    }
  }

  decode(message: BagMessage): unknown {
    return this.#decoder.decode(message);
  }

  async close(): Promise<void> {
    for (const file of this.#files) await file.close();
  }

  /** Messages that the recorder compressed one by one. */
  async *#unpacked(file: BagFile, options: ReadOptions): AsyncGenerator<BagMessage, void, void> {
    for await (const message of file.messages(options)) {
      let data: Uint8Array;
      try {
        data = decompressBytes(message.data, MEMORY_LIMITS);
      } catch (error) {
        this.#warnings.add(
          `${file.path}: a message on ${message.topic} cannot be decompressed: ${messageOf(error)}`,
        );
        continue;
      }
      yield { ...message, data };
    }
  }

  #compareCount(): void {
    const expected = this.metadata?.messageCount;
    if (expected === undefined || this.topics.some(({ count }) => count === undefined)) return;
    const found = this.topics.reduce((sum, { count }) => sum + (count ?? 0), 0);
    if (found !== expected) {
      this.#warnings.add(`${this.path}: metadata.yaml counts ${expected} messages, the files have ${found}`);
    }
  }
}
