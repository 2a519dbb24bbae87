import { closeSync, openSync, writeSync } from 'node:fs';
import { FileFormatError } from '../errors';
import { RangedFile } from '../formats/RangedFile';
import { DISK_LIMITS } from './limits';
import { decompressZstd } from './zstd';
import type { ByteSource } from './zstd';

const WINDOW = 2 ** 20;

/** Small reads out of a window, so that following block headers does not cost a system call each. */
function windowed(file: RangedFile): ByteSource {
  let start = 0;
  let window: Uint8Array = new Uint8Array(0);
  return {
    size: file.size,
    read(offset, length) {
      const wanted = Math.max(Math.min(length, file.size - offset), 0);
      if (wanted > WINDOW) return file.read(offset, wanted, 'compressed data');
      if (offset < start || offset + wanted > start + window.length) {
        start = offset;
        window = file.read(offset, Math.min(WINDOW, file.size - offset), 'compressed data');
      }
      return window.subarray(offset - start, offset - start + wanted);
    },
  };
}

/**
 * Decompresses a recording that was compressed as a whole file (`.mcap.zstd`, `.db3.zstd`) to `target`.
 *
 * @returns a warning if the file is cut or damaged; what came before is in `target`.
 * @throws FileFormatError where nothing can be read, or the content would be unreasonably large.
 */
export function unpackFile(path: string, target: string): string | undefined {
  return RangedFile.reading(path, (file) => {
    const descriptor = openSync(target, 'wx');
    let written = 0;
    try {
      const damage = decompressZstd(windowed(file), DISK_LIMITS, (block) => {
        for (let at = 0; at < block.length;) at += writeSync(descriptor, block, at);
        written += block.length;
      });
      if (damage === undefined) return undefined;
      const { problem, offset } = damage;
      const where = `${problem} at byte ${offset} of ${file.size}`;
      if (written === 0) throw new FileFormatError(path, `cannot be decompressed: ${where}`);
      return `${path}: is truncated or damaged: ${where}; read up to there`;
    } finally {
      closeSync(descriptor);
    }
  });
}
