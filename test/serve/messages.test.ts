import { decode, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors';
import { readMessage, writeMessage } from '../../src/serve/message';
import type { WireMap, WireValue } from '../../src/serve/message';
import { NdArray } from '../../src/serve/NdArray';

/** A map with binary keys, as msgpack-numpy writes it, by hand: fixmap, then bin8 keys. */
function handMade(fields: readonly (readonly [string, unknown])[]): Uint8Array {
  return Buffer.concat([
    Uint8Array.of(0x80 | fields.length),
    ...fields.flatMap(([key, value]) => [encode(Buffer.from(key)), encode(value)]),
  ]);
}

const array = fc
  .tuple(fc.array(fc.nat(4), { maxLength: 3 }), fc.float32Array({ minLength: 64, maxLength: 64 }))
  .map(([shape, values]) =>
    NdArray.ofFloats(
      shape,
      values.slice(
        0,
        shape.reduce((n, length) => n * length, 1),
      ),
    ),
  );
const key = fc.string({ maxLength: 12 }).filter((one) => one !== '__proto__' && !/^__n/.test(one));
const scalar: fc.Arbitrary<WireValue> = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.string(),
  fc.boolean(),
  fc.constant(null),
);
const map: fc.Arbitrary<WireMap> = fc.dictionary(
  key,
  fc.oneof(scalar, array, fc.array(scalar, { maxLength: 20 }), fc.dictionary(key, scalar, { maxKeys: 3 })),
  { maxKeys: 20, noNullPrototype: true },
);

describe('Messages', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(map, (message) => {
        expect(readMessage(writeMessage(message))).toEqual(message);
      }),
    );
  });

  it('have arrays in the form that openpi documents: binary keys, bytes, dtype, shape', () => {
    const data = Uint8Array.of(0, 0, 128, 63, 0, 0, 0, 64); // 1.0 and 2.0 as little-endian float32
    const fields = [
      ['__ndarray__', true],
      ['data', data],
      ['dtype', '<f4'],
      ['shape', [1, 2]],
    ] as const;
    const written = writeMessage({ a: NdArray.ofFloats([1, 2], Float32Array.of(1, 2)) });
    expect(Buffer.from(written)).toEqual(Buffer.concat([Uint8Array.of(0x81), encode('a'), handMade(fields)]));
  });

  it.each([
    ['|u1', [7, 255], [7, 255]],
    ['<i2', [0xff, 0xff], [-1]],
    ['>i2', [0x01, 0x02], [258]],
    ['<f8', [0, 0, 0, 0, 0, 0, 0xf8, 0x3f], [1.5]],
    ['<i8', [1, 0, 0, 0, 0, 0, 0, 0], [1]],
    ['|b1', [1, 0], [1, 0]],
  ])('have numbers of type %s', (dtype, bytes, numbers) => {
    expect(Array.from(new NdArray(dtype, [numbers.length], Uint8Array.from(bytes)).numbers())).toEqual(
      numbers,
    );
  });

  it('have numbers of numpy as numbers', () => {
    const generic = handMade([
      ['__npgeneric__', true],
      ['data', 4],
      ['dtype', '<i8'],
    ]);
    expect(readMessage(Buffer.concat([Uint8Array.of(0x81), encode('n'), generic]))).toEqual({ n: 4 });
  });

  it.each([
    ['nothing', Uint8Array.of(), /ends inside a value \(byte 0\)/],
    ['a list', encode([1, 2]), /not a map/],
    ['a cut text', encode({ prompt: 'take the cup' }).subarray(0, 12), /ends inside a value \(byte 12\)/],
    ['surplus bytes', Buffer.concat([encode({ a: 1 }), encode(2)]), /followed by 1 bytes/],
    [
      'a length that is not there',
      Uint8Array.of(0x81, 0xa1, 0x61, 0xc6, 0xff, 0xff, 0xff, 0xff),
      /ends inside/,
    ],
    [
      'a list of four billion',
      Uint8Array.of(0x81, 0xa1, 0x61, 0xdd, 0xff, 0xff, 0xff, 0xff),
      /more than 10000 values/,
    ],
    [
      'a deep list',
      Buffer.concat([Uint8Array.of(0x81, 0xa1, 0x61), Buffer.alloc(1 << 20, 0x91)]),
      /more than 8 deep/,
    ],
    ['many parts', encode({ a: Array.from({ length: 10_001 }, () => 1) }), /more than 10000 values/],
    ['a byte that is none', Uint8Array.of(0xc1), /begins no value/],
    ['an extension', Uint8Array.of(0x81, 0xa1, 0x61, 0xd4, 0x05, 0x00), /type of its own/],
    ['a prototype', Uint8Array.of(0x81, 0xa9, ...Buffer.from('__proto__'), 0x80), /cannot be read/],
    ['a number as key', Uint8Array.of(0x81, 0x01, 0x01), /neither a text nor bytes/],
  ])('that hold %s are refused with a sentence', (_, bytes, sentence) => {
    expect(() => readMessage(bytes)).toThrow(InputError);
    expect(() => readMessage(bytes)).toThrow(sentence);
  });

  it.each([
    [{ data: Uint8Array.of(1), dtype: '|u1', shape: [2] }, /takes 2 bytes, the message has 1/],
    [{ data: Uint8Array.of(1), dtype: '|O', shape: [1] }, /none of numbers/],
    [{ data: Uint8Array.of(1), dtype: '|u1', shape: [-1] }, /whole numbers/],
    [{ data: Uint8Array.of(), dtype: '<f8', shape: [2 ** 40, 2 ** 40, 0.5] }, /whole numbers/],
    [{ data: 'text', dtype: '|u1', shape: [1] }, /needs data/],
    [{ data: Uint8Array.of(1), shape: [1] }, /needs data/],
  ])('with an array that is not one are refused: %#', (fields, sentence) => {
    const bytes = encode({ a: { __ndarray__: true, ...fields } });
    expect(() => readMessage(bytes)).toThrow(sentence);
  });

  it('of any bytes are read or refused, and never more than that', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        let ours: WireMap | undefined;
        try {
          ours = readMessage(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
        // What is read is what the library reads: the walk over it changes nothing.
        if (ours)
          expect(Object.keys(ours).length).toBeLessThanOrEqual(
            Object.keys(decode(bytes, { mapKeyConverter: String }) as object).length,
          );
      }),
      { numRuns: 2000 },
    );
  });
});
