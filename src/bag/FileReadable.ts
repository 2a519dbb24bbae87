import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { McapTypes } from '@mcap/core';
import { FileFormatError } from '../errors';
import { Budget } from '../formats/Budget';
import { OPEN_FOR_READING, whyNotOpened } from '../formats/RangedFile';

/** One read may not ask for more: nothing in a recording that is read as a whole is larger. */
const MAX_READ = 2 ** 30;

/** Ranges of a file for the MCAP reader, each checked against the size of the file before memory is taken for it. */
export class FileReadable implements McapTypes.IReadable {
  readonly path: string;
  readonly length: number;
  readonly #handle: FileHandle;
  #budget: Budget;
  /** where the latest read began */
  lastOffset = 0;

  private constructor(path: string, handle: FileHandle, length: number) {
    this.path = path;
    this.#handle = handle;
    this.length = length;
    this.#budget = readingBudget(length);
  }

  /** A new pass over the file begins: what it may read is counted anew. */
  startPass(): void {
    this.#budget = readingBudget(this.length);
  }

  static async open(path: string): Promise<FileReadable> {
    try {
      const handle = await open(path, OPEN_FOR_READING);
      const stat = await handle.stat();
      if (stat.isFile()) return new FileReadable(path, handle, stat.size);
      await handle.close();
    } catch (error) {
      throw new FileFormatError(path, whyNotOpened(error), { cause: error });
    }
    throw new FileFormatError(path, 'is not a regular file');
  }

  size(): Promise<bigint> {
    return Promise.resolve(BigInt(this.length));
  }

  /** A buffer of its own for each read: messages keep pointing into it. */
  async read(offset: bigint, length: bigint): Promise<Uint8Array> {
    if (offset < 0n || length < 0n || offset + length > BigInt(this.length)) {
      throw new FileFormatError(
        this.path,
        `a record asks for ${length.toString()} bytes from byte ${offset.toString()}, but the file has ${this.length}`,
      );
    }
    if (length > BigInt(MAX_READ)) {
      throw new FileFormatError(
        this.path,
        `a record of ${length.toString()} bytes is larger than any recording's`,
      );
    }
    this.#budget.take('bytes', Number(length));
    this.lastOffset = Number(offset);
    const bytes = new Uint8Array(Number(length));
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await this.#handle.read(bytes, done, bytes.length - done, Number(offset) + done);
      if (bytesRead === 0) throw new FileFormatError(this.path, 'became shorter while it was read');
      done += bytesRead;
    }
    return bytes;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** A pass reads each part once or twice; an index that names the same part again and again would have it read for ever. */
function readingBudget(length: number): Budget {
  return new Budget({ bytes: 8 * length + 2 ** 26 });
}
