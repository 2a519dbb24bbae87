import { Decompress } from 'fzstd';
import { messageOf } from '../errors';
import type { ExpansionLimits } from './limits';
import { whyTooLarge } from './limits';

/** Bytes at absolute positions; a read past the end gives what there is. */
export interface ByteSource {
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
}

/** Where and why decompression stopped before the end. */
export interface ZstdDamage {
  /** position in the compressed bytes */
  readonly offset: number;
  readonly problem: string;
}

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_MASK = 0xfffffff0;
const MAX_FRAME_HEADER = 18;
/** A block holds and unfolds to at most this (RFC 8878, 3.1.1.2.4). */
const MAX_BLOCK = 128 * 1024;
/** What zstd itself accepts by default; the window is memory that a frame header asks for. */
const MAX_WINDOW = 2 ** 27;
/** Compressed bytes given to the decoder at once: small, since a few may unfold to very many. */
const PIECE = 2 ** 12;

interface FrameHeader {
  readonly length: number;
  readonly checksum: boolean;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads and checks a frame header (RFC 8878, 3.1.1.1); a text is the reason why it is refused. */
function readFrameHeader(bytes: Uint8Array): FrameHeader | string {
  const data = view(bytes);
  const descriptor = data.getUint8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  if ((descriptor & 0x08) !== 0) return 'a reserved bit is set in a frame header';
  if ((descriptor & 0x03) !== 0) return 'it needs a dictionary, which recordings do not have';
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
  const length = 5 + (singleSegment ? 0 : 1) + sizeBytes;
  if (bytes.length < length) return 'it ends within a frame header';
  let window: number;
  if (singleSegment) {
    const at = 5;
    if (sizeBytes === 1) window = data.getUint8(at);
    else if (sizeBytes === 2) window = data.getUint16(at, true) + 256;
    else if (sizeBytes === 4) window = data.getUint32(at, true);
    else window = Number(data.getBigUint64(at, true));
  } else {
    const byte = data.getUint8(5);
    const base = 2 ** (10 + (byte >> 3));
    window = base + (base / 8) * (byte & 7);
  }
  if (window > MAX_WINDOW) return `a frame asks for a window of ${window} bytes, more than ${MAX_WINDOW}`;
  return { length, checksum: (descriptor & 0x04) !== 0 };
}

/** Follows the block headers of a frame to its end, without decompressing. */
function findFrameEnd(
  source: ByteSource,
  begin: number,
  header: FrameHeader,
): { readonly end: number; readonly damage?: ZstdDamage } {
  let at = begin + header.length;
  for (;;) {
    const bytes = source.read(at, 3);
    if (bytes.length < 3) return { end: at, damage: { offset: at, problem: 'it ends within a frame' } };
    const block = (bytes[0] as number) | ((bytes[1] as number) << 8) | ((bytes[2] as number) << 16);
    const type = (block >> 1) & 3;
    const size = block >> 3;
    if (type === 3 || size > MAX_BLOCK)
      return { end: at, damage: { offset: at, problem: 'a block header is damaged' } };
    const next = at + 3 + (type === 1 ? 1 : size);
    if (next > source.size) return { end: at, damage: { offset: at, problem: 'it ends within a block' } };
    at = next;
    if ((block & 1) !== 0) return { end: at + (header.checksum ? 4 : 0) };
  }
}

/**
 * Decompresses zstd frames from `source`, some blocks at a time. Each frame's header is checked before the
 * decoder sees it and each block counts against the limits, so that neither memory nor output can be asked for
 * without bounds. What is whole before a cut or a damaged place is delivered.
 *
 * @returns undefined when everything was read, else where and why it stopped.
 */
export function* decompressZstd(
  source: ByteSource,
  limits: ExpansionLimits,
): Generator<readonly Uint8Array[], ZstdDamage | undefined, void> {
  let offset = 0;
  let unfolded = 0;
  let excess: string | undefined;
  while (offset < source.size) {
    const head = source.read(offset, MAX_FRAME_HEADER);
    if (head.length < 5) return { offset, problem: 'it ends within a frame header' };
    const magic = view(head).getUint32(0, true);
    if ((magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC && head.length >= 8) {
      offset += 8 + view(head).getUint32(4, true);
      continue;
    }
    if (magic !== FRAME_MAGIC) return { offset, problem: 'there is no zstd frame here' };
    const header = readFrameHeader(head);
    if (typeof header === 'string') return { offset, problem: header };
    const { end, damage } = findFrameEnd(source, offset, header);

    let blocks: Uint8Array[] = [];
    const decoder = new Decompress((block) => {
      unfolded += block.length;
      excess ??= whyTooLarge(source.size, unfolded, limits);
      if (excess !== undefined) throw new Error(excess);
      // The decoder uses its window again.
      blocks.push(block.slice());
    });
    for (let at = offset; at < end; at += PIECE) {
      const last = at + PIECE >= end;
      let problem: string | undefined;
      try {
        decoder.push(source.read(at, Math.min(PIECE, end - at)).slice(), last && damage === undefined);
      } catch (error) {
        problem = excess ?? messageOf(error);
      }
      yield blocks;
      if (problem !== undefined) return { offset, problem };
      blocks = [];
    }
    if (damage !== undefined) return damage;
    offset = end;
  }
  return undefined;
}

/** Decompresses a message, see {@link decompressZstd}; damage is an error here. */
export function decompressBytes(data: Uint8Array, limits: ExpansionLimits): Uint8Array {
  const blocks: Uint8Array[] = [];
  const source: ByteSource = {
    size: data.length,
    read: (offset, length) => data.subarray(offset, offset + length),
  };
  const unfolding = decompressZstd(source, limits);
  let step = unfolding.next();
  for (; step.done !== true; step = unfolding.next()) blocks.push(...step.value);
  const damage = step.value;
  if (damage !== undefined) throw new Error(`${damage.problem} (at byte ${damage.offset})`);
  return Buffer.concat(blocks);
}
