import { closeSync, openSync, readSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { FileFormatError } from '../errors';
import { METADATA_FILE, readFolderMetadata } from './bagMetadata';
import { Bag } from './Bag';
import { MCAP_MAGIC, McapFile } from './McapFile';
import { SQLITE_MAGIC, SqliteFile } from './SqliteFile';
import { TemporaryFolder } from '../TemporaryFolder';
import { unpackFile } from './unpackFile';
import type { BagFile, BagMetadata, BagReader } from './types';

const ZSTD_MAGIC = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);
const BAG_FILE = /\.(mcap|db3)(\.zstd)?$/;

function firstBytes(path: string): Uint8Array {
  const bytes = new Uint8Array(SQLITE_MAGIC.length);
  const descriptor = openSync(path, 'r');
  try {
    return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(descriptor);
  }
}

function isMagic(bytes: Uint8Array, magic: Uint8Array): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
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

async function openUnpacked(path: string): Promise<BagFile> {
  const folder = new TemporaryFolder('bag');
  try {
    const unpacked = folder.join(basename(path).replace(/\.zstd$/, ''));
    const warning = unpackFile(path, unpacked);
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
async function openBagFile(path: string): Promise<BagFile> {
  const magic = firstBytes(path);
  if (isMagic(magic, ZSTD_MAGIC)) return openUnpacked(path);
  const file = await openPlain(path, magic);
  if (file !== undefined) return file;
  throw new FileFormatError(
    path,
    'is not a recording: expected MCAP or a rosbag2 SQLite database, zstd-compressed or not',
  );
}

/** The files of a folder without metadata.yaml: all of one recording `<name>_0`, `<name>_1` … in order. */
function filesWithoutMetadata(folder: string): string[] {
  const files = readdirSync(folder).filter((name) => BAG_FILE.test(name));
  const recordings = new Set(files.map((name) => name.replace(BAG_FILE, '').replace(/_\d+$/, '')));
  if (files.length === 0) {
    throw new FileFormatError(
      folder,
      `holds no recording: there is no ${METADATA_FILE} and no .mcap or .db3 file`,
    );
  }
  if (recordings.size > 1) {
    throw new FileFormatError(
      folder,
      `has no ${METADATA_FILE} and holds several recordings; name one of ${files.join(', ')}`,
    );
  }
  const number = (name: string): number => Number(/_(\d+)\.(?:mcap|db3)/.exec(name)?.[1] ?? 0);
  return files.sort((a, b) => number(a) - number(b)).map((name) => join(folder, name));
}

/**
 * Opens a rosbag2 recording: a folder with metadata.yaml (split or not), or one MCAP or SQLite3 file, compressed as a
 * whole, by chunks, by messages or not at all. The caller closes it.
 *
 * @throws FileFormatError where there is no recording, or nothing of it can be read. One that is cut or damaged
 * further on is read up to there and says so in `warnings`.
 */
export async function openBag(path: string): Promise<BagReader> {
  let isFolder: boolean;
  try {
    isFolder = statSync(path).isDirectory();
  } catch (error) {
    throw new FileFormatError(path, 'does not exist; expected a rosbag2 folder, or an .mcap or .db3 file', {
      cause: error,
    });
  }
  let paths: readonly string[] = [path];
  let metadata: BagMetadata | undefined;
  if (isFolder) {
    let entries: readonly string[] | undefined;
    if (readdirSync(path).includes(METADATA_FILE)) {
      const { files, ...rest } = readFolderMetadata(path);
      metadata = rest;
      entries = files;
    }
    paths = entries ?? filesWithoutMetadata(path);
  }
  const files: BagFile[] = [];
  try {
    for (const file of paths) files.push(await openBagFile(file));
    return new Bag(path, files, metadata);
  } catch (error) {
    for (const file of files) await file.close();
    throw error;
  }
}
