import type { McapTypes } from '@mcap/core';
import { loadDecompressHandlers } from '@mcap/support';
import { MEMORY_LIMITS, whyTooLarge } from './limits';

/** The decompressors of MCAP chunks (zstd, lz4, bz2), which refuse to unfold a chunk beyond the limits. */
export async function chunkDecompression(): Promise<McapTypes.DecompressHandlers> {
  const handlers = await loadDecompressHandlers();
  return Object.fromEntries(
    Object.entries(handlers).map(([format, decompress]) => [
      format,
      (buffer: Uint8Array, size: bigint): Uint8Array => {
        const problem = whyTooLarge(buffer.byteLength, Number(size), MEMORY_LIMITS);
        if (problem !== undefined) throw new Error(`a ${format} chunk is refused: ${problem}`);
        const bytes = decompress(buffer, size);
        if (BigInt(bytes.byteLength) !== size) {
          throw new Error(
            `a ${format} chunk has ${bytes.byteLength} bytes, its header says ${size.toString()}`,
          );
        }
        return bytes;
      },
    ]),
  );
}
