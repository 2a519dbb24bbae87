import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { ObservationBuffer } from '../../src/observation/ObservationBuffer';
import type { SampledSources, SampleResult } from '../../src/observation/ObservationBuffer';
import type { Refusal } from '../../src/observation/Refusal';
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
  buffer.addFrame('front', ms(1000), 'f0');
  buffer.addFrame('wrist', ms(1000), 'w0');
  buffer.addProprio('arm', ms(1000), joints(1, 2));
  return buffer;
}

describe('the observation buffer', () => {
  it('gives the newest frame of each camera that is not later than the sample time', () => {
    const buffer = ready();
    buffer.addFrame('front', ms(1050), 'f1');
    buffer.addFrame('wrist', ms(1030), 'w1');
    buffer.addFrame('front', ms(1101), 'too late');
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
    buffer.addFrame('front', ms(1090), 'newer');
    buffer.addFrame('front', ms(1020), 'older');
    expect(sampled(buffer.sample(ms(1100))).frames.get('front')?.value).toBe('newer');
  });

  it('puts proprioception together in the order of its sources, joints by name, poses as axis-angle', () => {
    const buffer = new ObservationBuffer<string>({ cameras: [], proprio: [POSE, ARM], limits: LIMITS });
    buffer.addProprio('arm', ms(1000), joints(1, 2));
    // A quarter turn about z: q = (0, 0, sin 45°, cos 45°), axis-angle (0, 0, pi/2).
    const orientation = { x: 0, y: 0, z: Math.SQRT1_2, w: Math.SQRT1_2 };
    buffer.addProprio('pose', ms(990), { pose: { position: { x: 0.1, y: 0.2, z: 0.3 }, orientation } });
    const { proprio, stamp } = sampled(buffer.sample(ms(1000)));
    const expected = [0.1, 0.2, 0.3, 0, 0, Math.PI / 2, 1, 2];
    expect(proprio).toHaveLength(expected.length);
    expected.forEach((value, i) => expect(proprio[i]).toBeCloseTo(value, 12));
    expect(stamp).toBe(ms(1000));
  });

  it('passes over messages about other joints only', () => {
    const buffer = ready();
    buffer.addProprio('arm', ms(1050), { name: ['gripper'], position: [7] });
    expect([...sampled(buffer.sample(ms(1060))).proprio]).toEqual([1, 2]);
  });

  it('refuses, with the joint names, a message that has only some of the joints', () => {
    const buffer = ready();
    buffer.addProprio('arm', ms(1050), { name: ['a'], position: [7] });
    const [refusal] = refusals(buffer.sample(ms(1060)));
    expect(refusal).toMatchObject({ kind: 'missing_joints', source: 'arm' });
    expect(refusal?.message).toContain('/joint_states has no position for "b"');
  });

  it('refuses NaN and infinite numbers by name, and takes the next good message', () => {
    const buffer = ready();
    buffer.addProprio('arm', ms(1050), joints(Number.NaN, Number.POSITIVE_INFINITY));
    const [refusal] = refusals(buffer.sample(ms(1060)));
    expect(refusal).toEqual({
      kind: 'not_finite',
      source: 'arm',
      message: 'arm: "a" is NaN, "b" is Infinity',
    });
    buffer.addProprio('arm', ms(1070), joints(3, 4));
    expect([...sampled(buffer.sample(ms(1080))).proprio]).toEqual([3, 4]);
  });

  it('refuses stale sources one by one', () => {
    const buffer = ready();
    buffer.addFrame('wrist', ms(1600), 'w1');
    buffer.addFrame('front', ms(1600), 'f1');
    const found = refusals(buffer.sample(ms(1600)));
    expect(found.map(({ kind, source }) => [kind, source])).toEqual([['stale', 'arm']]);
    expect(found[0]?.message).toBe('arm is 0.600 s old, at most 0.5 s are allowed (observation.max_age)');
  });

  it('refuses cameras that are too far apart', () => {
    const buffer = ready();
    buffer.addFrame('front', ms(1101), 'f1');
    expect(refusals(buffer.sample(ms(1110))).map(({ kind }) => kind)).toEqual(['skewed']);
    buffer.limits = { ...LIMITS, maxSkew: Number.POSITIVE_INFINITY };
    expect(sampled(buffer.sample(ms(1110))).skew).toBeCloseTo(0.101, 12);
  });

  it('calls a source that is only ahead of the clock what it is, not stale or missing', () => {
    const found = refusals(ready().sample(ms(400)));
    expect(found.map(({ kind }) => kind)).toEqual(['future', 'future', 'future']);
    expect(found[0]?.message).toMatch(/^front is stamped 0\.600 s ahead of the clock; .*use_sim_time/);
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
            buffer.addProprio('arm', ms(1), message);
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
    buffer.addProprio('arm', ms(1), { data: Float64Array.of(1, 2, 3), layout: { data_offset: 1 } });
    expect([...sampled(buffer.sample(ms(1))).proprio]).toEqual([2, 3]);
    buffer.addProprio('arm', ms(2), { data: Float64Array.of(1, 2, 3), layout: { data_offset: 0 } });
    expect(refusals(buffer.sample(ms(2)))[0]?.message).toContain('has 3 numbers, expected 2 (a, b)');
  });

  it('refuses an orientation that is no rotation', () => {
    const buffer = new ObservationBuffer<string>({ cameras: [], proprio: [POSE], limits: LIMITS });
    const zero = { x: 0, y: 0, z: 0, w: 0 };
    buffer.addProprio('pose', ms(1), { pose: { position: zero, orientation: zero } });
    expect(refusals(buffer.sample(ms(1)))[0]?.message).toContain('not a unit quaternion');
  });
});
