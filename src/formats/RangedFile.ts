import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { FileFormatError, messageOf } from '../errors';

/** A pipe that nobody writes to would keep an ordinary `open` waiting for ever. */
export const OPEN_FOR_READING = constants.O_RDONLY | constants.O_NONBLOCK;

/** Linux reads at most 2 GiB - 4 KiB in one call. */
const LARGEST_READ = 2 ** 30;

/**
 * A regular file read by absolute byte ranges. Every range is checked against the size of the file before anything
 * is allocated, so that a length from a hostile header cannot ask for more memory than the file has bytes.
 */
export class RangedFile {
  readonly path: string;
  /** bytes */
  readonly size: number;
  readonly #descriptor: number;

  private constructor(path: string, descriptor: number, size: number) {
    this.path = path;
    this.#descriptor = descriptor;
    this.size = size;
  }

  /** Opens `path`, runs `use`, and closes it. Throws FileFormatError where there is no readable regular file. */
  static reading<T>(path: string, use: (file: RangedFile) => T): T {
    const file = RangedFile.open(path);
    try {
      return use(file);
    } finally {
      file.close();
    }
  }

  /** Opens `path`; the caller closes it. Throws FileFormatError where there is no readable regular file. */
  static open(path: string): RangedFile {
    let descriptor: number;
    try {
      descriptor = openSync(path, OPEN_FOR_READING);
    } catch (error) {
      throw new FileFormatError(path, whyNotOpened(error), { cause: error });
    }
    const stat = fstatSync(descriptor);
    const problem = stat.isFile()
      ? isPointer(descriptor, stat.size) && POINTER
      : `is ${stat.isDirectory() ? 'a folder' : 'not a regular file'}, expected a file`;
    if (problem === false) return new RangedFile(path, descriptor, stat.size);
    closeSync(descriptor);
    throw new FileFormatError(path, problem);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  /** `length` bytes from `offset`, in a buffer of their own. `what` names the part in the error for a short file. */
  read(offset: number, length: number, what: string): Buffer {
    this.check(offset, length, what);
    const bytes = Buffer.alloc(length);
    this.readInto(bytes, offset, what);
    return bytes;
  }

  /** Fills `target` with the bytes from `offset`. */
  readInto(target: Uint8Array, offset: number, what: string): void {
    this.check(offset, target.byteLength, what);
    let done = 0;
    while (done < target.byteLength) {
      const wanted = Math.min(target.byteLength - done, LARGEST_READ);
      const got = readSync(this.#descriptor, target, done, wanted, offset + done);
      if (got === 0) {
        throw new FileFormatError(
          this.path,
          `ended at byte ${offset + done} while ${what} was read; was it changed?`,
        );
      }
      done += got;
    }
  }

  /** Throws unless the `length` bytes from `offset` lie within the file. */
  check(offset: number, length: number, what: string): void {
    const sane = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
    if (!sane || offset + length > this.size) {
      throw new FileFormatError(
        this.path,
        `${what} would take ${length} bytes from byte ${offset}, but the file has ${this.size}; it is truncated or damaged`,
      );
    }
  }
}

const POINTER =
  'is a pointer of Git LFS in place of the file itself; fetch the file (git lfs pull, or hf download)';
/** What a clone without Git LFS leaves, a text of some 130 bytes. Source: its docs/spec.md. */
const POINTER_BEGINNING = Buffer.from('version https://git-lfs.github.com/spec/');
const LARGEST_POINTER = 1024;

function isPointer(descriptor: number, size: number): boolean {
  if (size < POINTER_BEGINNING.length || size > LARGEST_POINTER) return false;
  const beginning = Buffer.alloc(POINTER_BEGINNING.length);
  readSync(descriptor, beginning, 0, beginning.length, 0);
  return beginning.equals(POINTER_BEGINNING);
}

/** Why a file cannot be opened, as the rest of a sentence that begins with its name. */
export function whyNotOpened(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return 'does not exist';
    case 'EACCES':
      return 'may not be read (permission denied)';
    case 'EISDIR':
      return 'is a folder, expected a file';
    case 'ENXIO':
      return 'is not a regular file, expected a file';
    case 'ELOOP':
      return 'is a link that leads to itself';
    default:
      return `cannot be opened: ${messageOf(error)}`;
  }
}
