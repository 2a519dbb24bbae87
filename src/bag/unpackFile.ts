import { closeSync, openSync, statfsSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FileFormatError, FastWamError, Interrupted, messageOf } from '../errors';
import { RangedFile } from '../formats/RangedFile';
import { DISK_LIMITS } from './limits';
import { decompressZstd } from './zstd';
import type { ByteSource } from './zstd';

const WINDOW = 2 ** 20;
/** Left free on the disk that a recording is unfolded to, bytes: others need it too. */
const LEFT_FREE = 2 ** 28;

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
 * Decompresses a recording that was compressed as a whole file (`.mcap.zstd`, `.db3.zstd`) to `target`. Between pieces
 * others have their turn, so that the work can be interrupted.
 *
 * @returns a warning if the file is cut or damaged; what came before is in `target`.
 * @throws FileFormatError where nothing can be read, or the content would be unreasonably large; FastWamError where
 * the disk has no room for it
 */
export async function unpackFile(
  path: string,
  target: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const room = roomBeside(target);
  const file = RangedFile.open(path);
  const descriptor = openSync(target, 'wx');
  let written = 0;
  try {
    const unfolding = decompressZstd(windowed(file), DISK_LIMITS);
    let step = unfolding.next();
    for (; step.done !== true; step = unfolding.next()) {
      for (const block of step.value) {
        written += block.length;
        if (written > room) throw noRoom(path, target, room);
        for (let at = 0; at < block.length;) at += writeSync(descriptor, block, at);
      }
      await nextTurn();
      if (signal?.aborted) throw new Interrupted('stopped while a recording was unfolded', 130);
    }
    const damage = step.value;
    if (damage === undefined) return undefined;
    const { problem, offset } = damage;
    const where = `${problem} at byte ${offset} of ${file.size}`;
    if (written === 0) throw new FileFormatError(path, `cannot be decompressed: ${where}`);
    return `${path}: is truncated or damaged: ${where}; read up to there`;
  } catch (error) {
    if (error instanceof FastWamError) throw error;
    throw new FastWamError(`${path}: cannot be unfolded to ${dirname(target)}: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    closeSync(descriptor);
    file.close();
  }
}

function roomBeside(target: string): number {
  const { bavail, bsize } = statfsSync(dirname(target));
  return Math.max(0, bavail * bsize - LEFT_FREE);
}

function noRoom(path: string, target: string, room: number): FastWamError {
  return new FastWamError(
    `${path}: unfolds to more than the ${room} bytes that ${dirname(target)} has room for; set TMPDIR to a folder with more, or unfold it yourself (zstd -d)`,
  );
}
