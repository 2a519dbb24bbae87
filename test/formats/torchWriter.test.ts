import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors';
import { crc32OfZeros } from '../../src/formats/crc32OfZeros';
import { readBytes, readFloat32 } from '../../src/formats/readTensor';
import {
  checkZipContent,
  isDictionary,
  isStored,
  openTensors,
  openTorchFile,
} from '../../src/formats/torchFile';
import type { TorchValue } from '../../src/formats/torchFile';
import { TensorContent, writeTorchFile } from '../../src/formats/torchWriter';
import type { TorchContent } from '../../src/formats/torchWriter';

let folder: string;
let path: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'torch-'));
  path = join(folder, 'model.pt');
});
afterAll(() => rmSync(folder, { recursive: true }));

const bytesOf = (n: number, fill = 7): TensorContent =>
  new TensorContent('U8', [n], () => [new Uint8Array(n).fill(fill)]);

describe('a written torch file', () => {
  it('gives back numbers, text, lists and dictionaries', () => {
    const scalar = fc.oneof(
      fc.boolean(),
      fc.constant(null),
      fc.string(),
      fc.integer(),
      fc.maxSafeInteger(),
      fc.double({ noNaN: true }),
    );
    const { content } = fc.letrec<{ content: TorchContent }>((tie) => ({
      content: fc.oneof(
        { maxDepth: 3 },
        scalar,
        fc.array(tie('content'), { maxLength: 4 }),
        fc.array(fc.tuple(fc.string(), tie('content')), { maxLength: 4 }).map((pairs) => new Map(pairs)),
      ),
    }));
    fc.assert(
      fc.property(content, (root) => {
        writeTorchFile(path, root);
        expect(openTorchFile(path).root).toEqual(root);
      }),
      { numRuns: 200 },
    );
  });

  it('gives back every tensor of a long state dict, each aligned to 64 bytes', () => {
    const tensors = new Map(
      Array.from({ length: 1500 }, (_, i) => [
        `layer.${i}`,
        new TensorContent('F32', [1, 2], () => [Float32Array.of(i, -i)]),
      ]),
    );
    writeTorchFile(path, tensors);
    const read = openTensors(path).tensors;
    expect([...read.keys()]).toEqual([...tensors.keys()]);
    expect([...readFloat32(read.get('layer.1499')!)]).toEqual([1499, -1499]);
    expect([...read.values()].filter((t) => t.offset % 64 !== 0)).toEqual([]);
  });

  it('is the same for the same content, and takes its inner folder from its name', () => {
    writeTorchFile(path, { a: bytesOf(3) });
    const first = readFileSync(path);
    writeTorchFile(path, { a: bytesOf(3) });
    expect(readFileSync(path).equals(first)).toBe(true);
    expect(first.includes('model/data/0')).toBe(true);
  });

  it('has every piece of a streamed tensor, and reports progress to its end', () => {
    const pieces = function* (): Generator<Uint8Array> {
      for (let i = 0; i < 5; i++) yield Uint8Array.of(i, i);
    };
    const steps: number[] = [];
    writeTorchFile(
      path,
      { a: new TensorContent('U8', [10], pieces) },
      { onProgress: (done) => steps.push(done) },
    );
    expect(steps).toEqual([2, 4, 6, 8, 10]);
    const { root } = openTorchFile(path);
    const a: TorchValue | undefined = isDictionary(root) ? root.get('a') : undefined;
    if (!isStored(a)) throw new Error('expected a tensor');
    expect([...readBytes(a)]).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
  });

  it.each([9, 11])('is not written when a tensor of 10 bytes gets %d', (n) => {
    rmSync(path, { force: true });
    const wrong = new TensorContent('U8', [10], () => [new Uint8Array(n)]);
    expect(() => writeTorchFile(path, { a: bytesOf(2), wrong })).toThrow(InputError);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('of holes has the full size, beyond 4 GiB too, but takes almost no space', () => {
    const weights = new Map(
      ['a', 'b', 'c'].map((name) => [name, new TensorContent('BF16', [5, 2 ** 30], () => [])]),
    );
    writeTorchFile(path, weights, { sparse: true });
    const { size, blocks } = statSync(path);
    expect(size).toBeGreaterThan(30 * 2 ** 30); // 3 tensors of 10 GiB: sizes and offsets need zip64
    expect(blocks * 512).toBeLessThan(2 ** 20);
    const c = openTensors(path).tensors.get('c')!;
    expect(c.byteLength).toBe(10 * 2 ** 30);
    expect([...readBytes(c, c.byteLength - 4, 4)]).toEqual([0, 0, 0, 0]);
    rmSync(path);
  });

  it('of holes may be filled later: the sums of zeros say nothing of the numbers put there', () => {
    writeTorchFile(path, new Map([['a', new TensorContent('BF16', [4, 8], () => [])]]), { sparse: true });
    const a = openTensors(path).tensors.get('a')!;
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.from([1, 2, 3]), 0, 3, a.offset);
    closeSync(file);
    expect(() => checkZipContent(path)).not.toThrow();
    expect([...readBytes(a, 0, 4)]).toEqual([1, 2, 3, 0]);
  });
});

describe('the CRC of zeros', () => {
  it('equals the CRC computed byte by byte', () => {
    fc.assert(
      fc.property(fc.nat(100_000), (n) => {
        expect(crc32OfZeros(n)).toBe(crc32(new Uint8Array(n)));
      }),
    );
  });

  it('of 6 GiB is what Python finds in such an archive', () => {
    // zipfile.ZipFile(...).testzip() of an archive with 6442450944 zero bytes, PyTorch's reader agreeing
    expect(crc32OfZeros(6442450944)).toBe(0xc64e0e30);
  });
});
