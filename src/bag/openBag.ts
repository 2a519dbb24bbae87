import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { FileFormatError } from '../errors';
import { RangedFile } from '../formats/RangedFile';
import { METADATA_FILE, readFolderMetadata } from './bagMetadata';
import { Bag } from './Bag';
import { isLerobotDataset, LerobotDataset } from './lerobot/LerobotDataset';
import { MCAP_MAGIC, McapFile } from './McapFile';
import { SQLITE_MAGIC, SqliteFile } from './SqliteFile';
import { TemporaryFolder } from '../TemporaryFolder';
import { quoted } from '../words/quoted';
import { unpackFile } from './unpackFile';
import type { BagFile, BagMetadata, BagReader } from './types';

const ZSTD_MAGIC = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);
const BAG_FILE = /\.(mcap|db3)(\.zstd)?$/;

function firstBytes(path: string): Uint8Array {
  return RangedFile.reading(path, (file) =>
    file.read(0, Math.min(file.size, SQLITE_MAGIC.length), 'the first bytes'),
  );
}

function isMagic(bytes: Uint8Array, magic: Uint8Array): boolean {
  return bytes.length >= magic.length && magic.every((byte, i) => bytes[i] === byte);
}

/** A compressed file unfolded to a temporary folder, which goes when the file is closed. */
class UnpackedFile implements BagFile {
  readonly #file: BagFile;
  readonly #folder: TemporaryFolder;
  readonly #warnings: readonly string[];

  constructor(
    readonly path: string,
    file: BagFile,
    folder: TemporaryFolder,
    warnings: readonly string[],
  ) {
    this.#file = file;
    this.#folder = folder;
    this.#warnings = warnings;
  }

  get storage() {
    return this.#file.storage;
  }
  get topics() {
    return this.#file.topics;
  }
  get start() {
    return this.#file.start;
  }
  get end() {
    return this.#file.end;
  }
  get warnings() {
    return [...this.#warnings, ...this.#file.warnings];
  }
  messages(options?: Parameters<BagFile['messages']>[0]) {
    return this.#file.messages(options);
  }
  async close() {
    await this.#file.close();
    this.#folder.remove();
  }
}

async function openUnpacked(path: string, signal: AbortSignal | undefined): Promise<BagFile> {
  const folder = new TemporaryFolder('bag');
  try {
    const unpacked = folder.join(basename(path).replace(/\.zstd$/, ''));
    const warning = await unpackFile(path, unpacked, signal);
    const file = await openPlain(unpacked, firstBytes(unpacked));
    if (file === undefined)
      throw new FileFormatError(path, 'holds neither an MCAP file nor an SQLite database');
    return new UnpackedFile(path, file, folder, warning === undefined ? [] : [warning]);
  } catch (error) {
    folder.remove();
    throw error;
  }
}

async function openPlain(path: string, magic: Uint8Array): Promise<BagFile | undefined> {
  if (isMagic(magic, MCAP_MAGIC)) return McapFile.open(path);
  if (isMagic(magic, SQLITE_MAGIC)) return SqliteFile.open(path);
  return undefined;
}

/** Opens one file of a recording by what it holds; its name does not matter. */
async function openBagFile(path: string, signal: AbortSignal | undefined): Promise<BagFile> {
  const magic = firstBytes(path);
  if (magic.length === 0) throw new FileFormatError(path, 'is empty: the recorder did not get to write it');
  if (isMagic(magic, ZSTD_MAGIC)) return openUnpacked(path, signal);
  const file = await openPlain(path, magic);
  if (file !== undefined) return file;
  throw new FileFormatError(
    path,
    'is not a recording: expected MCAP or a rosbag2 SQLite database, zstd-compressed or not',
  );
}

/** The files of a folder without metadata.yaml: all of one recording `<name>_0`, `<name>_1` … in order. */
function filesWithoutMetadata(folder: string, missing: readonly string[] = []): string[] {
  const files = readdirSync(folder).filter((name) => BAG_FILE.test(name) && !name.startsWith('.'));
  const recordings = new Set(files.map((name) => name.replace(BAG_FILE, '').replace(/_\d+$/, '')));
  if (files.length === 0) {
    const [why = `there is no ${METADATA_FILE} and no .mcap or .db3 file`] = missing;
    throw new FileFormatError(folder, `holds no recording: ${why}`);
  }
  if (recordings.size > 1) {
    throw new FileFormatError(
      folder,
      `has no ${METADATA_FILE} and holds several recordings; name one of ${files
        .slice(0, 20)
        .map((name) => quoted(name))
        .join(', ')}`,
    );
  }
  const number = (name: string): number => Number(/_(\d+)\.(?:mcap|db3)/.exec(name)?.[1] ?? 0);
  return files.sort((a, b) => number(a) - number(b)).map((name) => join(folder, name));
}

export interface OpenOptions {
  /** stops unfolding a compressed file */
  readonly signal?: AbortSignal;
}

/**
 * Opens a rosbag2 recording: a folder with metadata.yaml (split or not), or one MCAP or SQLite3 file, compressed as a
 * whole, by chunks, by messages or not at all; or a LeRobot dataset. The caller closes it.
 *
 * @throws FileFormatError where there is no recording, or nothing of it can be read. Whatever else is missing, empty,
 * cut or damaged (a split, the metadata) is passed over, and said in `warnings`.
 */
export async function openBag(path: string, { signal }: OpenOptions = {}): Promise<BagReader> {
  let isFolder: boolean;
  try {
    isFolder = statSync(path).isDirectory();
  } catch (error) {
    throw new FileFormatError(path, 'does not exist; expected a rosbag2 folder, or an .mcap or .db3 file', {
      cause: error,
    });
  }
  if (isFolder && isLerobotDataset(path)) return LerobotDataset.open(path);
  const { paths, metadata, warnings } = isFolder
    ? contentsOf(path)
    : { paths: [path], metadata: undefined, warnings: [] };
  const files: BagFile[] = [];
  try {
    const problems: FileFormatError[] = [];
    for (const one of paths) {
      try {
        files.push(await openBagFile(one, signal));
      } catch (error) {
        if (!(error instanceof FileFormatError)) throw error;
        problems.push(error);
      }
    }
    const [problem] = problems;
    if (files.length === 0 && problem !== undefined) throw problem;
    const passedOver = problems.map(({ message }) => `${message}; the rest is read`);
    return new Bag(path, files, metadata, [...warnings, ...passedOver]);
  } catch (error) {
    for (const file of files) await file.close();
    throw error;
  }
}

/** The files of a folder, by its metadata where it has usable ones. */
function contentsOf(folder: string): {
  readonly paths: readonly string[];
  readonly metadata: BagMetadata | undefined;
  readonly warnings: readonly string[];
} {
  if (!readdirSync(folder).includes(METADATA_FILE)) {
    return { paths: filesWithoutMetadata(folder), metadata: undefined, warnings: [] };
  }
  try {
    const { files, missing, ...metadata } = readFolderMetadata(folder);
    if (files.length > 0) return { paths: files, metadata, warnings: missing };
    const warnings = [...missing, `${folder}: is read without its ${METADATA_FILE}`];
    return { paths: filesWithoutMetadata(folder, missing), metadata: undefined, warnings };
  } catch (error) {
    if (!(error instanceof FileFormatError)) throw error;
    const warnings = [`${error.message}; the recording is read without it`];
    return { paths: filesWithoutMetadata(folder, [error.message]), metadata: undefined, warnings };
  }
}
