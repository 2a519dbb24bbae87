import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readElf } from './elf';
import type { ElfDynamic } from './elf';

/** A library that the loader would not find. */
export interface MissingLibrary {
  readonly name: string;
  /** the library that asks for it */
  readonly neededBy: string;
}

/** All that a shared library draws in, as ld.so would find it. */
export interface LibraryTree {
  /** name -> file */
  readonly found: ReadonlyMap<string, string>;
  readonly missing: readonly MissingLibrary[];
}

/** Where ld.so looks apart from what the libraries themselves say. */
export interface LibrarySearch {
  /** LD_LIBRARY_PATH as it was when the process started */
  readonly path: readonly string[];
  /** the cache that `ldconfig` writes: name -> files */
  readonly cache: ReadonlyMap<string, readonly string[]>;
  readonly folders: readonly string[];
}

interface LibraryFile {
  readonly file: string;
  readonly elf: ElfDynamic;
}

const CACHE_FILE = '/etc/ld.so.cache';
const TRIPLET = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';

export function librarySearch(environment: NodeJS.ProcessEnv = process.env): LibrarySearch {
  return {
    path: (environment.LD_LIBRARY_PATH ?? '').split(/[:;]/).filter(Boolean),
    cache: readLoaderCache(CACHE_FILE),
    folders: [`/lib/${TRIPLET}`, `/usr/lib/${TRIPLET}`, '/lib64', '/usr/lib64', '/lib', '/usr/lib'],
  };
}

/**
 * Follows what `file` needs, in the order of ld.so(8): RPATH, LD_LIBRARY_PATH, RUNPATH, cache, default folders. Nothing
 * is loaded, so a library that crashes on loading does no harm here.
 * @param opened names that `file` opens by itself while it runs (dlopen), searched for as if it needed them
 */
export function resolveLibraries(
  file: string,
  search: LibrarySearch = librarySearch(),
  opened: readonly string[] = [],
): LibraryTree {
  const found = new Map<string, string>();
  const missing = new Map<string, MissingLibrary>();
  const root = readElf(file);
  const waiting: LibraryFile[] = [{ file, elf: { ...root, needed: [...root.needed, ...opened] } }];
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const { file: asking, elf } = next;
    for (const name of elf.needed) {
      if (found.has(name) || missing.has(name)) continue;
      const place = findLibrary(name, asking, elf, search);
      if (!place) {
        missing.set(name, { name, neededBy: basename(asking) });
        continue;
      }
      found.set(name, place.file);
      waiting.push(place);
    }
  }
  return { found, missing: [...missing.values()] };
}

function findLibrary(
  name: string,
  asking: string,
  elf: ElfDynamic,
  search: LibrarySearch,
): LibraryFile | undefined {
  const origin = (folders: readonly string[]): string[] =>
    folders.map((folder) => folder.replace(/\$\{?ORIGIN\}?/g, dirname(asking)));
  const inFolders = (folders: readonly string[]): string[] => folders.map((folder) => join(folder, name));
  const candidates = name.includes('/')
    ? [name]
    : [
        ...inFolders(elf.runpath.length > 0 ? [] : origin(elf.rpath)),
        ...inFolders(search.path),
        ...inFolders(origin(elf.runpath)),
        ...(search.cache.get(name) ?? []),
        ...inFolders(search.folders),
      ];
  for (const file of candidates) {
    if (!existsSync(file)) continue;
    try {
      const found = readElf(file);
      // The loader passes over libraries of another machine, too.
      if (found.machine === elf.machine) return { file, elf: found };
    } catch {
      continue;
    }
  }
  return undefined;
}

const CACHE_MAGIC = 'glibc-ld.so.cache1.1';
const CACHE_HEADER = 48;
const CACHE_ENTRY = 24;

/** The cache of glibc 2.2 and later (`struct cache_file_new` of its dl-cache.h). Empty where there is none. */
export function readLoaderCache(path: string): ReadonlyMap<string, readonly string[]> {
  const files = new Map<string, string[]>();
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    return files;
  }
  // An old-format cache may stand before it.
  const start = bytes.indexOf(CACHE_MAGIC);
  if (start < 0 || bytes.length < start + CACHE_HEADER) return files;
  const count = Math.min(
    bytes.readUInt32LE(start + CACHE_MAGIC.length),
    Math.floor((bytes.length - start - CACHE_HEADER) / CACHE_ENTRY),
  );
  const text = (offset: number): string => {
    const end = bytes.indexOf(0, start + offset);
    return end < 0 ? '' : bytes.toString('utf8', start + offset, end);
  };
  for (let i = 0; i < count; i++) {
    const at = start + CACHE_HEADER + i * CACHE_ENTRY;
    const name = text(bytes.readUInt32LE(at + 4));
    const file = text(bytes.readUInt32LE(at + 8));
    const known = files.get(name);
    if (known) known.push(file);
    else files.set(name, [file]);
  }
  return files;
}
