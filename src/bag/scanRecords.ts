import { McapConstants, McapStreamReader } from '@mcap/core';
import type { McapTypes } from '@mcap/core';
import { messageOf } from '../errors';
import type { FileReadable } from './FileReadable';
import { MEMORY_LIMITS } from './limits';

/** How a scan ended: at the end of the data, or at damage. */
export interface ScanEnd {
  readonly damage?: string;
}

const MAGIC_LENGTH = 8;
/** opcode, length of the content */
const RECORD_HEADER = 1 + 8;
const WINDOW = 2 ** 20;

const { Opcode } = McapConstants;
/** The records that carry data; indexes, attachments and metadata are stepped over unread. */
const READ: ReadonlySet<number> = new Set([
  Opcode.HEADER,
  Opcode.SCHEMA,
  Opcode.CHANNEL,
  Opcode.MESSAGE,
  Opcode.CHUNK,
]);

/** The data section is over. */
const ENDS: ReadonlySet<number> = new Set([Opcode.DATA_END, Opcode.FOOTER]);

/** Reads ahead, since unchunked files have many small records. */
class Window {
  readonly #readable: FileReadable;
  #start = 0;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(readable: FileReadable) {
    this.#readable = readable;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (length > WINDOW) return this.#readable.read(BigInt(offset), BigInt(length));
    if (offset < this.#start || offset + length > this.#start + this.#bytes.length) {
      this.#start = offset;
      const ahead = Math.min(WINDOW, this.#readable.length - offset);
      this.#bytes = await this.#readable.read(BigInt(offset), BigInt(ahead));
    }
    return this.#bytes.subarray(offset - this.#start, offset - this.#start + length);
  }
}

/**
 * All records of an MCAP file from front to back, chunks opened. One record at a time is given to the parser, after
 * its length was checked, so that a false length cannot make it gather the whole file in memory. Stops at the first
 * record that is cut or damaged and says so through `ended`.
 */
export async function* scanRecords(
  readable: FileReadable,
  decompressHandlers: McapTypes.DecompressHandlers,
  ended: (how: ScanEnd) => void = () => undefined,
): AsyncGenerator<McapTypes.TypedMcapRecord, void, void> {
  const parser = new McapStreamReader({ decompressHandlers, noMagicPrefix: true });
  const size = readable.length;
  for await (const { offset, bytes } of scanFrames(readable, ended)) {
    const records = parsed(parser, bytes);
    for (;;) {
      let record: McapTypes.TypedMcapRecord | undefined;
      try {
        record = records.next().value ?? undefined;
      } catch (error) {
        ended({ damage: `the record at byte ${offset} of ${size} is damaged (${messageOf(error)})` });
        return;
      }
      if (record === undefined) break;
      yield record;
    }
  }
}

/** A record that carries data, unparsed. */
export interface RecordFrame {
  readonly opcode: number;
  /** of the record, from the start of the file */
  readonly offset: number;
  /** the whole record, valid until the next one is read */
  readonly bytes: Uint8Array;
  /** without opcode and length */
  readonly content: Uint8Array;
}

/** The records of a file one after another, each of a length that was checked. Chunks are not opened. */
export async function* scanFrames(
  readable: FileReadable,
  ended: (how: ScanEnd) => void = () => undefined,
): AsyncGenerator<RecordFrame, void, void> {
  const window = new Window(readable);
  const size = readable.length;
  for (let offset = MAGIC_LENGTH; ;) {
    const frame = await readFrame(window, offset, size);
    if (frame.kind !== 'record') {
      ended(frame);
      return;
    }
    const { opcode, length } = frame;
    if (READ.has(opcode)) {
      const bytes = await window.read(offset, RECORD_HEADER + length);
      yield { opcode, offset, bytes, content: bytes.subarray(RECORD_HEADER) };
    }
    offset += RECORD_HEADER + length;
  }
}

type Frame =
  | { readonly kind: 'record'; readonly opcode: number; readonly length: number }
  | ({ readonly kind: 'end' } & ScanEnd);

/** The opcode and length of the record at `offset`, or how the data end there. */
async function readFrame(window: Window, offset: number, size: number): Promise<Frame> {
  const damaged = (problem: string): Frame => ({
    kind: 'end',
    damage: `${problem} at byte ${offset} of ${size}`,
  });
  if (offset + RECORD_HEADER > size) return damaged('it ends within a record');
  const head = await window.read(offset, RECORD_HEADER);
  const opcode = head[0] as number;
  const length = Number(new DataView(head.buffer, head.byteOffset).getBigUint64(1, true));
  if (ENDS.has(opcode)) return { kind: 'end' };
  if (opcode === 0) return damaged('there is no record');
  if (offset + RECORD_HEADER + length > size) return damaged(`it ends within a record of ${length} bytes`);
  if (READ.has(opcode) && length > MEMORY_LIMITS.total)
    return damaged(`a record of ${length} bytes is too large`);
  return { kind: 'record', opcode, length };
}

/** What one record holds: itself, or the records of the chunk that it is. */
function* parsed(
  parser: McapStreamReader,
  bytes: Uint8Array,
): Generator<McapTypes.TypedMcapRecord, void, void> {
  parser.append(bytes);
  for (let record = parser.nextRecord(); record !== undefined; record = parser.nextRecord()) yield record;
}
