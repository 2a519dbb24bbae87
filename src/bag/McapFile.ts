import { McapIndexedReader } from '@mcap/core';
import type { McapTypes } from '@mcap/core';
import { FileFormatError, messageOf } from '../errors';
import { Budget } from '../formats/Budget';
import { messageType } from '../settings/sources';
import { chunkDecompression } from './chunkDecompression';
import { FileReadable } from './FileReadable';
import { openChunksLimit } from './limits';
import { OpenChunks } from './OpenChunks';
import { orderedMessages } from './orderedMessages';
import type { RawMessage } from './orderedMessages';
import { scanRecords } from './scanRecords';
import type { ScanEnd } from './scanRecords';
import type { BagFile, BagMessage, BagTopic, ReadOptions } from './types';

type Channel = McapTypes.TypedMcapRecords['Channel'];
type Schema = McapTypes.TypedMcapRecords['Schema'];

/** What is known of a file before its messages are read. */
interface Contents {
  readonly channels: ReadonlyMap<number, Channel>;
  readonly schemas: ReadonlyMap<number, Schema>;
  readonly counts: ReadonlyMap<number, bigint> | undefined;
  readonly start: bigint | undefined;
  readonly end: bigint | undefined;
  /** messages stand in another order than that of their log times */
  readonly disordered: boolean;
}

/** Log times of one recording may be a little out of order, nanoseconds. */
const DISORDER = 500_000_000n;
/** Topics of a robot; a file of more is something else. */
const MOST_CHANNELS = 10_000;

export const MCAP_MAGIC = Uint8Array.of(0x89, 0x4d, 0x43, 0x41, 0x50, 0x30, 0x0d, 0x0a);

/**
 * Whether the summary at the end of a file is enough to find every message. Files without chunks, without message
 * indexes or with a summary that lacks the channels are valid, but have to be read from front to back.
 */
function isFullyIndexed(reader: McapIndexedReader): boolean {
  const { chunkIndexes, channelsById, schemasById, statistics } = reader;
  if (chunkIndexes.length === 0 || statistics === undefined) return false;
  if (statistics.chunkCount !== chunkIndexes.length || statistics.channelMessageCounts.size === 0)
    return false;
  const channelsKnown = [...channelsById.values()].every(
    ({ schemaId }) => schemaId === 0 || schemasById.has(schemaId),
  );
  return (
    channelsKnown &&
    chunkIndexes.every(
      (chunk) =>
        chunk.messageIndexLength > 0n &&
        [...chunk.messageIndexOffsets.keys()].every((id) => channelsById.has(id)),
    )
  );
}

function contentsOf(reader: McapIndexedReader): Contents {
  return {
    channels: reader.channelsById,
    schemas: reader.schemasById,
    counts: reader.statistics?.channelMessageCounts,
    start: reader.statistics?.messageStartTime,
    end: reader.statistics?.messageEndTime,
    disordered: false,
  };
}

/** Reads a whole file once for what its summary does not say. */
async function scanContents(
  readable: FileReadable,
  decompressHandlers: McapTypes.DecompressHandlers,
): Promise<Contents & { readonly ended: ScanEnd }> {
  const channels = new Map<number, Channel>();
  const schemas = new Map<number, Schema>();
  const counts = new Map<number, bigint>();
  let start: bigint | undefined;
  let end: bigint | undefined;
  let ended: ScanEnd = {};
  let disordered = false;
  const budget = Budget.ofFile(readable.length);
  for await (const record of scanRecords(readable, decompressHandlers, (how) => (ended = how))) {
    try {
      budget.take('elements', 1);
    } catch (error) {
      ended = { damage: messageOf(error) };
      break;
    }
    if (record.type === 'Channel') channels.set(record.id, record);
    if (record.type === 'Schema') schemas.set(record.id, record);
    if (record.type !== 'Message') continue;
    counts.set(record.channelId, (counts.get(record.channelId) ?? 0n) + 1n);
    if (start === undefined || record.logTime < start) start = record.logTime;
    if (end !== undefined && record.logTime < end - DISORDER) disordered = true;
    if (end === undefined || record.logTime > end) end = record.logTime;
  }
  return { channels, schemas, counts, start, end, disordered, ended };
}

/** Topics by name, type and encoding: several publishers of a topic may have a channel each, of another type even. */
function topicsOf(path: string, { channels, schemas, counts }: Contents): BagTopic[] {
  if (channels.size > MOST_CHANNELS) {
    throw new FileFormatError(path, `has ${channels.size} channels, more than ${MOST_CHANNELS}`);
  }
  const texts = new Map([...schemas].map(([id, { data }]) => [id, new TextDecoder().decode(data)]));
  const topics = new Map<string, BagTopic>();
  for (const channel of channels.values()) {
    const schema = schemas.get(channel.schemaId);
    const type = messageType(schema?.name ?? '');
    const key = JSON.stringify([channel.topic, type, channel.messageEncoding]);
    const count = Number(counts?.get(channel.id) ?? 0n) + (topics.get(key)?.count ?? 0);
    const text = texts.get(channel.schemaId) ?? '';
    const offeredQos = channel.metadata.get('offered_qos_profiles');
    topics.set(key, {
      name: channel.topic,
      type,
      encoding: channel.messageEncoding,
      count,
      ...(schema !== undefined && text !== '' && { definition: { encoding: schema.encoding, text } }),
      ...(offeredQos !== undefined && { offeredQos }),
    });
  }
  return [...topics.values()];
}

/** An MCAP file: by its index where it has a complete one, else from front to back up to where it is damaged. */
export class McapFile implements BagFile {
  readonly storage = 'mcap';
  readonly path: string;
  readonly topics: readonly BagTopic[];
  readonly start: bigint | undefined;
  readonly end: bigint | undefined;
  readonly #readable: FileReadable;
  readonly #decompressHandlers: McapTypes.DecompressHandlers;
  /** Undefined: no usable index. */
  readonly #indexed: McapIndexedReader | undefined;
  readonly #contents: Contents;
  readonly #warnings: Set<string>;
  /** log time of the last message of each chunk, by its place */
  readonly #ends: ReadonlyMap<bigint, bigint>;
  /** of the pass in progress */
  #budget: Budget;
  #open: OpenChunks | undefined;

  private constructor(
    readable: FileReadable,
    decompressHandlers: McapTypes.DecompressHandlers,
    indexed: McapIndexedReader | undefined,
    contents: Contents,
    warnings: readonly string[],
  ) {
    this.path = readable.path;
    this.#readable = readable;
    this.#decompressHandlers = decompressHandlers;
    this.#indexed = indexed;
    this.#contents = contents;
    this.#warnings = new Set(warnings);
    this.#budget = Budget.ofFile(readable.length);
    this.#ends = new Map(
      (indexed?.chunkIndexes ?? []).map((chunk) => [chunk.chunkStartOffset, chunk.messageEndTime]),
    );
    this.topics = topicsOf(readable.path, contents);
    this.start = contents.start;
    this.end = contents.end;
  }

  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  /** @throws FileFormatError where the file is not MCAP, or damaged before its first message. */
  static async open(path: string): Promise<McapFile> {
    const readable = await FileReadable.open(path);
    try {
      const magic =
        readable.length < MCAP_MAGIC.length ? [] : await readable.read(0n, BigInt(MCAP_MAGIC.length));
      if (magic.length === 0 || !MCAP_MAGIC.every((byte, i) => byte === magic[i])) {
        throw new FileFormatError(path, 'is not an MCAP file: it does not start with the MCAP signature');
      }
      let file: McapFile | undefined;
      // The scan before there is a file has a budget of its own.
      const scanning = Budget.ofFile(readable.length);
      const handlers = await chunkDecompression(
        () => (file === undefined ? scanning : file.#budget),
        (bytes) => {
          if (file !== undefined) file.#unfolded(bytes);
        },
      );
      try {
        const indexed = await McapIndexedReader.Initialize({ readable, decompressHandlers: handlers });
        if (isFullyIndexed(indexed)) {
          file = new McapFile(readable, handlers, indexed, contentsOf(indexed), []);
          return file;
        }
      } catch (error) {
        if (error instanceof FileFormatError) throw error;
        // No summary, or a damaged one: the file was cut or is still being written. The scan finds out how far it goes.
      }
      readable.startPass();
      file = await McapFile.#scan(readable, handlers);
      return file;
    } catch (error) {
      await readable.close();
      throw error;
    }
  }

  static async #scan(readable: FileReadable, handlers: McapTypes.DecompressHandlers): Promise<McapFile> {
    const { ended, ...contents } = await scanContents(readable, handlers);
    if (ended.damage !== undefined && contents.start === undefined) {
      throw new FileFormatError(readable.path, `holds no whole message: ${ended.damage}`);
    }
    const warnings = ended.damage === undefined ? [] : [damageWarning(readable.path, ended.damage)];
    if (contents.disordered) {
      warnings.push(
        `${readable.path}: has no index, and its messages are not in order of time; they are sorted`,
      );
    }
    return new McapFile(readable, handlers, undefined, contents, warnings);
  }

  async *messages({ topics, start, end }: ReadOptions = {}): AsyncGenerator<BagMessage, void, void> {
    if (this.start === undefined || this.end === undefined) return;
    const wanted = topics === undefined ? undefined : new Set(topics);
    this.#readable.startPass();
    const budget = (this.#budget = Budget.ofFile(this.#readable.length));
    const open = (this.#open = new OpenChunks(openChunksLimit(this.#readable.length)));
    const records = this.#records(start ?? this.start, end ?? this.end, topics);
    for (;;) {
      let next: IteratorResult<RawMessage, void>;
      try {
        next = await records.next();
        if (next.done !== true) {
          budget.take('elements', 1);
          budget.take('bytes', next.value.data.byteLength);
        }
      } catch (error) {
        // Only errors of the file arrive here; those of the consumer do not pass through `next`.
        this.#warnings.add(damageWarning(this.path, messageOf(error)));
        return;
      }
      if (next.done === true) return;
      const { channelId, logTime, publishTime, data } = next.value;
      open.reach(logTime);
      const channel = this.#contents.channels.get(channelId);
      if (channel === undefined || (wanted !== undefined && !wanted.has(channel.topic))) continue;
      if ((start !== undefined && logTime < start) || (end !== undefined && logTime > end)) continue;
      const type = messageType(this.#contents.schemas.get(channel.schemaId)?.name ?? '');
      yield { topic: channel.topic, type, encoding: channel.messageEncoding, logTime, publishTime, data };
    }
  }

  #records(
    startTime: bigint,
    endTime: bigint,
    topics: readonly string[] | undefined,
  ): AsyncGenerator<RawMessage, void, void> {
    if (this.#indexed) return this.#indexed.readMessages({ startTime, endTime, ...(topics && { topics }) });
    if (this.#contents.disordered) {
      return orderedMessages(this.#readable, this.#decompressHandlers, this.#budget);
    }
    return this.#scannedMessages();
  }

  /** A chunk was unfolded; an indexed reader holds it until its last message. */
  #unfolded(bytes: Uint8Array): void {
    if (this.#indexed === undefined) return;
    const end = this.#ends.get(BigInt(this.#readable.lastOffset));
    if (end !== undefined) this.#open?.open({ bytes: bytes.byteLength, end });
  }

  async *#scannedMessages(): AsyncGenerator<RawMessage, void, void> {
    for await (const record of scanRecords(this.#readable, this.#decompressHandlers)) {
      // The parser uses its memory again for the next record.
      if (record.type === 'Message') yield { ...record, data: record.data.slice() };
    }
  }

  async close(): Promise<void> {
    await this.#readable.close();
  }
}

function damageWarning(path: string, problem: string): string {
  return `${path}: is truncated or damaged: ${problem}; read up to there`;
}
