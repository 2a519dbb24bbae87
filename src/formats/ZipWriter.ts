import { crc32 } from 'node:zlib';
import type { ByteSink } from './writeAtomically';

const FULL16 = 0xffff;
const FULL32 = 0xffffffff;
/** Names are UTF-8 (bit 11), and CRC and sizes follow the data (bit 3). */
const FLAGS = 0x0808;
/** The version of the format that knows zip64. */
const VERSION = 45;

interface Written {
  readonly name: Buffer;
  readonly headerOffset: number;
  readonly size: number;
  readonly crc: number;
}

/**
 * Writes a zip archive of stored entries to a sink, from front to end (PKWARE APPNOTE 6.3.9), in the manner of
 * torch.save: the data of every entry begin at a multiple of 64 bytes, padded by an extra field "FB".
 */
export class ZipWriter {
  static readonly ALIGNMENT = 64;
  readonly #sink: ByteSink;
  readonly #prefix: string;
  readonly #entries: Written[] = [];

  /** All names get `prefix` in front. */
  constructor(sink: ByteSink, prefix: string) {
    this.#sink = sink;
    this.#prefix = prefix;
  }

  /** One entry whose bytes are at hand. */
  add(name: string, bytes: Uint8Array): void {
    this.addStream(name, bytes.length, () => {
      this.#sink.write(bytes);
      return crc32(bytes);
    });
  }

  /** One entry of `size` bytes; `produce` must put exactly that many into the sink and return their CRC-32. */
  addStream(name: string, size: number, produce: () => number): void {
    const headerOffset = this.#sink.position;
    const nameBytes = Buffer.from(this.#prefix + name, 'utf8');
    // An entry beyond 4 GiB says so with a zip64 field; the sizes themselves follow the data.
    const wide = size >= FULL32;
    const zip64 = wide ? wideField([0, 0]) : Buffer.alloc(0);
    const unpadded = headerOffset + 30 + nameBytes.length + zip64.length + 4;
    const padding = Buffer.alloc(
      4 + ((ZipWriter.ALIGNMENT - (unpadded % ZipWriter.ALIGNMENT)) % ZipWriter.ALIGNMENT),
      'Z',
    );
    padding.write('FB', 'latin1');
    padding.writeUInt16LE(padding.length - 4, 2);

    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(wide ? VERSION : 0, 4);
    header.writeUInt16LE(FLAGS, 6);
    if (wide) {
      header.writeUInt32LE(FULL32, 18);
      header.writeUInt32LE(FULL32, 22);
    }
    header.writeUInt16LE(nameBytes.length, 26);
    header.writeUInt16LE(zip64.length + padding.length, 28);
    this.#sink.write(Buffer.concat([header, nameBytes, zip64, padding]));

    const crc = produce();

    const descriptor = Buffer.alloc(wide ? 24 : 16);
    descriptor.writeUInt32LE(0x08074b50, 0);
    descriptor.writeUInt32LE(crc, 4);
    for (const at of [0, 1]) {
      if (wide) descriptor.writeBigUInt64LE(BigInt(size), 8 + 8 * at);
      else descriptor.writeUInt32LE(size, 8 + 4 * at);
    }
    this.#sink.write(descriptor);
    this.#entries.push({ name: nameBytes, headerOffset, size, crc });
  }

  /** Writes the directory. Nothing can be added after it. */
  finish(): void {
    const start = this.#sink.position;
    for (const entry of this.#entries) this.#sink.write(directoryEntry(entry));
    const length = this.#sink.position - start;
    const count = this.#entries.length;
    const wide = count >= FULL16 || start >= FULL32 || length >= FULL32;
    if (wide) {
      const record = Buffer.alloc(56 + 20);
      record.writeUInt32LE(0x06064b50, 0);
      record.writeBigUInt64LE(44n, 4);
      record.writeUInt16LE(VERSION, 12);
      record.writeUInt16LE(VERSION, 14);
      record.writeBigUInt64LE(BigInt(count), 24);
      record.writeBigUInt64LE(BigInt(count), 32);
      record.writeBigUInt64LE(BigInt(length), 40);
      record.writeBigUInt64LE(BigInt(start), 48);
      // The locator behind it says where it is.
      record.writeUInt32LE(0x07064b50, 56);
      record.writeBigUInt64LE(BigInt(start + length), 64);
      record.writeUInt32LE(1, 72);
      this.#sink.write(record);
    }
    const end = Buffer.alloc(22);
    end.writeUInt32LE(0x06054b50, 0);
    end.writeUInt16LE(Math.min(count, FULL16), 8);
    end.writeUInt16LE(Math.min(count, FULL16), 10);
    end.writeUInt32LE(Math.min(length, FULL32), 12);
    end.writeUInt32LE(Math.min(start, FULL32), 16);
    this.#sink.write(end);
  }
}

function directoryEntry({ name, headerOffset, size, crc }: Written): Buffer {
  const wide = [...(size >= FULL32 ? [size, size] : []), ...(headerOffset >= FULL32 ? [headerOffset] : [])];
  const extra = wide.length > 0 ? wideField(wide) : Buffer.alloc(0);
  const entry = Buffer.alloc(46);
  entry.writeUInt32LE(0x02014b50, 0);
  entry.writeUInt16LE(wide.length > 0 ? VERSION : 0, 4);
  entry.writeUInt16LE(wide.length > 0 ? VERSION : 0, 6);
  entry.writeUInt16LE(FLAGS, 8);
  entry.writeUInt32LE(crc, 16);
  entry.writeUInt32LE(Math.min(size, FULL32), 20);
  entry.writeUInt32LE(Math.min(size, FULL32), 24);
  entry.writeUInt16LE(name.length, 28);
  entry.writeUInt16LE(extra.length, 30);
  entry.writeUInt32LE(Math.min(headerOffset, FULL32), 42);
  return Buffer.concat([entry, name, extra]);
}

/** The zip64 extra field with these 64-bit numbers. */
function wideField(values: readonly number[]): Buffer {
  const field = Buffer.alloc(4 + 8 * values.length);
  field.writeUInt16LE(0x0001, 0);
  field.writeUInt16LE(8 * values.length, 2);
  values.forEach((value, i) => field.writeBigUInt64LE(BigInt(value), 4 + 8 * i));
  return field;
}
