import { describe, expect, it } from 'vitest';
import type { BagSample } from '../../src/bag/types';
import { InputError, UsageError } from '../../src/errors';
import { findings } from '../../src/evaluation/findings';
import { readTolerance } from '../../src/evaluation/readTolerance';
import {
  recordedObservations,
  type KnownTasks,
  RecordedOptions,
} from '../../src/evaluation/recordedObservations';
import type { Stamped } from '../../src/observation/History';
import type { RawFrame } from '../../src/observation/RawFrame';
import type { Warning } from '../../src/evaluation/types';
import { cachedConfiguration, chunkOf, factsOf, simpleLayout, UNCACHED } from './fakeEvaluation';

describe('a tolerance on the command line', () => {
  const layout = simpleLayout({ names: ['a'] });

  it('is read by group, for all actions, and for gripper flips', () => {
    expect(readTolerance(['joints=0.01', '0.2', 'flips=3'], 'worst', layout)).toEqual({
      measure: 'worst',
      groups: { joints: 0.01 },
      normalised: 0.2,
      flips: 3,
    });
    expect(readTolerance([], 'rmse', layout)).toBeUndefined();
  });

  it('names the groups of the bundle where it is misspelt', () => {
    expect(() => readTolerance(['joint=0.01'], 'rmse', layout)).toThrow(
      /did you mean joints\?.*joints, flips/,
    );
    for (const text of ['joints=', 'joints=-1', 'joints=many', '']) {
      expect(() => readTolerance([text], 'rmse', layout)).toThrow(UsageError);
    }
  });
});

describe('what the chunks give rise to', () => {
  it('is one warning for all configurations, at the first chunk concerned', () => {
    const clamped = (count: number) => ({ ...chunkOf([0]), clamped: count });
    const runs = [
      { configuration: UNCACHED, chunks: [clamped(0), clamped(2)] },
      { configuration: cachedConfiguration(4, 6), chunks: [clamped(0), clamped(0)] },
    ];
    expect(findings([factsOf(0, 0), factsOf(0, 1)], runs)).toEqual([
      {
        kind: 'clamped',
        time: 0.2,
        message: 'action values were beyond the limits of the bundle and were cut: none 2 in 1 of 2 chunks',
      },
    ]);
  });

  it('says so when a policy was faster than the work that it saves explains', () => {
    // Half of the time is the expert's and half of the stacks are saved: at most 1 / (1 - 1/4) = 1.33
    const uncached = {
      configuration: UNCACHED,
      chunks: [chunkOf([0], { times: { expert: 0.05, total: 0.1 } })],
    };
    const cached = (total: number) => ({
      configuration: cachedConfiguration(4, 6),
      chunks: [chunkOf([0], { times: { total }, report: { stackEvaluations: 5 } })],
    });
    expect(findings([factsOf(0, 0)], [uncached, cached(0.08)])).toEqual([]);
    expect(findings([factsOf(0, 0)], [uncached, cached(0.05)])).toMatchObject([
      {
        kind: 'other',
        message: expect.stringContaining('2.00x is more than the work that it saves explains (1.33x)'),
      },
    ]);
  });
});

describe('observations of a recording', () => {
  const sample = (options: Partial<Extract<BagSample, { kind: 'observation' }>> = {}): BagSample => ({
    kind: 'observation',
    index: 0,
    episode: 0,
    chunk: 0,
    time: 1.5,
    stamp: 7_000_000_000n,
    instruction: 'stack',
    frames: new Map(),
    proprio: Float64Array.from([1]),
    ages: [{ name: 'cam', age: 0.01 }],
    skew: 0,
    doubts: [],
    ...options,
  });
  const run = async (samples: readonly BagSample[], options: Partial<RecordedOptions> = {}) => {
    const warnings: Warning[] = [];
    const found = [];
    const source = (async function* () {
      await Promise.resolve();
      yield* samples;
    })();
    const tasks: KnownTasks = {
      knows: (task) => ['stack', 'sort'].includes(task),
      unknownTask: (task) => `unknown instruction ${task}`,
    };
    const onWarning = (warning: Warning): number => warnings.push(warning);
    const all: RecordedOptions = { horizon: 2, actionDim: 1, tasks, onWarning, ...options };
    for await (const one of recordedObservations(source, all)) found.push(one);
    return { found, warnings };
  };

  it('keep their facts, with stamps relative to the first', async () => {
    const recordedAction = Float32Array.from([3, NaN]);
    const { found } = await run([sample({ recordedAction }), sample({ chunk: 1, stamp: 7_500_000_001n })]);
    expect(found[0]!.facts).toMatchObject({ episode: 0, chunk: 0, time: 1.5, recorded: recordedAction });
    expect(found.map(({ observation }) => observation.stamp)).toEqual([0, 0.500000001]);
  });

  it('are left out with a warning where the node would refuse them', async () => {
    const refusals = [
      { kind: 'stale', source: 'cam', message: 'cam is 0.9 s old' },
      { kind: 'missing_joints', source: 'joints', message: 'joints lacks elbow' },
    ] as const;
    const { found, warnings } = await run([{ kind: 'skipped', episode: 0, time: 2, refusals }, sample()]);
    expect(found).toHaveLength(1);
    expect(warnings).toEqual([
      { kind: 'stale', time: 2, message: 'no chunk: cam is 0.9 s old' },
      { kind: 'dropped', time: 2, message: 'no chunk: joints lacks elbow' },
    ]);
  });

  it('tell of doubtful numbers and of a camera that stands still, and leave out what the node would not act on', async () => {
    const frame = (value: number): Stamped<RawFrame> => ({
      stamp: 0n,
      value: {
        ...{ kind: 'raw', width: 1, height: 1, step: 3, encoding: 'rgb8', is_bigendian: 0 },
        data: new Uint8Array(3).fill(value),
      },
    });
    // Each second another joint position; the camera shows its first picture once, and its second from then on.
    const samples = [0, 1, 2, 3, 4].map((second) =>
      sample({
        time: second,
        stamp: BigInt(second) * 1_000_000_000n,
        proprio: Float64Array.from([second]),
        frames: new Map([['cam', frame(second === 0 ? 1 : 2)]]),
        doubts: second === 0 ? ['x is 1e30 m'] : [],
      }),
    );
    const { found, warnings } = await run(samples, { maxFrozen: -1 });
    expect(found.map(({ facts }) => facts.time)).toEqual([0, 1, 2]);
    expect(warnings.map(({ kind, time, message }) => [kind, time, message.slice(0, 34)])).toEqual([
      ['other', 0, 'x is 1e30 m'],
      ['dropped', 3, 'no chunk: cam has repeated the sam'],
      ['dropped', 4, 'no chunk: cam has repeated the sam'],
    ]);
    expect((await run(samples)).found).toHaveLength(5);
    const strict = await run(samples, { maxFrozen: 4 });
    expect(strict.warnings.map(({ kind, time }) => [kind, time])).toEqual([
      ['other', 0],
      ['other', 3],
      ['other', 4],
    ]);
  });

  it('do not compare recorded commands of another width, and say so once', async () => {
    const recordedAction = new Float32Array(6);
    const { found, warnings } = await run([sample({ recordedAction }), sample({ recordedAction })]);
    expect(found[0]!.facts.recorded).toBeUndefined();
    expect(warnings).toHaveLength(1);
  });

  it('stop at the limit, and take the task from the command line', async () => {
    const { found } = await run([sample(), sample(), sample()], { limit: 2, instruction: 'sort' });
    expect(found.map(({ observation }) => observation.instruction)).toEqual(['sort', 'sort']);
  });

  it('need a task', async () => {
    const { found, warnings } = await run([sample({ instruction: undefined }), sample()]);
    expect(found).toHaveLength(1);
    expect(warnings).toEqual([expect.objectContaining({ kind: 'dropped', time: 1.5 })]);
    expect(warnings[0]!.message).toMatch(/does not say the task/);
    await expect(run([sample()], { instruction: 'fly' })).rejects.toThrow(InputError);
  });
});
