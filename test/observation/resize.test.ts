import { join } from 'node:path';
import { describe, it, expect } from 'vitest';
import fc from 'fast-check';
import { InputError } from '../../src/errors';
import { openSafetensors } from '../../src/formats/safetensors';
import { resizeBilinear } from '../../src/observation/resize';
import { imageOf } from './imageOf';

// PIL's own results, see test/fixtures/README.md.
const golden = openSafetensors(join(__dirname, '..', 'fixtures', 'resize.safetensors'));
const cases = [...golden.tensors.keys()].filter((name) => name.startsWith('in')).map((name) => name.slice(2));

describe('resizing as PIL does', () => {
  it.each(cases)('gives the bytes of golden case %s', (i) => {
    const expected = imageOf(golden, `out${i}`);
    expect(resizeBilinear(imageOf(golden, `in${i}`), expected.width, expected.height)).toEqual(expected);
  });

  it('covers growing, shrinking and an axis that stays as it is', () => {
    expect(cases.length).toBeGreaterThanOrEqual(6);
  });

  it('returns an image that already has the size', () => {
    const image = imageOf(golden, 'in0');
    expect(resizeBilinear(image, image.width, image.height)).toBe(image);
  });

  it('averages the whole image into one pixel, with rounding after each axis', () => {
    // One output pixel: weights of a triangle over 2 samples are equal, so rows give (0+255)/2 = 127.5 -> 128 and
    // (10+20)/2 = 15; the column of those gives (128+15)/2 = 71.5 -> 72. Unrounded, it would be 71.25 -> 71.
    const grey = [0, 255, 10, 20].flatMap((v) => [v, v, v]);
    const out = resizeBilinear({ width: 2, height: 2, data: Uint8Array.from(grey) }, 1, 1);
    expect([...out.data]).toEqual([72, 72, 72]);
  });

  it('keeps a plain colour plain at every size', () => {
    const side = fc.integer({ min: 1, max: 40 });
    const byte = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(side, side, side, side, fc.tuple(byte, byte, byte), (w, h, outW, outH, colour) => {
        const data = new Uint8Array(w * h * 3).map((_, i) => colour[i % 3]!);
        const out = resizeBilinear({ width: w, height: h, data }, outW, outH);
        expect(out.data.length).toBe(outW * outH * 3);
        expect(out.data.every((v, i) => v === colour[i % 3])).toBe(true);
      }),
    );
  });

  it('refuses sizes that no image has', () => {
    const image = { width: 2, height: 2, data: new Uint8Array(12) };
    expect(() => resizeBilinear(image, 0, 2)).toThrow(InputError);
    expect(() => resizeBilinear(image, 2, 1.5)).toThrow('sides must be 1 to 65535');
    expect(() => resizeBilinear(image, 65535, 65535)).toThrow('more than 2147483647 bytes');
    expect(() => resizeBilinear({ ...image, data: new Uint8Array(11) }, 1, 1)).toThrow(
      'has 12 bytes, not 11',
    );
  });
});
