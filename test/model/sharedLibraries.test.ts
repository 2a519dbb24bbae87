import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { FileFormatError } from '../../src/errors';
import { readElf } from '../../src/model/elf';
import { readLoaderCache, resolveLibraries } from '../../src/model/sharedLibraries';
import type { LibrarySearch } from '../../src/model/sharedLibraries';
import { removeFolders, temporaryFolder } from '../helpers';
import { elfBytes, writeElf } from './elfFile';

afterAll(removeFolders);

const nowhere: LibrarySearch = { path: [], cache: new Map(), folders: [] };

describe('reading an ELF file', () => {
  it('finds what a library is called, needs, and where it looks', () => {
    const file = join(temporaryFolder(), 'a.so');
    writeElf(file, { soname: 'liba.so.1', needed: ['libb.so.2', 'libc.so.6'], runpath: '$ORIGIN:/opt/x' });
    expect(readElf(file)).toEqual({
      machine: 62,
      soname: 'liba.so.1',
      needed: ['libb.so.2', 'libc.so.6'],
      runpath: ['$ORIGIN', '/opt/x'],
      rpath: [],
    });
  });

  it.runIf(process.platform === 'linux')('reads the binding of onnxruntime as linkers wrote it', () => {
    const ort = dirname(createRequire(__filename).resolve('onnxruntime-node/package.json'));
    const folder = join(ort, 'bin', 'napi-v6', process.platform, process.arch);
    const binding = readElf(join(folder, 'onnxruntime_binding.node'));
    expect(binding.needed).toContain('libonnxruntime.so.1');
    expect(binding.runpath).toEqual(['$ORIGIN/']);
    expect(readElf(join(folder, 'libonnxruntime.so.1')).soname).toBe('libonnxruntime.so.1');
  });

  it('refuses what is no ELF file, and names it', () => {
    const file = join(temporaryFolder(), 'text.so');
    writeFileSync(file, 'INPUT(libfoo.so)'.padEnd(100));
    expect(() => readElf(file)).toThrow(`${file}: is not an ELF file`);
  });

  it('answers or throws a FileFormatError, however a file is damaged', () => {
    const whole = elfBytes({ soname: 'liba.so.1', needed: ['libb.so.2'], runpath: '$ORIGIN' });
    const file = join(temporaryFolder(), 'damaged.so');
    fc.assert(
      fc.property(
        fc.nat(whole.length),
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 4 }),
        (length, changes) => {
          const bytes = Buffer.from(whole);
          for (const [at, value] of changes) bytes[at] = value;
          writeFileSync(file, bytes.subarray(0, length));
          try {
            readElf(file);
          } catch (error) {
            expect(error).toBeInstanceOf(FileFormatError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('finding libraries as the loader would', () => {
  it('follows needs of needs, and names who asks for what is missing', () => {
    const folder = temporaryFolder();
    writeElf(join(folder, 'a.so'), { needed: ['libb.so'], runpath: '$ORIGIN' });
    writeElf(join(folder, 'libb.so'), { needed: ['libgone.so.1'], runpath: '$ORIGIN' });
    const { found, missing } = resolveLibraries(join(folder, 'a.so'), nowhere);
    expect([...found]).toEqual([['libb.so', join(folder, 'libb.so')]]);
    expect(missing).toEqual([{ name: 'libgone.so.1', neededBy: 'libb.so' }]);
  });

  it('does not lend the RUNPATH of one library to another', () => {
    const folder = temporaryFolder();
    writeElf(join(folder, 'a.so'), { needed: ['libb.so'], runpath: '${ORIGIN}' });
    writeElf(join(folder, 'libb.so'), { needed: ['libc1.so'] });
    writeElf(join(folder, 'libc1.so'), {});
    expect(resolveLibraries(join(folder, 'a.so'), nowhere).missing).toEqual([
      { name: 'libc1.so', neededBy: 'libb.so' },
    ]);
  });

  it('takes LD_LIBRARY_PATH before RUNPATH, and RPATH before both unless there is a RUNPATH', () => {
    const folder = temporaryFolder();
    for (const place of ['path', 'run', 'r']) {
      mkdirSync(join(folder, place));
      writeElf(join(folder, place, 'libx.so'), {});
    }
    const search = { ...nowhere, path: [join(folder, 'path')] };
    const file = join(folder, 'a.so');
    const places = { rpath: '$ORIGIN/r', needed: ['libx.so'] };
    writeElf(file, places);
    expect(resolveLibraries(file, search).found.get('libx.so')).toBe(join(folder, 'r', 'libx.so'));
    writeElf(file, { ...places, runpath: '$ORIGIN/run' });
    expect(resolveLibraries(file, search).found.get('libx.so')).toBe(join(folder, 'path', 'libx.so'));
    expect(resolveLibraries(file, nowhere).found.get('libx.so')).toBe(join(folder, 'run', 'libx.so'));
  });

  it('passes over a library of another machine', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'arm'));
    writeElf(join(folder, 'arm', 'libx.so'), { machine: 183 });
    writeElf(join(folder, 'libx.so'), {});
    writeElf(join(folder, 'a.so'), { needed: ['libx.so'] });
    const search = { ...nowhere, path: [join(folder, 'arm'), folder] };
    expect(resolveLibraries(join(folder, 'a.so'), search).found.get('libx.so')).toBe(join(folder, 'libx.so'));
  });

  it('ends where libraries need each other', () => {
    const folder = temporaryFolder();
    writeElf(join(folder, 'liba.so'), { needed: ['libb.so'], runpath: '$ORIGIN' });
    writeElf(join(folder, 'libb.so'), { needed: ['liba.so'], runpath: '$ORIGIN' });
    expect(resolveLibraries(join(folder, 'liba.so'), nowhere).missing).toEqual([]);
  });

  it('looks for what a library opens by itself as if it were needed', () => {
    const file = join(temporaryFolder(), 'a.so');
    writeElf(file, {});
    expect(resolveLibraries(file, nowhere, ['libcudnn.so.9']).missing).toEqual([
      { name: 'libcudnn.so.9', neededBy: 'a.so' },
    ]);
  });

  it.runIf(process.platform === 'linux')('finds everything that node itself was started with', () => {
    // node runs, so that the loader has found all of it
    expect(resolveLibraries(process.execPath).missing).toEqual([]);
  });
});

describe('the cache of the loader', () => {
  it('is read with several files of one name in their order', () => {
    const texts = ['liba.so.1', '/x/hwcaps/liba.so.1', '/x/liba.so.1'];
    const table = Buffer.from(texts.map((text) => `${text}\0`).join(''));
    const header = Buffer.alloc(48);
    header.write('glibc-ld.so.cache1.1');
    header.writeUInt32LE(2, 20);
    const entries = Buffer.alloc(48);
    const start = 96;
    const offset = (i: number): number => start + texts.slice(0, i).join('\0').length + (i > 0 ? 1 : 0);
    [1, 2].forEach((file, i) => {
      entries.writeUInt32LE(offset(0), i * 24 + 4);
      entries.writeUInt32LE(offset(file), i * 24 + 8);
    });
    const path = join(temporaryFolder(), 'ld.so.cache');
    writeFileSync(path, Buffer.concat([header, entries, table]));
    expect([...readLoaderCache(path)]).toEqual([['liba.so.1', ['/x/hwcaps/liba.so.1', '/x/liba.so.1']]]);
    // An older format that stands before it is skipped.
    writeFileSync(path, Buffer.concat([Buffer.from('ld.so-1.7.0'.padEnd(32, '\0')), readFileSync(path)]));
    expect(readLoaderCache(path).get('liba.so.1')).toHaveLength(2);
  });

  it('is empty where there is none or it is damaged', () => {
    const path = join(temporaryFolder(), 'ld.so.cache');
    expect(readLoaderCache(path).size).toBe(0);
    writeFileSync(path, 'glibc-ld.so.cache1.1');
    expect(readLoaderCache(path).size).toBe(0);
  });
});
