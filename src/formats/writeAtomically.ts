import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, ftruncateSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { FastWamError, messageOf } from '../errors';

/** Linux writes at most 2 GiB - 4 KiB in one call. */
const LARGEST_WRITE = 2 ** 30;

/** A file being written from its start to its end. */
export interface ByteSink {
  /** bytes written or skipped so far */
  readonly position: number;
  write(bytes: Uint8Array): void;
  /** Leaves `length` zero bytes as a hole, which takes no space on the disk. */
  skip(length: number): void;
}

class FileSink implements ByteSink {
  position = 0;
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  write(bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.byteLength) {
      const wanted = Math.min(bytes.byteLength - done, LARGEST_WRITE);
      done += writeSync(this.#descriptor, bytes, done, wanted, this.position + done);
    }
    this.position += bytes.byteLength;
  }

  skip(length: number): void {
    this.position += length;
  }

  finish(): void {
    // A hole at the very end exists only once the size says so.
    ftruncateSync(this.#descriptor, this.position);
    fsyncSync(this.#descriptor);
  }
}

/**
 * Writes a file so that `path` has either its old content or the whole new one: into a temporary file beside it,
 * then renamed. Nothing is left behind when `produce` throws.
 */
export function writeAtomically(path: string, produce: (sink: ByteSink) => void): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  let descriptor: number;
  try {
    descriptor = openSync(temporary, 'wx');
  } catch (error) {
    throw new FastWamError(`${path}: cannot be written: ${messageOf(error)}`, { cause: error });
  }
  try {
    try {
      const sink = new FileSink(descriptor);
      produce(sink);
      sink.finish();
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error instanceof FastWamError
      ? error
      : new FastWamError(`${path}: cannot be written: ${messageOf(error)}`, { cause: error });
  }
}

/** Writes a text file, see {@link writeAtomically}. A link at `path` is replaced, what it leads to stays as it is. */
export function writeText(path: string, text: string): void {
  writeAtomically(path, (sink) => sink.write(Buffer.from(text)));
}
