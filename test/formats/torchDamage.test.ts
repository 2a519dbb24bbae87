import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileFormatError } from '../../src/errors';
import { readBytes } from '../../src/formats/readTensor';
import { isDictionary, isStored, openTorchFile } from '../../src/formats/torchFile';
import type { TorchValue } from '../../src/formats/torchFile';
import { TensorContent, writeTorchFile } from '../../src/formats/torchWriter';
import {
  emptyTuple,
  global,
  int,
  ints,
  mark,
  newFalse,
  pickle,
  reduce,
  sixFloats,
  storage,
  tensor,
  text,
  torchZip,
  tuple,
} from './pickles';

let folder: string;
let path: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'torch-'));
  path = join(folder, 'x.pt');
});
afterAll(() => rmSync(folder, { recursive: true }));

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

describe('a damaged torch file', () => {
  const whole = (): Buffer => {
    const values = Float32Array.of(1, 2, 3, 4, 5, 6);
    writeTorchFile(path, {
      mot: new Map([
        ['w', new TensorContent('F32', [2, 3], () => [values])],
        ['b', new TensorContent('BF16', [3], () => [Uint16Array.of(1, 2, 3)])],
      ]),
      step: 7,
    });
    return readFileSync(path);
  };
  const visit = (value: TorchValue): void => {
    if (isStored(value)) expect(readBytes(value)).toHaveLength(value.byteLength);
    else if (isDictionary(value)) for (const item of value.values()) visit(item);
    else if (Array.isArray(value)) (value as TorchValue[]).forEach(visit);
  };
  const opensOrNamesTheFile = (): void => {
    try {
      visit(openTorchFile(path).root);
    } catch (error) {
      expect(error).toBeInstanceOf(FileFormatError);
      expect((error as Error).message).toMatch(/^[^\n]{1,600}$/);
    }
  };

  it('is refused with a named error wherever it is cut off', () => {
    const bytes = whole();
    for (let n = 0; n < bytes.length; n += n < 200 || n > bytes.length - 300 ? 1 : 7) {
      writeFileSync(path, bytes.subarray(0, n));
      expect(() => openTorchFile(path)).toThrow(FileFormatError);
    }
  });

  it('with any flipped bits either opens within the file or is refused by name', () => {
    const bytes = whole();
    const headers = [...bytes.keys()].filter((i) => bytes[i] !== 0x5a /* padding */ && bytes[i] !== 0);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...headers), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        (changes) => {
          const changed = Buffer.from(bytes);
          for (const [at, value] of changes) changed[at] = value;
          writeFileSync(path, changed);
          opensOrNamesTheFile();
        },
      ),
      { numRuns: 600 },
    );
  });

  it('with hostile numbers in its zip directory is refused by name', () => {
    const bytes = whole();
    const directory = bytes.indexOf('PK\x01\x02', 'latin1');
    fc.assert(
      fc.property(
        fc.integer({ min: directory, max: bytes.length - 4 }),
        fc.constantFrom(0xffffffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0, 1),
        (at, value) => {
          const changed = Buffer.from(bytes);
          changed.writeUInt32LE(value, at);
          writeFileSync(path, changed);
          opensOrNamesTheFile();
        },
      ),
      { numRuns: 600 },
    );
  });

  it('with hostile 64-bit numbers is refused by name', () => {
    const bytes = whole();
    // A zip64 end record and locator in front of the end, with numbers of every size.
    const end = bytes.lastIndexOf('PK\x05\x06', undefined, 'latin1');
    fc.assert(
      fc.property(uint64, uint64, uint64, fc.boolean(), (count, length, offset, honest) => {
        const record = Buffer.alloc(76);
        record.write('PK\x06\x06', 'latin1');
        record.writeBigUInt64LE(count, 24);
        record.writeBigUInt64LE(count, 32);
        record.writeBigUInt64LE(length, 40);
        record.writeBigUInt64LE(offset, 48);
        record.write('PK\x06\x07', 56, 'latin1');
        record.writeBigUInt64LE(honest ? BigInt(end) : offset, 64);
        writeFileSync(path, Buffer.concat([bytes.subarray(0, end), record, bytes.subarray(end)]));
        expect(() => openTorchFile(path)).toThrow(FileFormatError);
      }),
      { numRuns: 300 },
    );
  });

  it('with any pickle is read or refused by name', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        mark, tuple, reduce, emptyTuple, newFalse, int(1), int(-1), int(2 ** 31 - 1), text('storage'), text('0'), storage('0', 6),
        global('collections', 'OrderedDict'), global('torch._utils', '_rebuild_tensor_v2'), global('torch._utils', '_rebuild_parameter'),
        global('torch._utils', '_rebuild_tensor_v3'), global('torch', 'Size'), global('torch', 'device'), global('torch', 'int64'),
        tensor(storage('0', 6), 0, [6], [1]), ints(2, 3), Buffer.from('Q'), Buffer.from('b'), Buffer.from('}'), Buffer.from('u'),
        Buffer.from(']'), Buffer.from('a'), Buffer.from('e'), Buffer.from('2'), Buffer.from('q\x00'), Buffer.from('h\x00'), Buffer.from('N'),
      ),
      fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
    ); // prettier-ignore
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 25 }), (parts) => {
        writeFileSync(path, torchZip(pickle(...parts), [sixFloats]));
        opensOrNamesTheFile();
      }),
      { numRuns: 600 },
    );
  });
});
