import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openSafetensors } from '../../src/formats/safetensors';
import { readFloat32 } from '../../src/formats/readTensor';
import { scalingOf } from '../../src/formats/scaling';
import {
  STATISTICS_OF_MODE,
  STATISTIC_MODES,
  StatisticNormaliser,
} from '../../src/formats/statisticNormaliser';
import type { StatisticMode } from '../../src/formats/statisticNormaliser';
import { relativeDimensions } from '../../src/export/lerobot/processors';

const file = openSafetensors('test/fixtures/lerobot/processors/processors.safetensors');
const tensor = (name: string): Float32Array => readFloat32(file.tensors.get(name)!);
const normaliser = (mode: StatisticMode): StatisticNormaliser => {
  const [first, second] = STATISTICS_OF_MODE[mode];
  return new StatisticNormaliser({ mode, statistics: [tensor(`stats.${first}`), tensor(`stats.${second}`)] });
};

describe.each(STATISTIC_MODES)('LeRobot’s normalisation %s', (mode) => {
  it('is LeRobot’s to the last bit, also where a range is zero', () => {
    const own = normaliser(mode);
    expect(own.normalise(tensor('x'))).toEqual(tensor(`${mode}.normalize`));
    expect(own.denormalise(tensor('y'))).toEqual(tensor(`${mode}.unnormalize`));
    expect(own.denormalise(own.normalise(tensor('x')))).toEqual(tensor(`${mode}.roundtrip`));
  });

  it('holds components that were constant in the dataset, so that nothing explodes', () => {
    const own = normaliser(mode);
    expect(own.constant).toEqual(expect.arrayContaining([3, 6]));
    const guarded = own.normaliseGuarded(tensor('x'));
    for (let i = 0; i < guarded.length; i++) {
      if (own.constant.includes(i % own.dim)) expect(Math.abs(guarded[i]!)).toBeLessThanOrEqual(1);
      else expect(guarded[i]).toBe(tensor(`${mode}.normalize`)[i]);
    }
  });
});

it('a recorded map leads back and forth', () => {
  const value = fc.double({ min: -100, max: 100, noNaN: true });
  const spread = fc.double({ min: 0.01, max: 10, noNaN: true });
  fc.assert(
    fc.property(fc.constantFrom(...STATISTIC_MODES), value, spread, value, (mode, first, width, x) => {
      const second = mode === 'MEAN_STD' ? width : first + width;
      const scaling = scalingOf({ mode, statistics: [[first], [second]] });
      const [back] = scaling.denormalise(scaling.normalise([x]));
      expect(Math.abs(back! - x)).toBeLessThan(1e-3);
    }),
  );
});

it('relative actions are all but those whose names hold an excluded word', () => {
  const names = [
    'shoulder_pan.pos',
    'Shoulder_Lift.pos',
    'elbow.pos',
    'wrist.pos',
    'left_Gripper.pos',
    'gripper_force',
    'base',
  ];
  const cases = {
    all: { exclude: [], names },
    no_names: { exclude: ['gripper'] },
    gripper: { exclude: ['gripper'], names },
    GRIPPER_wrist: { exclude: ['GRIPPER', 'wrist.pos', ''], names },
    short_names: { exclude: ['shoulder'], names: names.slice(0, 3) },
  };
  for (const [name, given] of Object.entries(cases)) {
    const mask = readMask(`relative.${name}.mask`);
    expect(relativeDimensions(given, 7), name).toEqual(mask.flatMap((on, i) => (on ? [i] : [])));
  }
});

function readMask(name: string): boolean[] {
  const stored = file.tensors.get(name)!;
  const values = readFloat32({ ...stored, dtype: 'F32' });
  return [...new Int32Array(values.buffer)].map((value) => value === 1);
}
