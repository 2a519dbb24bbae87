import { FileFormatError } from '../errors';
import { RangedFile } from '../formats/RangedFile';

/** What the dynamic section of a shared library says to the loader. */
export interface ElfDynamic {
  /** e_machine: 62 is x86-64, 183 is AArch64 */
  readonly machine: number;
  readonly soname: string | undefined;
  /** DT_NEEDED, in order */
  readonly needed: readonly string[];
  /** DT_RUNPATH, as written (`$ORIGIN` is not expanded) */
  readonly runpath: readonly string[];
  /** DT_RPATH, which counts only where there is no DT_RUNPATH */
  readonly rpath: readonly string[];
}

const HEADER_LENGTH = 64;
const PROGRAM_HEADER_LENGTH = 56;
const DYNAMIC_ENTRY_LENGTH = 16;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;

const PT_LOAD = 1;
const PT_DYNAMIC = 2;

const DT_NULL = 0;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const DT_STRSZ = 10;
const DT_SONAME = 14;
const DT_RPATH = 15;
const DT_RUNPATH = 29;

/** The CUDA provider has 30 entries and 150 kB of strings; more than these is damage. */
const MOST_ENTRIES = 4096;
const MOST_STRINGS = 64 * 2 ** 20;

/**
 * Reads the dynamic section of a 64-bit little-endian ELF file (System V ABI, chapter 5), without loading it.
 * @throws FileFormatError where the file is something else or is damaged
 */
export function readElf(path: string): ElfDynamic {
  return RangedFile.reading(path, (file) => {
    const header = file.read(0, HEADER_LENGTH, 'the ELF header');
    if (header.readUInt32BE(0) !== 0x7f454c46) throw new FileFormatError(path, 'is not an ELF file');
    if (header[4] !== CLASS_64 || header[5] !== LITTLE_ENDIAN) {
      throw new FileFormatError(path, 'is not a 64-bit little-endian ELF file');
    }
    const segments = readSegments(file, header);
    const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
    const machine = header.readUInt16LE(18);
    if (!dynamic) return { machine, soname: undefined, needed: [], runpath: [], rpath: [] };

    const entries = readDynamic(file, dynamic);
    const text = stringTable(file, segments, entries);
    const texts = (tag: number): string[] => entries.filter((e) => e.tag === tag).map((e) => text(e.value));
    const folders = (tag: number): string[] => texts(tag).flatMap((t) => t.split(':').filter(Boolean));
    return {
      machine,
      soname: texts(DT_SONAME)[0],
      needed: texts(DT_NEEDED),
      runpath: folders(DT_RUNPATH),
      rpath: folders(DT_RPATH),
    };
  });
}

interface Segment {
  readonly type: number;
  /** bytes from the start of the file */
  readonly offset: number;
  readonly address: number;
  /** bytes in the file */
  readonly length: number;
}

interface DynamicEntry {
  readonly tag: number;
  readonly value: number;
}

function readSegments(file: RangedFile, header: Buffer): readonly Segment[] {
  const size = header.readUInt16LE(54);
  const count = header.readUInt16LE(56);
  if (count > 0 && size !== PROGRAM_HEADER_LENGTH) {
    throw new FileFormatError(
      file.path,
      `has program headers of ${size} bytes, expected ${PROGRAM_HEADER_LENGTH}`,
    );
  }
  const bytes = file.read(integer(file, header, 32), count * PROGRAM_HEADER_LENGTH, 'the program headers');
  return Array.from({ length: count }, (_, i) => {
    const at = i * PROGRAM_HEADER_LENGTH;
    return {
      type: bytes.readUInt32LE(at),
      offset: integer(file, bytes, at + 8),
      address: integer(file, bytes, at + 16),
      length: integer(file, bytes, at + 32),
    };
  });
}

function readDynamic(file: RangedFile, { offset, length }: Segment): readonly DynamicEntry[] {
  const count = Math.floor(length / DYNAMIC_ENTRY_LENGTH);
  if (count > MOST_ENTRIES) throw new FileFormatError(file.path, `has a dynamic section of ${count} entries`);
  const bytes = file.read(offset, count * DYNAMIC_ENTRY_LENGTH, 'the dynamic section');
  const entries: DynamicEntry[] = [];
  for (let at = 0; at < bytes.length; at += DYNAMIC_ENTRY_LENGTH) {
    const tag = Number(bytes.readBigInt64LE(at));
    if (tag === DT_NULL) break;
    // Flags use all 64 bits; they are not looked at, so that rounding them does no harm.
    entries.push({ tag, value: Number(bytes.readBigUInt64LE(at + 8)) });
  }
  return entries;
}

/** Reads the zero-terminated string at an offset of the dynamic string table. */
function stringTable(
  file: RangedFile,
  segments: readonly Segment[],
  entries: readonly DynamicEntry[],
): (offset: number) => string {
  const address = entries.find(({ tag }) => tag === DT_STRTAB)?.value;
  const length = entries.find(({ tag }) => tag === DT_STRSZ)?.value;
  if (address === undefined || length === undefined) {
    throw new FileFormatError(file.path, 'has a dynamic section without a string table');
  }
  if (length > MOST_STRINGS) throw new FileFormatError(file.path, `has a string table of ${length} bytes`);
  const home = segments.find(
    (s) => s.type === PT_LOAD && address >= s.address && address + length <= s.address + s.length,
  );
  if (!home) throw new FileFormatError(file.path, 'has a string table outside of its segments');
  const table = file.read(home.offset + (address - home.address), length, 'the dynamic string table');
  return (offset) => {
    const end = offset < length ? table.indexOf(0, offset) : -1;
    if (end < 0) throw new FileFormatError(file.path, `has no string at ${offset} of its string table`);
    return table.toString('utf8', offset, end);
  };
}

function integer(file: RangedFile, bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64LE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new FileFormatError(file.path, `has an offset of ${value.toString()}; the file is damaged`);
  }
  return Number(value);
}
