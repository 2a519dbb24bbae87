import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors';
import type { FieldStatistics } from '../../src/formats/datasetStats';
import { createNormaliser, normaliserOf } from '../../src/formats/normaliser';

interface Golden {
  stats: Record<string, number[]>;
  x: number[];
  modes: Record<string, { scale: number[]; offset: number[]; normalised: number[]; back: number[] }>;
}
const golden = JSON.parse(readFileSync('test/fixtures/normaliser.json', 'utf8')) as Golden;
const field: FieldStatistics = {
  dim: 4,
  values: Object.fromEntries(Object.entries(golden.stats).map(([k, v]) => [k, Float32Array.from(v)])),
};

describe('a normaliser', () => {
  it.each(Object.keys(golden.modes))('of mode %s equals the original to the last bit', (mode) => {
    const expected = golden.modes[mode]!;
    const normaliser = createNormaliser(mode, field);
    expect([...normaliser.scale]).toEqual(expected.scale);
    expect([...normaliser.offset]).toEqual(expected.offset);
    expect([...normaliser.normalise(golden.x)]).toEqual(expected.normalised);
    expect([...normaliser.denormalise([0.3, -0.9, 0.123456789, -5])]).toEqual(expected.back);
  });

  it('made again from its recorded scale and offset is the same', () => {
    const made = createNormaliser('z-score', field);
    const { mode, scale, offset } = JSON.parse(
      JSON.stringify({ mode: made.mode, scale: [...made.scale], offset: [...made.offset] }),
    ) as { mode: string; scale: number[]; offset: number[] };
    expect(normaliserOf({ mode, scale, offset }).normalise(golden.x)).toEqual(made.normalise(golden.x));
  });

  it('goes there and back within float error where nothing is clamped', () => {
    const normaliser = createNormaliser('-2/2', field);
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: -2, max: 2, noNaN: true }), { minLength: 4, maxLength: 4 }),
        (x) => {
          normaliser
            .denormalise(normaliser.normalise(x))
            .forEach((back, i) => expect(back).toBeCloseTo(x[i]!, 6));
        },
      ),
    );
  });

  it('lets NaN through, so that a guard behind it can see it', () => {
    expect(createNormaliser('min/max', field).normalise([NaN, 0, 0, 0])[0]).toBeNaN();
  });

  it('says what it needs when a statistic is missing', () => {
    const onlyMean: FieldStatistics = { dim: 1, values: { mean: Float32Array.of(0) } };
    expect(() => createNormaliser('z-score', onlyMean)).toThrow(
      /"z-score" needs the statistic std; the statistics have mean/,
    );
  });

  it.each(['minmax', '1/0', '1/2/3', '/', 'a/b', ''])(
    'refuses the mode "%s" and lists what there is',
    (mode) => {
      expect(() => createNormaliser(mode, field)).toThrow(InputError);
      expect(() => createNormaliser(mode, field)).toThrow(/expected "min\/max", "q01\/q99", "z-score"/);
    },
  );

  it('refuses values that are no multiple of its size', () => {
    expect(() => createNormaliser('0/1', field).normalise([1, 2, 3])).toThrow(
      /got 3 values, expected a multiple of 4/,
    );
  });

  it('refuses scales that cannot be undone', () => {
    expect(() => normaliserOf({ mode: 'x', scale: [0], offset: [0] })).toThrow(InputError);
    expect(() => normaliserOf({ mode: 'x', scale: [1, 1], offset: [0] })).toThrow(InputError);
  });
});
