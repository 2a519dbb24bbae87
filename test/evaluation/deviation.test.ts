import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deviationFrom, deviationFromRecorded } from '../../src/evaluation/deviation';
import { gripperFlips } from '../../src/evaluation/gripperFlips';
import { chunkOf, factsOf, simpleLayout } from './fakeEvaluation';

const layout = {
  ...simpleLayout({ names: ['x', 'y', 'grip'], horizon: 3, replanSteps: 2 }),
  groups: [
    { name: 'translation', unit: 'm', indices: [0, 1], kind: 'absolute' as const },
    { name: 'gripper', unit: '', indices: [2], kind: 'absolute' as const },
  ],
  grippers: [{ index: 2, threshold: 0 }],
};

// rows: action 0, 1 (executed), 2 (not executed); columns x, y, grip
const reference = [chunkOf([0, 0, 1, 0, 0, 1, 0, 0, -1])];
const run = [chunkOf([3, 0, 1, 0, -1, -1, 0, 5, 1])];

describe('deviation from the uncached run', () => {
  const deviation = deviationFrom(reference, run, layout);

  it('is taken by group over the executed part', () => {
    // x: 3, 0; y: 0, −1 → squares 9 + 1 over 4 values → sqrt(2.5)
    expect(deviation.executed.groups[0]).toMatchObject({
      group: 'translation',
      unit: 'm',
      rmse: Math.sqrt(2.5),
      worst: 3,
      worstAt: { observation: 0, step: 0, column: 0 },
      count: 4,
    });
    // grip: 0, −2 → sqrt(4/2)
    expect(deviation.executed.groups[1]).toMatchObject({ rmse: Math.SQRT2, worst: 2 });
  });

  it('is taken over the whole chunk as well', () => {
    // 9 + 1 + 25 over 6 values
    expect(deviation.whole.groups[0]).toMatchObject({
      rmse: Math.sqrt(35 / 6),
      worst: 5,
      worstAt: { observation: 0, step: 2, column: 1 },
    });
  });

  it('is taken for each index of the horizon', () => {
    // squares 9, 1 + 4, 25 + 4 over three columns each
    const expected = [9, 5, 29].map((squares) => Math.sqrt(squares / 3));
    [...deviation.byHorizonStep].forEach((value, k) => expect(value).toBeCloseTo(expected[k]!, 12));
    // translation only: 9, 1, 25 over two columns
    expect([...deviation.byHorizonStepAndGroup[0]!.rmse]).toEqual([9, 1, 25].map((s) => Math.sqrt(s / 2)));
  });

  it('uses the normalised actions for the figure over all columns', () => {
    const a = [chunkOf(new Array<number>(9).fill(0), { normalised: new Array<number>(9).fill(0) })];
    const b = [chunkOf(new Array<number>(9).fill(0), { normalised: new Array<number>(9).fill(0.5) })];
    const { executed } = deviationFrom(a, b, layout);
    expect(executed.normalised).toMatchObject({ rmse: 0.5, worst: 0.5, count: 6 });
    expect(executed.groups[0]).toMatchObject({ rmse: 0, worst: 0 });
  });

  it('does not let a broken run pass for one that fits', () => {
    const broken = [chunkOf([NaN, 0, 1, 0, 0, 1, 0, 0, -1])];
    const { executed } = deviationFrom(reference, broken, layout);
    expect(executed.groups[0]!.rmse).toBeNaN();
    expect(executed.groups[0]!.worst).toBeNaN();
  });

  it('is zero for identical runs, and symmetric', () => {
    const values = fc.array(fc.float({ noNaN: true, min: -100, max: 100 }), { minLength: 9, maxLength: 9 });
    fc.assert(
      fc.property(values, values, (a, b) => {
        const same = deviationFrom([chunkOf(a)], [chunkOf(a)], layout);
        expect(same.whole.normalised).toEqual({ rmse: 0, worst: 0, count: 9 });
        expect(Math.max(...same.byHorizonStep)).toBe(0);
        const there = deviationFrom([chunkOf(a)], [chunkOf(b)], layout).whole;
        const back = deviationFrom([chunkOf(b)], [chunkOf(a)], layout).whole;
        expect(there.normalised.rmse).toBe(back.normalised.rmse);
        expect(there.normalised.worst).toBeGreaterThanOrEqual(there.normalised.rmse * (1 - 1e-12));
      }),
    );
  });
});

describe('deviation from the recording', () => {
  it('leaves out what the recording does not have', () => {
    const recorded = Float32Array.from([1, 0, 1, NaN, NaN, NaN, NaN, NaN, NaN]);
    const [translation, gripper] = deviationFromRecorded([factsOf(0, 0, { recorded })], reference, layout)!;
    // only action 0: x differs by 1, y by 0
    expect(translation).toMatchObject({ rmse: Math.SQRT1_2, worst: 1, count: 2 });
    expect(gripper).toMatchObject({ rmse: 0, count: 1 });
  });

  it('is absent where the recording has no actions', () => {
    expect(deviationFromRecorded([factsOf(0, 0)], reference, layout)).toBeUndefined();
  });
});

describe('gripper decisions', () => {
  it('are counted as flipped by the side of the threshold that they are on', () => {
    // executed: action 0 agrees, action 1 flips; action 2 flips outside the executed part
    expect(gripperFlips(reference, run, layout)).toEqual({
      decisions: 2,
      executed: 1,
      whole: 2,
      places: [{ observation: 0, step: 1, column: 2 }],
    });
  });

  it('never flip between identical runs', () => {
    expect(gripperFlips(run, run, layout)).toMatchObject({ executed: 0, whole: 0, places: [] });
  });

  it('do not exist for a robot without a rule', () => {
    expect(gripperFlips(reference, run, { ...layout, grippers: [] })).toBeUndefined();
  });
});
