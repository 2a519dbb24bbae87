import { McapConstants } from '@mcap/core';
import type { McapTypes } from '@mcap/core';
import type { Budget } from '../formats/Budget';
import type { FileReadable } from './FileReadable';
import { scanFrames } from './scanRecords';

/** Opcodes as the bytes that they are. */
const MESSAGE: number = McapConstants.Opcode.MESSAGE;
const CHUNK: number = McapConstants.Opcode.CHUNK;

/** A message as it stands in the file. */
export interface RawMessage {
  readonly channelId: number;
  readonly logTime: bigint;
  readonly publishTime: bigint;
  readonly data: Uint8Array;
}

/** Where a message stands: in the file, or in the unfolded records of the chunk that begins there. */
interface Place {
  readonly time: bigint;
  readonly offset: number;
  /** in the records of a chunk; -1 for a message outside of chunks */
  readonly inside: number;
}

const RECORD_HEADER = 1 + 8;
const MESSAGE_HEADER = 2 + 4 + 8 + 8;
/** Unfolded chunks kept while messages of several are read in turn. */
const KEPT = 2 ** 27;
/** Places held in memory. */
const MOST_PLACES = 8_000_000;

/**
 * The messages of a file without an index, in order of log time though they stand in another: topic after topic, for
 * instance. The file is read once for the places, and again for the messages.
 *
 * @throws Error where the file is damaged, or takes more than the budget
 */
export async function* orderedMessages(
  readable: FileReadable,
  decompressHandlers: McapTypes.DecompressHandlers,
  budget: Budget,
): AsyncGenerator<RawMessage, void, void> {
  const places: Place[] = [];
  for await (const { opcode, offset, content } of scanFrames(readable)) {
    if (opcode === MESSAGE) add(places, content, 0, offset, -1);
    if (opcode !== CHUNK) continue;
    const records = unfolded(content, decompressHandlers);
    for (const at of messagesIn(records)) add(places, records, at + RECORD_HEADER, offset, at);
  }
  places.sort((a, b) =>
    a.time < b.time ? -1 : a.time > b.time ? 1 : a.offset - b.offset || a.inside - b.inside,
  );

  readable.startPass();
  const chunks = new Map<number, Uint8Array>();
  let kept = 0;
  for (const { offset, inside } of places) {
    if (inside < 0) {
      const length = lengthAt(await readable.read(BigInt(offset), BigInt(RECORD_HEADER)), 0);
      const content = await readable.read(BigInt(offset + RECORD_HEADER), BigInt(length));
      budget.take('bytes', length);
      yield messageAt(content, 0, length);
      continue;
    }
    let records = chunks.get(offset);
    if (records === undefined) {
      const length = lengthAt(await readable.read(BigInt(offset), BigInt(RECORD_HEADER)), 0);
      records = unfolded(
        await readable.read(BigInt(offset + RECORD_HEADER), BigInt(length)),
        decompressHandlers,
      );
      kept += records.length;
      for (const [first, oldest] of chunks) {
        if (kept <= KEPT) break;
        chunks.delete(first);
        kept -= oldest.length;
      }
    }
    // The chunk last used goes last.
    chunks.delete(offset);
    chunks.set(offset, records);
    yield messageAt(records, inside + RECORD_HEADER, lengthAt(records, inside));
  }
}

function add(places: Place[], bytes: Uint8Array, at: number, offset: number, inside: number): void {
  if (places.length === MOST_PLACES)
    throw new Error(`it holds more than ${MOST_PLACES} messages out of order`);
  places.push({ time: view(bytes).getBigUint64(at + 6, true), offset, inside });
}

/** The records of a chunk: start, end, size, CRC, compression, records. */
function unfolded(chunk: Uint8Array, handlers: McapTypes.DecompressHandlers): Uint8Array {
  const data = view(chunk);
  const size = data.getBigUint64(16, true);
  const nameLength = data.getUint32(28, true);
  const compression = new TextDecoder().decode(chunk.subarray(32, 32 + nameLength));
  const start = 32 + nameLength + 8;
  const records = chunk.subarray(start, start + Number(data.getBigUint64(32 + nameLength, true)));
  if (compression === '') return records;
  const decompress = handlers[compression];
  if (decompress === undefined) throw new Error(`a chunk is compressed with ${compression}`);
  return decompress(records, size);
}

/** Where messages begin in the records of a chunk. */
function* messagesIn(records: Uint8Array): Generator<number, void, void> {
  for (let at = 0; at + RECORD_HEADER <= records.length;) {
    const length = lengthAt(records, at);
    if (at + RECORD_HEADER + length > records.length) throw new Error('a chunk ends within a record');
    if (records[at] === MESSAGE && length >= MESSAGE_HEADER) yield at;
    at += RECORD_HEADER + length;
  }
}

function messageAt(bytes: Uint8Array, at: number, length: number): RawMessage {
  const data = view(bytes);
  return {
    channelId: data.getUint16(at, true),
    logTime: data.getBigUint64(at + 6, true),
    publishTime: data.getBigUint64(at + 14, true),
    data: bytes.slice(at + MESSAGE_HEADER, at + length),
  };
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return Number(view(bytes).getBigUint64(at + 1, true));
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
