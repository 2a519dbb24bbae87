import type { McapTypes } from '@mcap/core';
import { loadDecompressHandlers } from '@mcap/support';
import type { Budget } from '../formats/Budget';
import { MEMORY_LIMITS, whyTooLarge } from './limits';

/** Told of each chunk that was unfolded; may refuse to hold it. */
export type OnUnfolded = (bytes: Uint8Array) => void;

/**
 * The decompressors of MCAP chunks (zstd, lz4, bz2). They refuse to unfold a chunk beyond the limits, and all chunks
 * of a pass together beyond what `budget` has.
 */
export async function chunkDecompression(
  budget: () => Budget,
  onUnfolded: OnUnfolded = () => undefined,
): Promise<McapTypes.DecompressHandlers> {
  const handlers = await loadDecompressHandlers();
  return Object.fromEntries(
    Object.entries(handlers).map(([format, decompress]) => [
      format,
      (buffer: Uint8Array, size: bigint): Uint8Array => {
        const problem = whyTooLarge(buffer.byteLength, Number(size), MEMORY_LIMITS);
        if (problem !== undefined) throw new Error(`a ${format} chunk is refused: ${problem}`);
        budget().take('bytes', Number(size));
        const bytes = budget().timed(() => decompress(buffer, size));
        if (BigInt(bytes.byteLength) !== size) {
          throw new Error(
            `a ${format} chunk has ${bytes.byteLength} bytes, its header says ${size.toString()}`,
          );
        }
        onUnfolded(bytes);
        return bytes;
      },
    ]),
  );
}
