import { crc32 } from 'node:zlib';
import { FileFormatError } from '../errors';
import { crc32OfZeros } from './crc32OfZeros';
import { quoted } from '../words/quoted';
import type { RangedFile } from './RangedFile';

/*
 * The part of the zip format (PKWARE APPNOTE 6.3.9) that torch.save writes: stored entries, zip64 where numbers do
 * not fit into 32 bits. Only directories and headers are read here; the data stay where they are.
 */

/** One file in a zip archive, as its central directory describes it. */
export interface ZipEntry {
  readonly name: string;
  /** 0 stored, 8 deflated, ... */
  readonly method: number;
  readonly encrypted: boolean;
  /** bytes, as stored */
  readonly storedSize: number;
  /** bytes, unpacked */
  readonly size: number;
  readonly crc32: number;
  /** of the local header, from the start of the archive */
  readonly headerOffset: number;
}

const END_SIGNATURE = 0x06054b50;
const END_LENGTH = 22;
const LONGEST_COMMENT = 0xffff;
const END64_SIGNATURE = 0x06064b50;
const END64_LENGTH = 56;
const LOCATOR_SIGNATURE = 0x07064b50;
const LOCATOR_LENGTH = 20;
const CENTRAL_SIGNATURE = 0x02014b50;
const CENTRAL_LENGTH = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_LENGTH = 30;
const ZIP64_EXTRA = 0x0001;
const FULL32 = 0xffffffff;

/** A directory beyond this is refused: a checkpoint of 10,000 tensors needs about 1 MB. */
const LARGEST_DIRECTORY = 64 * 2 ** 20;

/**
 * Reads the central directory. Throws FileFormatError where the file is not a zip archive, is truncated, spans
 * several disks, or names an entry twice.
 */
export function readZipDirectory(file: RangedFile): ReadonlyMap<string, ZipEntry> {
  const { count, offset, length } = findDirectory(file);
  if (length > LARGEST_DIRECTORY || count * CENTRAL_LENGTH > length) {
    throw new FileFormatError(file.path, `has a damaged zip directory: ${count} entries in ${length} bytes`);
  }
  const bytes = file.read(offset, length, 'the zip directory');
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL_LENGTH > length || bytes.readUInt32LE(at) !== CENTRAL_SIGNATURE) {
      throw new FileFormatError(
        file.path,
        `has a damaged zip directory: entry ${i} is not where it should be`,
      );
    }
    const nameLength = bytes.readUInt16LE(at + 28);
    const extraLength = bytes.readUInt16LE(at + 30);
    const end = at + CENTRAL_LENGTH + nameLength + extraLength + bytes.readUInt16LE(at + 32);
    if (end > length) {
      throw new FileFormatError(
        file.path,
        `has a damaged zip directory: entry ${i} is longer than the directory`,
      );
    }
    const name = bytes.toString('utf8', at + CENTRAL_LENGTH, at + CENTRAL_LENGTH + nameLength);
    if (entries.has(name)) throw new FileFormatError(file.path, `has the zip entry ${quoted(name)} twice`);
    const extraStart = at + CENTRAL_LENGTH + nameLength;
    const wide = new WideNumbers(bytes.subarray(extraStart, extraStart + extraLength), file.path, name);
    const size = wide.widen(bytes.readUInt32LE(at + 24));
    const storedSize = wide.widen(bytes.readUInt32LE(at + 20));
    const headerOffset = wide.widen(bytes.readUInt32LE(at + 42));
    entries.set(name, {
      name,
      method: bytes.readUInt16LE(at + 10),
      encrypted: (bytes.readUInt16LE(at + 8) & 1) === 1,
      crc32: bytes.readUInt32LE(at + 16),
      size,
      storedSize,
      headerOffset,
    });
    at = end;
  }
  return entries;
}

/**
 * Where the data of a stored entry begin, bytes from the start of the archive; all its `size` bytes lie within the
 * file. Throws FileFormatError for compressed or encrypted entries and for damaged headers.
 */
export function storedDataOffset(file: RangedFile, entry: ZipEntry): number {
  const where = `the zip entry ${quoted(entry.name)}`;
  if (entry.encrypted)
    throw new FileFormatError(file.path, `${where} is encrypted, expected a plain torch.save file`);
  if (entry.method !== 0 || entry.storedSize !== entry.size) {
    throw new FileFormatError(
      file.path,
      `${where} is compressed (method ${entry.method}), expected stored: was the file zipped again? Use the file as torch.save wrote it`,
    );
  }
  const nameBytes = Buffer.from(entry.name, 'utf8');
  const header = file.read(entry.headerOffset, LOCAL_LENGTH + nameBytes.length, `the header of ${where}`);
  if (header.readUInt32LE(0) !== LOCAL_SIGNATURE) {
    throw new FileFormatError(
      file.path,
      `${where} has no header at byte ${entry.headerOffset}; the file is damaged`,
    );
  }
  if (header.readUInt16LE(26) !== nameBytes.length || !header.subarray(LOCAL_LENGTH).equals(nameBytes)) {
    throw new FileFormatError(
      file.path,
      `the directory says that ${where} begins at byte ${entry.headerOffset}, but another entry does; the file is damaged`,
    );
  }
  // Its own lengths of name and extra field: torch pads with the extra field, and only here.
  const offset = entry.headerOffset + LOCAL_LENGTH + header.readUInt16LE(26) + header.readUInt16LE(28);
  file.check(offset, entry.size, where);
  return offset;
}

/** All bytes of a stored entry, at most `limit` of them. */
export function readZipEntry(file: RangedFile, entry: ZipEntry, limit: number): Buffer {
  if (entry.size > limit) {
    throw new FileFormatError(
      file.path,
      `the zip entry ${quoted(entry.name)} has ${entry.size} bytes, at most ${limit} are allowed`,
    );
  }
  return file.read(storedDataOffset(file, entry), entry.size, `the zip entry ${quoted(entry.name)}`);
}

/** Bytes read at once where a whole archive is checked. */
const PIECE = 4 * 2 ** 20;

/**
 * Compares the bytes of every stored entry with its check sum in the directory. The sum of zeros is that of a hole (a
 * file written sparse), and says nothing of the numbers that were put into it since.
 * @throws FileFormatError naming the first entry that differs
 */
export function checkZipSums(file: RangedFile, entries: ReadonlyMap<string, ZipEntry>): void {
  const buffer = Buffer.alloc(PIECE);
  for (const entry of entries.values()) {
    const offset = storedDataOffset(file, entry);
    let sum = 0;
    for (let done = 0; done < entry.size; done += PIECE) {
      const piece = buffer.subarray(0, Math.min(PIECE, entry.size - done));
      file.readInto(piece, offset + done, `the zip entry ${quoted(entry.name)}`);
      sum = crc32(piece, sum);
    }
    if (sum !== entry.crc32 && entry.crc32 !== crc32OfZeros(entry.size)) {
      throw new FileFormatError(
        file.path,
        `the zip entry ${quoted(entry.name)} is damaged: its check sum (CRC-32) differs; fetch or save the file again`,
      );
    }
  }
}

interface DirectoryPlace {
  readonly count: number;
  readonly offset: number;
  readonly length: number;
}

function findDirectory(file: RangedFile): DirectoryPlace {
  const tailLength = Math.min(file.size, END_LENGTH + LONGEST_COMMENT);
  const tailStart = file.size - tailLength;
  const tail = file.read(tailStart, tailLength, 'the end of the zip archive');
  for (let at = tailLength - END_LENGTH; at >= 0; at--) {
    // The comment must fill the rest, so that a signature inside the comment is not taken for the record.
    if (tail.readUInt32LE(at) !== END_SIGNATURE) continue;
    if (at + END_LENGTH + tail.readUInt16LE(at + 20) !== tailLength) continue;
    const wide = findWideDirectory(file, tailStart + at);
    const disks = tail.readUInt16LE(at + 4) | tail.readUInt16LE(at + 6);
    const place = wide ?? {
      count: tail.readUInt16LE(at + 10),
      length: tail.readUInt32LE(at + 12),
      offset: tail.readUInt32LE(at + 16),
    };
    if (wide === undefined && (disks !== 0 || place.count !== tail.readUInt16LE(at + 8))) {
      throw new FileFormatError(
        file.path,
        'is one part of a zip archive of several parts, expected a whole one',
      );
    }
    if (place.offset + place.length > tailStart + at) {
      throw new FileFormatError(
        file.path,
        'has a zip directory that reaches over its own end; the file is damaged',
      );
    }
    return place;
  }
  throw new FileFormatError(
    file.path,
    'has no zip directory at its end; it is truncated or not a torch.save file',
  );
}

/** The zip64 form of the directory's place, if the archive has one. */
function findWideDirectory(file: RangedFile, endOffset: number): DirectoryPlace | undefined {
  if (endOffset < LOCATOR_LENGTH) return undefined;
  const locator = file.read(endOffset - LOCATOR_LENGTH, LOCATOR_LENGTH, 'the zip64 locator');
  if (locator.readUInt32LE(0) !== LOCATOR_SIGNATURE) return undefined;
  const offset = safeInteger(locator.readBigUInt64LE(8), file.path);
  const record = file.read(offset, END64_LENGTH, 'the zip64 end record');
  const count = safeInteger(record.readBigUInt64LE(32), file.path);
  if (
    record.readUInt32LE(0) !== END64_SIGNATURE ||
    record.readUInt32LE(16) !== 0 ||
    record.readUInt32LE(20) !== 0 ||
    record.readBigUInt64LE(24) !== BigInt(count)
  ) {
    throw new FileFormatError(file.path, `has a damaged zip64 end record at byte ${offset}`);
  }
  return {
    count,
    length: safeInteger(record.readBigUInt64LE(40), file.path),
    offset: safeInteger(record.readBigUInt64LE(48), file.path),
  };
}

/** The zip64 extra field of one entry: 64-bit numbers for those 32-bit fields that are full, in their order. */
class WideNumbers {
  readonly #field: Buffer | undefined;
  readonly #path: string;
  readonly #name: string;
  #at = 0;

  constructor(extra: Buffer, path: string, name: string) {
    this.#path = path;
    this.#name = name;
    for (let at = 0; at + 4 <= extra.length;) {
      const end = at + 4 + extra.readUInt16LE(at + 2);
      if (extra.readUInt16LE(at) === ZIP64_EXTRA) {
        this.#field = extra.subarray(at + 4, end);
        break;
      }
      at = end;
    }
  }

  widen(narrow: number): number {
    if (narrow !== FULL32) return narrow;
    if (this.#field === undefined || this.#at + 8 > this.#field.length) {
      throw new FileFormatError(
        this.#path,
        `the zip entry ${quoted(this.#name)} lacks its 64-bit sizes; the file is damaged`,
      );
    }
    const value = safeInteger(this.#field.readBigUInt64LE(this.#at), this.#path);
    this.#at += 8;
    return value;
  }
}

function safeInteger(value: bigint, path: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new FileFormatError(
      path,
      `has a zip number out of range (${value.toString()}); the file is damaged`,
    );
  }
  return Number(value);
}
