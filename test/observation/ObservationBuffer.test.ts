import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { ObservationBuffer } from '../../src/observation/ObservationBuffer';
import type { SampledSources, SampleResult } from '../../src/observation/ObservationBuffer';
import type { Refusal } from '../../src/observation/Refusal';
import { farFromTraining } from '../../src/policy/farFromTraining';
import type { VectorSource } from '../../src/settings/sources';

const ARM: VectorSource = {
  name: 'arm',
  topic: '/joint_states',
  origin: 'p.yaml:1',
  type: 'sensor_msgs/msg/JointState',
  joints: ['a', 'b'],
  field: 'position',
};
const POSE: VectorSource = {
  ...ARM,
  name: 'pose',
  topic: '/pose',
  type: 'geometry_msgs/msg/PoseStamped',
  joints: [],
};
const LIMITS = { maxAge: 0.5, maxSkew: 0.1 };

/** Milliseconds as nanoseconds. */
const ms = (value: number): bigint => BigInt(value) * 1_000_000n;

function joints(a: number, b: number): object {
  return { name: ['b', 'x', 'a'], position: [b, 99, a] };
}

function sampled(result: SampleResult<string>): SampledSources<string> {
  if (result.kind !== 'sampled') throw new Error(result.refusals.map((r) => r.message).join('; '));
  return result.sources;
}

function refusals(result: SampleResult<string>): readonly Refusal[] {
  if (result.kind !== 'refused') throw new Error('it was sampled');
  return result.refusals;
}

/** Two cameras and an arm, all with a message at 1000 ms. */
function ready(): ObservationBuffer<string> {
  const buffer = new ObservationBuffer<string>({
    cameras: ['front', 'wrist'],
    proprio: [ARM],
    limits: LIMITS,
  });
  buffer.addFrame('front', ms(1000), 'f0', ms(1000));
  buffer.addFrame('wrist', ms(1000), 'w0', ms(1000));
  buffer.addProprio('arm', ms(1000), joints(1, 2), ms(1000));
  return buffer;
}

function sampledAge(buffer: ObservationBuffer<number>, time: bigint): number {
  const result = buffer.sample(time);
  return result.kind === 'sampled' ? result.sources.ages[0]!.age : Infinity;
}

describe('the observation buffer', () => {
  it('gives the frame before one that could not be decoded, and the reason only where there is none', () => {
    const buffer = ready();
    buffer.addFrame('front', ms(1050), 'bad', ms(1050));
    buffer.takeBack('front', ms(1050), 'camera front: a jpeg of 3 bytes');
    expect(sampled(buffer.sample(ms(1060))).frames.get('front')?.value).toBe('f0');
    expect(buffer.messagesRefused.get('front')?.get('undecodable')).toBe(1);
    const [refusal] = refusals(buffer.sample(ms(1600)));
    expect(refusal).toMatchObject({ kind: 'undecodable', source: 'front' });
    expect(buffer.refused.get('undecodable')).toBe(1);
  });

  it('keeps more frames of a camera whose frames may turn out to be bad', () => {
    const buffer = new ObservationBuffer<string>({
      cameras: ['front'],
      proprio: [],
      limits: LIMITS,
      framesOf: () => 20,
    });
    buffer.addFrame('front', ms(1000), 'good', ms(1000));
    for (let i = 1; i < 20; i++) buffer.addFrame('front', ms(1000 + i), 'bad', ms(1000 + i));
    for (let i = 19; i > 0; i--) buffer.takeBack('front', ms(1000 + i), 'bad');
    expect(sampled(buffer.sample(ms(1100))).frames.get('front')?.value).toBe('good');
  });

  it('says what can hardly be, and by setting uses the last that can', () => {
    // mean 1, standard deviation 0.5
    const normaliser = { mode: 'z-score', scale: [2, 2, 2], offset: [-2, -2, -2] };
    const proprio = { names: ['pose.x', 'a', 'b'], units: ['m', 'rad', 'rad'], normaliser };
    const buffer = new ObservationBuffer<string>({
      cameras: [],
      proprio: [
        { ...ARM, name: 'pose', topic: '/x', type: 'std_msgs/msg/Float64MultiArray', joints: ['pose.x'] },
        ARM,
      ],
      limits: LIMITS,
      plausibility: farFromTraining({ manifest: { proprio } }),
    });
    buffer.addProprio('pose', ms(1000), { data: [1] }, ms(1000));
    buffer.addProprio('arm', ms(1000), joints(4, 1), ms(1000)); // 6 standard deviations: just near enough
    expect(sampled(buffer.sample(ms(1000))).doubts).toEqual([]);
    buffer.addProprio('arm', ms(1010), joints(1, -180), ms(1010));
    const doubtful = sampled(buffer.sample(ms(1010)));
    expect([...doubtful.proprio]).toEqual([1, 1, -180]);
    expect(doubtful.doubts).toEqual([
      'b is -180 rad, 3.6e+2 times the spread of the data that the model was trained on: is its unit right?',
    ]);
    buffer.limits = { ...LIMITS, maxDeviation: 6 };
    buffer.addProprio('arm', ms(1020), joints(1, 1.5), ms(1020));
    buffer.addProprio('arm', ms(1030), joints(1e30, 1), ms(1030));
    buffer.addProprio('pose', ms(1030), { data: [-9] }, ms(1030));
    const kept = sampled(buffer.sample(ms(1040)));
    expect([[...kept.proprio], kept.doubts]).toEqual([[1, 1, 1.5], []]);
    const [refusal] = refusals(buffer.sample(ms(1600)));
    expect(refusal).toMatchObject({ kind: 'implausible', source: 'pose' });
    expect(refusal?.message).toMatch(
      /^pose: pose\.x is -9 m, 20 times the spread .* \(observation\.max_deviation\)/,
    );
  });

  it('keeps what can be used where messages of another width, or without names, follow', () => {
    const list: VectorSource = { ...ARM, name: 'list', topic: '/l', type: 'std_msgs/msg/Float32MultiArray' };
    const buffer = new ObservationBuffer<string>({ cameras: [], proprio: [list, ARM], limits: LIMITS });
    buffer.addProprio('list', ms(1000), { data: [1, 2] }, ms(1000));
    buffer.addProprio('arm', ms(1000), joints(3, 4), ms(1000));
    for (const data of [[], [1], [1, 2, 3]]) buffer.addProprio('list', ms(1010), { data }, ms(1010));
    buffer.addProprio('arm', ms(1010), { name: [], position: [7, 8] }, ms(1010));
    expect([...sampled(buffer.sample(ms(1020))).proprio]).toEqual([1, 2, 3, 4]);
    expect(buffer.messagesRefused.get('list')?.get('malformed')).toBe(3);
    const late = refusals(buffer.sample(ms(1600)));
    expect(late.map(({ message }) => message.slice(0, 70))).toEqual([
      expect.stringMatching(/^list: a message on \/l has 3 numbers, expected 2 \(a, b\)/),
      expect.stringMatching(/^arm: a message on \/joint_states has 2 values of position and no names/),
    ]);
  });

  it('gives the newest frame of each camera that is not later than the sample time', () => {
    const buffer = ready();
    buffer.addFrame('front', ms(1050), 'f1', ms(1050));
    buffer.addFrame('wrist', ms(1030), 'w1', ms(1030));
    buffer.addFrame('front', ms(1101), 'too late', ms(1101));
    const { frames, stamp, skew, ages } = sampled(buffer.sample(ms(1100)));
    expect([...frames].map(([name, frame]) => [name, frame.value])).toEqual([
      ['front', 'f1'],
      ['wrist', 'w1'],
    ]);
    expect(stamp).toBe(ms(1050));
    expect(skew).toBeCloseTo(0.02, 12);
    expect(ages).toEqual([
      { name: 'front', age: 0.05 },
      { name: 'wrist', age: 0.07 },
      { name: 'arm', age: 0.1 },
    ]);
  });

  it('takes a frame at exactly the sample time', () => {
    expect(sampled(ready().sample(ms(1000))).ages.every(({ age }) => age === 0)).toBe(true);
  });

  it('does not mind the order in which messages arrive', () => {
    const buffer = ready();
    buffer.addFrame('front', ms(1090), 'newer', ms(1090));
    buffer.addFrame('front', ms(1020), 'older', ms(1020));
    expect(sampled(buffer.sample(ms(1100))).frames.get('front')?.value).toBe('newer');
  });

  it('puts proprioception together in the order of its sources, joints by name, poses as axis-angle', () => {
    const buffer = new ObservationBuffer<string>({ cameras: [], proprio: [POSE, ARM], limits: LIMITS });
    buffer.addProprio('arm', ms(1000), joints(1, 2), ms(1000));
    // A quarter turn about z: q = (0, 0, sin 45°, cos 45°), axis-angle (0, 0, pi/2).
    const orientation = { x: 0, y: 0, z: Math.SQRT1_2, w: Math.SQRT1_2 };
    buffer.addProprio(
      'pose',
      ms(990),
      { pose: { position: { x: 0.1, y: 0.2, z: 0.3 }, orientation } },
      ms(990),
    );
    const { proprio, stamp } = sampled(buffer.sample(ms(1000)));
    const expected = [0.1, 0.2, 0.3, 0, 0, Math.PI / 2, 1, 2];
    expect(proprio).toHaveLength(expected.length);
    expected.forEach((value, i) => expect(proprio[i]).toBeCloseTo(value, 12));
    expect(stamp).toBe(ms(1000));
  });

  it('passes over messages about other joints only', () => {
    const buffer = ready();
    buffer.addProprio('arm', ms(1050), { name: ['gripper'], position: [7] }, ms(1050));
    expect([...sampled(buffer.sample(ms(1060))).proprio]).toEqual([1, 2]);
  });

  it('does without a message that has only some of the joints, and names them once the last good one is too old', () => {
    const buffer = ready();
    buffer.addProprio('arm', ms(1050), { name: ['a'], position: [7] }, ms(1050));
    expect([...sampled(buffer.sample(ms(1060))).proprio]).toEqual([1, 2]);
    const [refusal] = refusals(buffer.sample(ms(1501))).filter(({ source }) => source === 'arm');
    expect(refusal).toMatchObject({ kind: 'missing_joints', source: 'arm' });
    expect(refusal?.message).toContain('/joint_states has no position for "b"');
  });

  it('does without NaN and infinite numbers, and names them once the last good message is too old', () => {
    const buffer = ready();
    buffer.addProprio('arm', ms(1050), joints(Number.NaN, Number.POSITIVE_INFINITY), ms(1050));
    expect([...sampled(buffer.sample(ms(1060))).proprio]).toEqual([1, 2]);
    const [refusal] = refusals(buffer.sample(ms(1501))).filter(({ source }) => source === 'arm');
    expect(refusal).toEqual({
      kind: 'not_finite',
      source: 'arm',
      message: 'arm: "a" is NaN, "b" is Infinity (its last good message is 0.501 s old)',
    });
    expect(buffer.messagesRefused.get('arm')?.get('not_finite')).toBe(1);
    buffer.addProprio('arm', ms(1070), joints(3, 4), ms(1070));
    expect([...sampled(buffer.sample(ms(1080))).proprio]).toEqual([3, 4]);
  });

  it('refuses stale sources one by one', () => {
    const buffer = ready();
    buffer.addFrame('wrist', ms(1600), 'w1', ms(1600));
    buffer.addFrame('front', ms(1600), 'f1', ms(1600));
    const found = refusals(buffer.sample(ms(1600)));
    expect(found.map(({ kind, source }) => [kind, source])).toEqual([['stale', 'arm']]);
    expect(found[0]?.message).toBe('arm is 0.600 s old, at most 0.5 s are allowed (observation.max_age)');
  });

  it('refuses cameras that are too far apart', () => {
    const buffer = ready();
    buffer.addFrame('front', ms(1101), 'f1', ms(1101));
    expect(refusals(buffer.sample(ms(1110))).map(({ kind }) => kind)).toEqual(['skewed']);
    buffer.limits = { ...LIMITS, maxSkew: Number.POSITIVE_INFINITY };
    expect(sampled(buffer.sample(ms(1110))).skew).toBeCloseTo(0.101, 12);
  });

  it('calls a source that is only ahead of the clock what it is, not stale or missing', () => {
    const found = refusals(ready().sample(ms(400)));
    expect(found.map(({ kind }) => kind)).toEqual(['future', 'future', 'future']);
    expect(found[0]?.message).toMatch(/^front is stamped 0\.600 s ahead of the clock; .*use_sim_time/);
  });

  it('is not moved by frames and joints of another clock: the next good message is used', () => {
    const buffer = ready();
    const hour = 3_600_000;
    for (let k = 0; k < 12; k++) {
      buffer.addFrame('front', ms(1010 + k + hour), 'from the future', ms(1010 + k));
      buffer.addProprio('arm', ms(1010 + k + 24 * hour), joints(8, 9), ms(1010 + k));
    }
    const before = sampled(buffer.sample(ms(1100)));
    expect(before.frames.get('front')?.value).toBe('f0');
    expect([...before.proprio]).toEqual([1, 2]);
    // The good ones are too old by now, and the reason is what has come since.
    expect(refusals(buffer.sample(ms(1600))).map(({ kind, source }) => [kind, source])).toEqual([
      ['future', 'front'],
      ['future', 'arm'],
      ['stale', 'wrist'],
    ]);
    expect(refusals(buffer.sample(ms(1600)))[0]?.message).toMatch(
      /^front is stamped 3600\.000 s ahead of the clock.*last good message is 0\.600 s old/,
    );
    buffer.addFrame('front', ms(1590), 'f1', ms(1595));
    buffer.addFrame('wrist', ms(1590), 'w1', ms(1595));
    buffer.addProprio('arm', ms(1590), joints(3, 4), ms(1595));
    const after = sampled(buffer.sample(ms(1600)));
    expect([after.frames.get('front')?.value, ...after.proprio]).toEqual(['f1', 3, 4]);
    expect(buffer.messagesRefused.get('front')?.get('future')).toBe(12);
    // An hour later the old picture's stamp has come: it is still not shown.
    expect(refusals(buffer.sample(ms(1015 + hour))).map(({ kind }) => kind)).toEqual([
      'stale',
      'stale',
      'stale',
    ]);
  });

  it('uses the messages of a clock that is a little ahead once their time has come, however many come', () => {
    const buffer = new ObservationBuffer<number>({ cameras: ['front'], proprio: [], limits: LIMITS });
    // 100 Hz, stamped 0.3 s ahead: many more than a source keeps.
    for (let t = 0; t <= 3000; t += 10) {
      buffer.addFrame('front', ms(t + 300), t + 300, ms(t));
      if (t > 300) expect(sampledAge(buffer, ms(t))).toBeLessThanOrEqual(0.3);
    }
  });

  it('gives the newest usable message whatever else comes: the others change nothing', () => {
    // In words of the rule: take away every message that is refused, and the observation is the same.
    const good = fc.record({ kind: fc.constant('good' as const), age: fc.integer({ min: 0, max: 300 }) });
    const bad = fc.record({
      kind: fc.constantFrom('future' as const, 'nan' as const, 'names' as const, 'shape' as const),
      age: fc.integer({ min: 0, max: 300 }),
    });
    fc.assert(
      fc.property(fc.array(fc.oneof(good, bad), { maxLength: 40 }), (events) => {
        const run = (kept: typeof events): SampleResult<string> => {
          const buffer = new ObservationBuffer<string>({ cameras: [], proprio: [ARM], limits: LIMITS });
          buffer.addProprio('arm', ms(700), joints(0, 0), ms(700));
          for (const { kind, age } of kept) {
            const stamp = ms(kind === 'future' ? 1_000_000 + age : 1000 - age);
            const message = {
              good: joints(age, 1),
              future: joints(age, 2),
              nan: joints(age, Number.NaN),
              names: { name: ['a', 'c'], position: [1, 2] },
              shape: { name: ['a', 'b'], position: [1] },
            }[kind];
            buffer.addProprio('arm', stamp, message, ms(1000));
          }
          return buffer.sample(ms(1000));
        };
        expect(run(events)).toEqual(run(events.filter(({ kind }) => kind === 'good')));
      }),
    );
  });

  it('says of a source that cannot be read why', () => {
    const buffer = new ObservationBuffer<string>({ cameras: ['front'], proprio: [], limits: LIMITS });
    buffer.refuse('front', 'a message on /front cannot be read: it has 3 bytes');
    expect(refusals(buffer.sample(ms(1)))).toEqual([
      {
        kind: 'malformed',
        source: 'front',
        message: 'front: a message on /front cannot be read: it has 3 bytes',
      },
    ]);
  });

  it('says of joints that are named otherwise which are missing, which came and which were meant', () => {
    const buffer = new ObservationBuffer<string>({
      cameras: [],
      proprio: [{ ...ARM, joints: ['shoulder', 'elbow'] }],
      limits: LIMITS,
    });
    buffer.addProprio('arm', ms(1), { name: ['left_shoulder', 'wheel'], position: [1, 2] }, ms(1));
    expect(refusals(buffer.sample(ms(1)))[0]).toMatchObject({
      kind: 'missing_joints',
      message:
        'arm: /joint_states has no position for "shoulder" (did you mean "left_shoulder"?), "elbow"; it names "left_shoulder", "wheel"; check proprio.arm.joints',
    });
  });

  it('says which sources have sent nothing, and counts every refusal', () => {
    const buffer = new ObservationBuffer<string>({ cameras: ['front'], proprio: [ARM], limits: LIMITS });
    expect(refusals(buffer.sample(ms(1))).map(({ message }) => message)).toEqual([
      'camera front has sent nothing yet',
      'arm (/joint_states) has sent nothing yet',
    ]);
    buffer.sample(ms(2));
    expect(buffer.refused.get('missing')).toBe(4);
    expect(buffer.refused.get('stale')).toBe(0);
  });

  it('forgets everything but the counts when cleared', () => {
    const buffer = ready();
    buffer.clear();
    expect(refusals(buffer.sample(ms(1000))).every(({ kind }) => kind === 'missing')).toBe(true);
  });

  it('refuses malformed messages without throwing, whatever they hold', () => {
    for (const type of [
      'sensor_msgs/msg/JointState',
      'geometry_msgs/msg/PoseStamped',
      'std_msgs/msg/Float32MultiArray',
    ] as const) {
      fc.assert(
        fc.property(fc.anything(), fc.anything(), (whole, part) => {
          const source: VectorSource = { ...ARM, type };
          for (const message of [whole, { name: part, position: part, data: part, pose: part }]) {
            const buffer = new ObservationBuffer<string>({ cameras: [], proprio: [source], limits: LIMITS });
            buffer.addProprio('arm', ms(1), message, ms(1));
            const result = buffer.sample(ms(1));
            if (result.kind === 'sampled')
              expect([...result.sources.proprio].every(Number.isFinite)).toBe(true);
          }
        }),
      );
    }
  });

  it('wants as many array elements as have names', () => {
    const source: VectorSource = { ...ARM, type: 'std_msgs/msg/Float64MultiArray' };
    const buffer = new ObservationBuffer<string>({ cameras: [], proprio: [source], limits: LIMITS });
    buffer.addProprio('arm', ms(1), { data: Float64Array.of(1, 2, 3), layout: { data_offset: 1 } }, ms(1));
    expect([...sampled(buffer.sample(ms(1))).proprio]).toEqual([2, 3]);
    buffer.addProprio('arm', ms(2), { data: Float64Array.of(1, 2, 3), layout: { data_offset: 0 } }, ms(2));
    expect(refusals(buffer.sample(ms(600)))[0]?.message).toContain('has 3 numbers, expected 2 (a, b)');
  });

  it('refuses an orientation that is no rotation', () => {
    const buffer = new ObservationBuffer<string>({ cameras: [], proprio: [POSE], limits: LIMITS });
    const zero = { x: 0, y: 0, z: 0, w: 0 };
    buffer.addProprio('pose', ms(1), { pose: { position: zero, orientation: zero } }, ms(1));
    expect(refusals(buffer.sample(ms(1)))[0]?.message).toContain('not a unit quaternion');
  });
});
