import { FileFormatError, InputError } from '../errors';
import { quoted } from '../words/quoted';
import { BYTES_PER_ELEMENT, elementCount, unreadType } from './StoredTensor';
import type { StoredDType, StoredTensor, TensorFile } from './StoredTensor';
import { RangedFile } from './RangedFile';
import { parseSafetensorsHeader } from './safetensorsHeader';
import { writeAtomically } from './writeAtomically';

/** The limit of the reference implementation. */
const LARGEST_HEADER = 100_000_000;
/** Bytes of the header's length in front of it. */
const PREFIX = 8;

/**
 * Reads the header of a safetensors file (https://github.com/huggingface/safetensors, "Format"); no tensor is read.
 *
 * Throws FileFormatError where the header or a tensor lies outside the file, where tensors overlap or leave gaps,
 * where a name stands twice, or where dtype, shape and length do not agree.
 */
export function openSafetensors(path: string): TensorFile {
  return RangedFile.reading(path, (file) => {
    const headerLength = file.read(0, PREFIX, 'the length of the safetensors header').readBigUInt64LE();
    if (headerLength > BigInt(LARGEST_HEADER)) {
      throw new FileFormatError(
        path,
        `is not a safetensors file: its first 8 bytes announce a header of ${headerLength.toString()} bytes, at most ${LARGEST_HEADER} are allowed`,
      );
    }
    const dataStart = PREFIX + Number(headerLength);
    const header = parseSafetensorsHeader(
      decodeUtf8(file.read(PREFIX, Number(headerLength), 'the safetensors header'), path),
      path,
    );

    const entries = [...header.entries].sort((a, b) => a.begin - b.begin || a.end - b.end);
    const byName = new Map<string, StoredTensor>();
    let end = 0;
    for (const entry of entries) {
      const where = `tensor ${quoted(entry.name)}`;
      const dtype = knownDType(entry.dtype);
      if (dtype === undefined) {
        throw new FileFormatError(path, `${where} ${unreadType(entry.dtype)}`);
      }
      if (entry.begin !== end) {
        throw new FileFormatError(
          path,
          `${where} starts at data byte ${entry.begin}, expected ${end}: tensors may not overlap or leave gaps`,
        );
      }
      const byteLength = elementCount(entry.shape) * BYTES_PER_ELEMENT[dtype];
      if (entry.end - entry.begin !== byteLength) {
        throw new FileFormatError(
          path,
          `${where} has ${entry.end - entry.begin} bytes, but ${dtype} [${entry.shape.join(', ')}] needs ${byteLength}`,
        );
      }
      const offset = dataStart + entry.begin;
      file.check(offset, byteLength, where);
      byName.set(entry.name, { name: entry.name, dtype, shape: entry.shape, file: path, offset, byteLength });
      end = entry.end;
    }
    if (dataStart + end !== file.size) {
      throw new FileFormatError(
        path,
        `has ${file.size} bytes, but its tensors end at byte ${dataStart + end}; it is truncated or has something appended`,
      );
    }

    // The order of the header, which is the author's, not that of the offsets.
    const tensors = new Map<string, StoredTensor>();
    for (const { name } of header.entries) {
      const tensor = byName.get(name);
      if (tensor) tensors.set(name, tensor);
    }
    return { path, tensors, metadata: Object.fromEntries(header.metadata) };
  });
}

/** A tensor to write: `data` holds its elements, little-endian and row-major. */
export interface TensorData {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/**
 * Writes a safetensors file atomically. Tensors keep the given order, except that wider element types go first, so
 * that every tensor is aligned to its element size. Throws InputError where data and shape do not agree or a name
 * stands twice.
 */
export function writeSafetensors(
  path: string,
  entries: Iterable<TensorData>,
  metadata: Readonly<Record<string, string>> = {},
): void {
  const tensors = [...entries].sort((a, b) => BYTES_PER_ELEMENT[b.dtype] - BYTES_PER_ELEMENT[a.dtype]);
  for (const { name, dtype, shape, data } of tensors) {
    const needed = elementCount(shape) * BYTES_PER_ELEMENT[dtype];
    if (data.byteLength !== needed) {
      throw new InputError(
        `tensor ${quoted(name)} has ${data.byteLength} bytes of data, but ${dtype} [${shape.join(', ')}] needs ${needed}`,
      );
    }
  }
  const header = headerBytes(tensors, metadata);
  writeAtomically(path, (sink) => {
    sink.write(header);
    for (const { data } of tensors) sink.write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  });
}

/**
 * The beginning of a safetensors file up to the data of its tensors, which follow one another without gaps. Throws InputError
 * where a name stands twice.
 */
export function headerBytes(
  tensors: readonly Omit<TensorData, 'data'>[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) header.set('__metadata__', metadata);
  let begin = 0;
  for (const { name, dtype, shape } of tensors) {
    const needed = elementCount(shape) * BYTES_PER_ELEMENT[dtype];
    if (header.has(name) || name === '__metadata__') {
      throw new InputError(`tensor ${quoted(name)} cannot be written: its name is taken`);
    }
    header.set(name, { dtype, shape, data_offsets: [begin, begin + needed] });
    begin += needed;
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)), 'utf8');
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, ' ');
  json.copy(padded);
  const prefix = Buffer.alloc(PREFIX);
  prefix.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([prefix, padded]);
}

function knownDType(name: string): StoredDType | undefined {
  return Object.hasOwn(BYTES_PER_ELEMENT, name) ? (name as StoredDType) : undefined;
}

function decodeUtf8(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new FileFormatError(path, 'is not a safetensors file: its header is not UTF-8 text', {
      cause: error,
    });
  }
}
