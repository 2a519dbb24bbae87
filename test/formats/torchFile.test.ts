import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileFormatError } from '../../src/errors';
import { readBytes, readFloat32 } from '../../src/formats/readTensor';
import {
  isDictionary,
  isStored,
  isStrided,
  openTensors,
  openTorchFile,
  tensorDictionary,
} from '../../src/formats/torchFile';
import type { TorchValue } from '../../src/formats/torchFile';
import { TensorContent, writeTorchFile } from '../../src/formats/torchWriter';
import {
  emptyTuple,
  global,
  int,
  ints,
  mark,
  pickle,
  proto2,
  reduce,
  sixFloats,
  storage,
  tensor,
  text,
  torchZip,
  tuple,
  zipOf,
} from './pickles';

let folder: string;
let path: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'torch-'));
  path = join(folder, 'x.pt');
});
afterAll(() => rmSync(folder, { recursive: true }));

const writeZip = (...parts: Parameters<typeof torchZip>): void => writeFileSync(path, torchZip(...parts));

const load = (pickle: Buffer, storages?: readonly Buffer[]): TorchValue => {
  writeZip(pickle, storages);
  return openTorchFile(path).root;
};

describe('a torch file', () => {
  it('of the original is read: state dicts, text, None and tensors in place', () => {
    const { root } = openTorchFile('test/fixtures/libero_micro/fastwam.pt');
    if (!isDictionary(root)) throw new Error('expected a dictionary');
    expect([...root.keys()]).toEqual(['mot', 'step', 'torch_dtype', 'proprio_encoder']);
    expect(root.get('step')).toBeNull();
    expect(root.get('torch_dtype')).toBe('torch.float32');
    const mot = tensorDictionary(root.get('mot'), 'x');
    expect(mot.get('mixtures.action.head.weight')).toMatchObject({ dtype: 'F32', shape: [7, 32] });
    for (const t of mot.values()) expect(t.offset % 64).toBe(0);
  });

  it('with a bare state dict opens as named tensors, as does a safetensors file', () => {
    const vae = openTensors('test/fixtures/toy/checkpoint/vae_encoder.pth');
    expect(readFloat32(vae.tensors.get('encoder.head.0.gamma')!)).toHaveLength(32);
    expect(openTensors('test/fixtures/resize.safetensors').tensors.has('in0')).toBe(true);
    writeTorchFile(path, {
      model_state: new Map([['a', new TensorContent('U8', [1], () => [Uint8Array.of(5)])]]),
    });
    expect([...readBytes(openTensors(path).tensors.get('model_state.a')!)]).toEqual([5]);
  });

  it('gives slices of a storage where they lie, and marks what is not contiguous', () => {
    const root = load(
      pickle(
        mark,
        tensor(storage('0', 6), 2, [2, 2], [2, 1]),
        tensor(storage('0', 6), 0, [3, 2], [1, 3]),
        tensor(storage('0', 6), 1, [1, 2], [77, 1]),
        tuple,
      ),
      [sixFloats],
    ) as TorchValue[];
    const [slice, transposed, single] = root;
    if (!isStored(slice) || !isStrided(transposed) || !isStored(single)) throw new Error('wrong kinds');
    expect([...readFloat32(slice)]).toEqual([2, 3, 4, 5]);
    expect(transposed).toMatchObject({ shape: [3, 2], strides: [1, 3] });
    expect([...readFloat32(single)]).toEqual([1, 2]);
    expect(() => tensorDictionary(new Map([['w', transposed]]), 'f.pt')).toThrow(
      'f.pt: tensor "w" is not contiguous (shape [3, 2], strides [1, 3]); save it with .contiguous()',
    );
  });

  it('names each tensor by the keys that lead to it', () => {
    const item = new TensorContent('U8', [0], () => []);
    writeTorchFile(path, { a: new Map([['b', item]]), list: [item] });
    const { root } = openTorchFile(path);
    const name = (value: TorchValue | undefined): string => (isStored(value) ? value.name : '?');
    if (!isDictionary(root) || !isDictionary(root.get('a'))) throw new Error('expected dictionaries');
    expect(name((root.get('a') as ReadonlyMap<string, TorchValue>).get('b'))).toBe('a.b');
    expect(name((root.get('list') as TorchValue[])[0])).toBe('list.0');
  });

  it('may hold dtypes, sizes, devices, long integers and module versions', () => {
    const long = Buffer.of(0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 64);
    const negative = Buffer.of(0x8a, 2, 0xff, 0xff);
    const versions = Buffer.concat([
      global('collections', 'OrderedDict'), emptyTuple, reduce, Buffer.from('}('), text('_metadata'), int(1), Buffer.from('ub'),
    ]); // prettier-ignore
    const root = load(
      pickle(
        mark, global('torch', 'bfloat16'), global('torch', 'Size'), mark, ints(2, 3), tuple, reduce,
        global('torch', 'device'), mark, text('cuda'), int(0), tuple, reduce, long, negative, versions, tuple,
      ),
    ); // prettier-ignore
    expect(root).toEqual(['torch.bfloat16', [2, 3], 'cuda', 2n ** 70n, -1, new Map()]);
  });
});

describe('a crafted pickle', () => {
  it.each([
    ['os', 'system', 'os.system'],
    ['posix', 'system', 'posix.system'],
    ['builtins', 'eval', 'builtins.eval'],
    ['torch', 'hub', 'torch.hub'],
    ['torch._utils', '_rebuild_qtensor', 'torch._utils._rebuild_qtensor'],
    ['toString', 'call', 'toString.call'],
    ['torch', 'ComplexFloatStorage', 'torch.ComplexFloatStorage'],
  ])('that asks for %s.%s is refused with that name', (module, name, full) => {
    const attack = pickle(global(module, name), mark, text('touch owned'), tuple, reduce);
    expect(() => load(attack)).toThrow(`refused to load: the pickle asks for ${full}, `);
    const byStack = pickle(text(module), text(name), Buffer.of(0x93), emptyTuple, reduce);
    expect(() => load(byStack)).toThrow(`refused to load: the pickle asks for ${full}, `);
    const byInstance = pickle(mark, Buffer.from(`i${module}\n${name}\n`));
    expect(() => load(byInstance)).toThrow(`refused to load: the pickle asks for ${full}, `);
  });

  it('cannot write control characters into the message', () => {
    expect(() => load(pickle(global('\u001b[2J', 'x')))).toThrow('asks for "\\u001b[2J.x"');
  });

  it.each([
    [
      'calls a constant',
      pickle(global('torch', 'float32'), emptyTuple, reduce),
      /calls torch.float32, which is not a function/,
    ],
    ['calls a text', pickle(text('x'), emptyTuple, reduce), /calls something that is not a function/],
    [
      'sets the state of a tensor',
      pickle(text('x'), Buffer.from('}b')),
      /sets the state of something that is not a dictionary/,
    ],
    ['takes from an empty stack', pickle(Buffer.from('0')), /empty stack/],
    ['takes below a mark', pickle(int(1), mark, Buffer.of(0x85)), /empty stack/],
    ['uses a mark that is not there', pickle(tuple), /mark that was not set/],
    ['uses a memo that is not there', pickle(Buffer.from('h\x07')), /memo 7/],
    ['has an unknown instruction', pickle(Buffer.of(0xff)), /instruction 0xff at byte 2/],
    ['has a protocol from the future', Buffer.of(0x80, 9, 0x2e), /protocol 9/],
    [
      'has an enormous integer',
      pickle(Buffer.of(0x8b, 0xff, 0xff, 0xff, 0x7f)),
      /integer of 2147483647 bytes/,
    ],
    ['has an enormous text', pickle(Buffer.of(0x58, 0xff, 0xff, 0xff, 0xff)), /text of 4294967295 bytes/],
    ['has a text beyond its end', pickle(Buffer.of(0x58, 9, 0, 0, 0)), /truncated/],
    ['has no end', proto2, /truncated/],
    ['has a name without an end', pickle(Buffer.from('cos')), /name without an end/],
    ['has a dictionary key that is a list', pickle(Buffer.from('}]Ns')), /neither text nor a number/],
    ['has a key without a value', pickle(Buffer.from('}(Nu')), /key that has no value/],
    ['refers to something that is not a storage', pickle(text('x'), Buffer.from('Q')), /not a storage/],
    ['refers to a storage that is not there', pickle(storage('9', 6)), /lacks the storage "9"/],
    ['refers to a storage outside the archive', pickle(storage('../../x', 6)), /lacks the storage/],
    ['misstates the size of a storage', pickle(storage('0', 7)), /storage "0" has 24 bytes, expected 28/],
    [
      'has a tensor beyond its storage',
      pickle(tensor(storage('0', 6), 3, [2, 2], [2, 1])),
      /reaches 28 bytes into a storage of 24/,
    ],
    ['has a negative stride', pickle(tensor(storage('0', 6), 5, [2], [-1])), /not whole numbers/],
    ['has a negative offset', pickle(tensor(storage('0', 6), -1, [2], [1])), /not whole numbers/],
    ['has strides of another rank', pickle(tensor(storage('0', 6), 0, [2], [1, 1])), /same rank/],
    [
      'has an impossible shape',
      pickle(tensor(storage('0', 6), 0, Array<number>(8).fill(2 ** 30), Array<number>(8).fill(0))),
      /impossible shape/,
    ],
  ])('that %s is refused', (_, bytes, message) => {
    expect(() => load(bytes, [sixFloats])).toThrow(FileFormatError);
    expect(() => load(bytes, [sixFloats])).toThrow(message);
  });

  it('that contains itself is refused instead of walked for ever', () => {
    // l = []; l.append(l)
    expect(() => load(pickle(Buffer.from(']q\x00h\x00a')))).toThrow(/nests deeper than 64 levels/);
  });

  it('that doubles itself forty times is refused instead of unfolded', () => {
    const doubled = Array.from({ length: 40 }, () => Buffer.of(0x32, 0x86)); // DUP TUPLE2
    expect(() => load(pickle(Buffer.from(']'), ...doubled))).toThrow(/more than 300000 values/);
  });
});

describe('a zip archive that is no torch file is refused:', () => {
  const entryMethodAt = (bytes: Buffer): number => bytes.indexOf('PK\x01\x02', 'latin1') + 10;
  it.each<[string, () => void, RegExp]>([
    ['compressed', () => {
      writeZip(pickle(int(1)));
      const bytes = readFileSync(path);
      bytes[entryMethodAt(bytes)] = 8;
      writeFileSync(path, bytes);
    }, /"x\/data.pkl" is compressed \(method 8\), expected stored/],
    ['encrypted', () => {
      writeZip(pickle(int(1)));
      const bytes = readFileSync(path);
      bytes[entryMethodAt(bytes) - 2]! |= 1;
      writeFileSync(path, bytes);
    }, /is encrypted/],
    ['big-endian', () => writeZip(pickle(int(1)), [], { byteorder: 'big' }), /saved with byte order "big"/],
    ['a TorchScript program', () => writeZip(pickle(int(1)), [], { 'constants.pkl': '' }), /TorchScript program/],
    ['without a pickle', () => writeFileSync(path, zipOf((zip) => {
      zip.add('readme', Buffer.from('x'));
      })), /with 0 entries "<name>\/data.pkl"/],
    ['with an entry twice', () => writeFileSync(path, zipOf((zip) => {
      zip.add('x/data.pkl', pickle(int(1)));
      zip.add('x/data.pkl', pickle(int(2)));
      })), /"x\/data.pkl" twice/],
    ['before PyTorch 1.6', () => writeFileSync(path, Buffer.from('80028a0a6cfc9c46f9206aa850192e80024de9032e', 'hex')), /PyTorch before 1.6.*torch.save\(torch.load/],
    ['not a zip', () => writeFileSync(path, 'x'.repeat(200_000)), /no zip directory at its end/],
    ['empty', () => writeFileSync(path, ''), /no zip directory|truncated/],
  ])('%s', (_, make, message) => {
    make();
    expect(() => openTorchFile(path)).toThrow(FileFormatError);
    expect(() => openTorchFile(path)).toThrow(message);
  }); // prettier-ignore

  it('and so is a folder', () => {
    expect(() => openTorchFile(folder)).toThrow(/is a folder/);
  });
});

describe('the checksums of a written torch file', () => {
  it('are those of its bytes', () => {
    writeTorchFile(path, {
      a: new TensorContent('U8', [9], () => [Buffer.from('1234'), Buffer.from('56789')]),
    });
    const bytes = readFileSync(path);
    // The check value of CRC-32 for "123456789" is 0xcbf43926; it stands behind the data and in the directory.
    expect(crc32('123456789')).toBe(0xcbf43926);
    const sum = Buffer.of(0x26, 0x39, 0xf4, 0xcb);
    expect(bytes.indexOf(sum)).toBeGreaterThan(0);
    expect(bytes.lastIndexOf(sum)).toBeGreaterThan(bytes.indexOf(sum));
  });
});
