import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bfloat16ToFloat,
  bfloat16ToFloats,
  floatToBfloat16,
  floatToHalf,
  floatsToBfloat16,
  floatsToHalf,
  halfToFloat,
  halfToFloats,
} from '../../src/formats/halfPrecision';

const everyPattern = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** binary16 by its definition: (-1)^s 2^(e-15) 1.m, and 2^-14 0.m for e = 0. */
function halfByDefinition(h: number): number {
  const sign = h & 0x8000 ? -1 : 1;
  const e = (h >> 10) & 31;
  const m = h & 1023;
  if (e === 31) return m === 0 ? sign * Infinity : NaN;
  return e === 0 ? sign * m * 2 ** -24 : sign * (1 + m / 1024) * 2 ** (e - 15);
}

describe('binary16', () => {
  it('has for every pattern the value of its definition', () => {
    const values = halfToFloats(everyPattern);
    const wrong = everyPattern.filter(
      (h) => !Object.is(values[h], halfByDefinition(h)) || !Object.is(halfToFloat(h), values[h]),
    );
    expect([...wrong]).toEqual([]);
  });

  it('comes back from float32 as the same pattern', () => {
    const finite = everyPattern.filter((h) => (h & 0x7c00) !== 0x7c00 || (h & 0x3ff) === 0);
    expect(floatsToHalf(halfToFloats(finite))).toEqual(finite);
  });

  it('rounds to the nearest value, ties to the even pattern', () => {
    fc.assert(
      fc.property(fc.float({ min: -65504, max: 65504, noNaN: true }), (x) => {
        const h = floatToHalf(x);
        const error = Math.abs(halfByDefinition(h) - x);
        for (const neighbour of [h - 1, h + 1].filter((n) => n >= 0 && n <= 0xffff)) {
          const other = Math.abs(halfByDefinition(neighbour) - x);
          if (Number.isNaN(other)) continue;
          expect(error).toBeLessThanOrEqual(other);
          if (error === other && error > 0) expect(h & 1).toBe(0);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('overflows to infinity from 65520 on, and keeps NaN', () => {
    expect(halfToFloat(floatToHalf(65519.996))).toBe(65504);
    expect(halfToFloat(floatToHalf(65520))).toBe(Infinity);
    expect(halfToFloat(floatToHalf(-1e30))).toBe(-Infinity);
    expect(halfToFloat(floatToHalf(NaN))).toBeNaN();
    // Half of the least subnormal (2^-25) ties to zero, a little more does not.
    expect(floatToHalf(2 ** -25)).toBe(0);
    expect(floatToHalf(2 ** -25 * 1.0001)).toBe(1);
  });
});

describe('bfloat16', () => {
  it('is the upper half of a float32, and comes back as the same pattern', () => {
    const values = bfloat16ToFloats(everyPattern);
    const upper = new Uint32Array(values.buffer);
    expect([...everyPattern.filter((b) => upper[b] !== b * 65536)]).toEqual([]);
    const numbers = everyPattern.filter((b) => !Number.isNaN(bfloat16ToFloat(b)));
    expect(floatsToBfloat16(bfloat16ToFloats(numbers))).toEqual(numbers);
  });

  it('rounds to nearest, ties to even, and keeps NaN', () => {
    expect(floatToBfloat16(1 + 2 ** -8)).toBe(0x3f80); // tie between 1 and 1 + 2^-7: even is 1
    expect(floatToBfloat16(1 + 3 * 2 ** -8)).toBe(0x3f82); // tie: even is 1 + 2^-6
    expect(floatToBfloat16(1 + 2 ** -8 + 2 ** -20)).toBe(0x3f81);
    expect(bfloat16ToFloat(floatToBfloat16(3.4e38))).toBe(Infinity);
    const thinNaN = new Float32Array(Uint32Array.of(0x7f800001).buffer);
    expect(bfloat16ToFloat(floatsToBfloat16(thinNaN)[0]!)).toBeNaN();
  });
});
