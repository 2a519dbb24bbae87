import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileFormatError, InputError } from '../../src/errors';
import { readBool, readBytes, readFloat32, readFloat64 } from '../../src/formats/readTensor';
import { openSafetensors, writeSafetensors } from '../../src/formats/safetensors';

let folder: string;
let path: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safetensors-'));
  path = join(folder, 'x.safetensors');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A safetensors file with this header and this many zero bytes of data. */
function writeRaw(header: string, dataBytes = 0, headerLength = Buffer.byteLength(header)): void {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(headerLength));
  writeFileSync(path, Buffer.concat([prefix, Buffer.from(header), Buffer.alloc(dataBytes)]));
}

describe('a safetensors file', () => {
  it('of the golden vectors is read: names, shapes and values', () => {
    const { tensors } = openSafetensors('test/fixtures/libero_micro/episode.safetensors');
    expect(tensors.get('images')).toMatchObject({ dtype: 'U8', shape: [6, 32, 64, 3] });
    const deltas = readFloat32(tensors.get('deltas')!);
    // sigma falls from 1 to 0 in N = 10 steps, so its differences sum up to -1.
    expect(deltas).toHaveLength(10);
    expect(deltas.reduce((a, b) => a + b, 0)).toBeCloseTo(-1, 6);
  });

  it('gives back what was written, in the order it was written, with its metadata', () => {
    writeSafetensors(
      path,
      [
        { name: 'mask', dtype: 'BOOL', shape: [3], data: Uint8Array.of(1, 0, 1) },
        { name: 'half', dtype: 'F16', shape: [2], data: Uint16Array.of(0x3c00, 0xc000) },
        { name: 'count', dtype: 'I64', shape: [], data: BigInt64Array.of(-7n) },
        { name: '__proto__', dtype: 'F32', shape: [1, 2], data: Float32Array.of(0.5, -3) },
      ],
      { made: 'here' },
    );
    const { tensors, metadata } = openSafetensors(path);
    expect(metadata).toEqual({ made: 'here' });
    expect([...readBool(tensors.get('mask')!)]).toEqual([1, 0, 1]);
    expect([...readFloat32(tensors.get('half')!)]).toEqual([1, -2]);
    expect([...readFloat64(tensors.get('count')!)]).toEqual([-7]);
    expect([...readFloat32(tensors.get('__proto__')!)]).toEqual([0.5, -3]);
    for (const t of tensors.values()) expect(t.offset % (t.byteLength / (t.shape[0] ?? 1))).toBe(0);
    expect(readdirSync(folder)).toEqual(['x.safetensors']);
  });

  it('is left as it was when writing fails half-way', () => {
    writeSafetensors(path, [{ name: 'a', dtype: 'U8', shape: [1], data: Uint8Array.of(9) }]);
    const bad = { name: 'b', dtype: 'F32', shape: [2], data: new Float32Array(3) } as const;
    expect(() => writeSafetensors(path, [bad])).toThrow(InputError);
    expect([...openSafetensors(path).tensors.keys()]).toEqual(['a']);
    expect(readdirSync(folder)).toEqual(['x.safetensors']);
  });

  it('gives single ranges of bytes', () => {
    writeSafetensors(path, [{ name: 'a', dtype: 'U8', shape: [5], data: Uint8Array.of(1, 2, 3, 4, 5) }]);
    const a = openSafetensors(path).tensors.get('a')!;
    expect([...readBytes(a, 1, 3)]).toEqual([2, 3, 4]);
    expect([...readBytes(a, 3)]).toEqual([4, 5]);
    expect(() => readBytes(a, 3, 3)).toThrow(/tensor "a" has 5 bytes; 3 from byte 3/);
    expect(() => readFloat32(a)).toThrow(/"a" has the element type U8, expected F32, F16, BF16 or F64/);
  });

  it('that got shorter after it was opened is refused when read', () => {
    writeSafetensors(path, [{ name: 'a', dtype: 'F32', shape: [4], data: new Float32Array(4) }]);
    const a = openSafetensors(path).tensors.get('a')!;
    truncateSync(path, statSync(path).size - 1);
    expect(() => readFloat32(a)).toThrow(FileFormatError);
  });
});

describe('a safetensors file is refused, with what is wrong,', () => {
  const f32 = (begin: number, end: number, shape = '[1]'): string =>
    `{"dtype":"F32","shape":${shape},"data_offsets":[${begin},${end}]}`;
  const cases: [string, () => void, RegExp][] = [
    ['when it does not exist', () => rmSync(path, { force: true }), /does not exist/],
    ['when it is shorter than a header length', () => writeFileSync(path, 'abc'), /truncated or damaged/],
    [
      'when the header is longer than the file',
      () => writeRaw('{}', 0, 3),
      /the safetensors header would take/,
    ],
    [
      'when the header is absurdly long',
      () => writeRaw('{}', 0, 2 ** 52),
      /announce a header of 4503599627370496/,
    ],
    [
      'when the header is not an object',
      () => writeRaw('[1]'),
      /character 0: found "\[1\]", expected a "\{"/,
    ],
    [
      'when the header is not UTF-8',
      () => writeFileSync(path, Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 0xff])),
      /not UTF-8/,
    ],
    [
      'when a name stands twice',
      () => writeRaw(`{"a":${f32(0, 4)},"\\u0061":${f32(4, 8)}}`, 8),
      /every key once, but "a"/,
    ],
    [
      'when tensors overlap',
      () => writeRaw(`{"a":${f32(0, 4)},"b":${f32(2, 6)}}`, 6),
      /"b" starts at data byte 2, expected 4/,
    ],
    [
      'when tensors leave a gap',
      () => writeRaw(`{"a":${f32(0, 4)},"b":${f32(8, 12)}}`, 12),
      /"b" starts at data byte 8/,
    ],
    ['when bytes follow the last tensor', () => writeRaw(`{"a":${f32(0, 4)}}`, 5), /something appended/],
    ['when a tensor lies outside', () => writeRaw(`{"a":${f32(0, 4)}}`, 3), /tensor "a" would take 4 bytes/],
    ['when shape and length disagree', () => writeRaw(`{"a":${f32(0, 4, '[2]')}}`, 4), /F32 \[2\] needs 8/],
    [
      'when an element type is unknown',
      () => writeRaw('{"a":{"dtype":"F99","shape":[],"data_offsets":[0,0]}}'),
      /"F99", expected one of F64/,
    ],
    [
      'when an element type is a property of objects',
      () => writeRaw('{"a":{"dtype":"toString","shape":[],"data_offsets":[0,0]}}'),
      /"toString"/,
    ],
    [
      'when an offset is negative',
      () => writeRaw('{"a":{"dtype":"F32","shape":[],"data_offsets":[-4,0]}}'),
      /found "-4,0\]\}\}", expected a whole number/,
    ],
    [
      'when an offset is a fraction',
      () => writeRaw('{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4.5]}}', 4),
      /expected a whole number/,
    ],
    [
      'when a field is missing',
      () => writeRaw('{"a":{"dtype":"F32","shape":[]}}'),
      /two data_offsets for tensor "a"/,
    ],
    ['when a field is unknown', () => writeRaw('{"a":{"dtype":"F32","strides":[]}}'), /instead of "strides"/],
    ['when text follows the header', () => writeRaw('{} x'), /only spaces after/],
    [
      'when metadata are not text',
      () => writeRaw('{"__metadata__":{"a":1}}'),
      /the text of a metadata entry/,
    ],
  ];
  it.each(cases)('%s', (_, make, message) => {
    make();
    expect(() => openSafetensors(path)).toThrow(FileFormatError);
    expect(() => openSafetensors(path)).toThrow(message);
  });

  it('and a hostile name cannot write control characters into the message', () => {
    writeRaw('{"\\u001b[2Jx\\u009b":{"dtype":"?","shape":[],"data_offsets":[0,0]}}');
    expect(() => openSafetensors(path)).toThrow(/tensor "\\u001b\[2Jx\\u009b" has/);
  });
});

describe('a damaged safetensors file', () => {
  const header =
    '{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[3],"data_offsets":[8,14]}}';
  const whole = (): Buffer => {
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(header.length));
    return Buffer.concat([prefix, Buffer.from(header), Buffer.alloc(14)]);
  };
  const opensOrNamesTheFile = (bytes: Uint8Array): void => {
    writeFileSync(path, bytes);
    try {
      for (const t of openSafetensors(path).tensors.values()) expect(readBytes(t)).toHaveLength(t.byteLength);
    } catch (error) {
      expect(error).toBeInstanceOf(FileFormatError);
      expect((error as Error).message).toMatch(/^[^\n]*$/);
    }
  };

  it('is refused with a named error wherever it is cut off', () => {
    const bytes = whole();
    for (let n = 0; n < bytes.length; n++) {
      writeFileSync(path, bytes.subarray(0, n));
      expect(() => openSafetensors(path)).toThrow(FileFormatError);
    }
  });

  it('with any flipped bits either still is one or is refused with a named error', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(whole().length * 8 - 1), { minLength: 1, maxLength: 4 }), (flips) => {
        const bytes = whole();
        for (const bit of flips) bytes[bit >> 3]! ^= 1 << (bit & 7);
        opensOrNamesTheFile(bytes);
      }),
      { numRuns: 700 },
    );
  });

  it('with any header text is refused with a named error', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"dtype"',
      '"F32"',
      '"shape"',
      '"data_offsets"',
      '0',
      '4',
      '9999999999999999',
      '1e99',
      '\\',
      '"',
      ' ',
      '__metadata__',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const text = Buffer.from(pieces.join(''));
        const prefix = Buffer.alloc(8);
        prefix.writeBigUInt64LE(BigInt(text.length));
        opensOrNamesTheFile(Buffer.concat([prefix, text, Buffer.alloc(4)]));
      }),
      { numRuns: 700 },
    );
  });
});
