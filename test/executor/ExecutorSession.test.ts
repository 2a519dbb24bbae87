import { describe, expect, it } from 'vitest';
import type { BundleManifest } from '../../src/bundle/schema';
import { InputError } from '../../src/errors';
import { ExecutorSession } from '../../src/executor/ExecutorSession';
import type { ReceivedChunk, SessionSettings } from '../../src/executor/ExecutorSession';

const PERIOD = 0.1;
const SETTINGS: SessionSettings = {
  period: PERIOD,
  join: 'blend',
  blendSteps: 0,
  deadline: 100,
  limits: 'clamp',
  stateMaxAge: 0.5,
};
const NAMES = ['shoulder', 'elbow', 'grip'];

const JOINTS: BundleManifest['actions'] = {
  kind: 'joint_position',
  frame: '',
  items: NAMES.map((name) => ({ name, unit: 'rad', group: 'arm' })),
  normaliser: { mode: 'z-score', scale: [1, 1, 1], offset: [0, 0, 0] },
  gripper: [],
  limits: { max_step: [0.1, null, null] },
};
const POSE: BundleManifest['actions'] = {
  ...JOINTS,
  kind: 'delta_pose',
  gripper: [{ index: 2, rule: 'none', binarize: false, threshold: 0 }],
};

/** A session in which both publishers, a and b, are there unless said otherwise. */
function session(
  actions = JOINTS,
  { settings = SETTINGS, alive = ['a', 'b'] }: { settings?: SessionSettings; alive?: string[] } = {},
): ExecutorSession {
  const made = new ExecutorSession({
    actions,
    settings,
    stateTopic: '/joint_states',
    alive: (source) => alive.includes(source),
    nameOf: (source) => `/policy_${source}`,
  });
  made.activate();
  return made;
}

function chunk(stamp: number, values: readonly number[], other: Partial<ReceivedChunk> = {}): ReceivedChunk {
  const actions = Float32Array.from({ length: 3 * 100 }, (_, i) => values[i % 3]!);
  return {
    ...{ stamp, period: PERIOD, replanSteps: 50, actions },
    ...{ episode: 0, chunk: 0, names: NAMES, source: 'a', ...other },
  };
}

/** Tells where the robot is and takes the step of that time. */
function stepAt(s: ExecutorSession, time: number, at?: readonly number[]): number[] | undefined {
  if (at) s.hearJoints({ stamp: time, names: NAMES, positions: at }, time);
  const { values } = s.step(time);
  return values && Array.from(values, (value) => Number(value.toFixed(6)));
}
const refusal = (result: ReturnType<ExecutorSession['take']>): string | undefined =>
  'refused' in result ? result.refused.reason : undefined;

describe('A session of the action executor', () => {
  it('is inactive, waits, executes, holds and pauses, and says so', () => {
    const s = session(JOINTS, { settings: { ...SETTINGS, deadline: 0 } });
    s.deactivate();
    expect(s.stateOf(10)).toMatchObject({ mode: 'inactive', reason: '' });
    s.activate();
    expect(s.stateOf(10)).toMatchObject({ mode: 'waiting', hold: 'no_chunk' });
    stepAt(s, 10, [0, 0, 0]);
    s.take(chunk(10.1, [0, 0, 0], { replanSteps: 1, chunk: 7, episode: 3 }), 10.1);
    stepAt(s, 10.1, [0, 0, 0]);
    expect(s.stateOf(10.1)).toMatchObject({ mode: 'executing', hold: undefined, chunk: 7, episode: 3 });
    stepAt(s, 10.2, [0, 0, 0]);
    stepAt(s, 10.3, [0, 0, 0]);
    expect(s.stateOf(10.3)).toMatchObject({ mode: 'holding', hold: 'deadline' });
    expect(s.stateOf(10.3).overdue).toBeCloseTo(0.1, 9);
    s.pause();
    expect(s.stateOf(10.4)).toMatchObject({ mode: 'paused', reason: 'paused on request' });
  });

  it('commands nothing without joint states, and names the joints that are missing', () => {
    const s = session();
    s.take(chunk(10, [2, 2, 2]), 10);
    expect(stepAt(s, 10)).toBeUndefined();
    expect(s.stateOf(10)).toMatchObject({
      mode: 'holding',
      hold: 'no_state',
      reason: 'no position of "shoulder", "elbow", "grip" is known: nothing has come on /joint_states',
    });
    s.hearJoints({ stamp: 10.1, names: ['shoulder', 'elbow'], positions: [0, 0] }, 10.1);
    expect(stepAt(s, 10.1)).toBeUndefined();
    expect(s.stateOf(10.1).reason).toMatch(/no usable position for "grip"/);
    expect(s.counts.heldCommands.no_state).toBe(2);
    // A step of 0.1 in the first joint from where it is, no limit on the others.
    expect(stepAt(s, 10.2, [0, 0, 0])).toEqual([0.1, 2, 2]);
  });

  it('begins after a pause, a hold, an episode and activation where the robot is, not where it was told to be', () => {
    const s = session();
    let time = 10;
    const begins = (prepare: () => void, episode = 0): void => {
      prepare();
      time += 1;
      s.take(chunk(time, [0, 0, 0], { episode }), time);
      expect(stepAt(s, time, [-3, -3, 0])?.[0]).toBeCloseTo(-2.9, 9);
      expect(stepAt(s, time + 0.1, [-2.95, 0, 0])?.[0]).toBeCloseTo(-2.8, 9);
    };
    s.take(chunk(10, [2, 2, 2]), 10);
    stepAt(s, 10, [2, 2, 2]);
    begins(() => {
      s.pause();
      stepAt(s, time + 0.1, [2, 2, 2]);
      s.resume();
    });
    // Joint states stop coming and come again.
    begins(() => expect(s.step(time + 0.9).reason).toBe('stale_state'));
    begins(() => undefined, 1);
    begins(() => {
      s.deactivate();
      s.activate();
    }, 1);
    begins(() => s.timeJumped(), 1);
  });

  it('needs no joint states for steps of a pose, and stops them when it is deactivated', () => {
    const s = session(POSE);
    expect(s.needsState).toBe(false);
    s.take(chunk(10, [0.05, 0.2, 1]), 10);
    expect(stepAt(s, 10)).toEqual([0.05, 0.2, 1]);
    expect([...s.deactivate()!]).toEqual([0, 0, 1]);
    expect(s.deactivate()).toBeUndefined();
  });

  it('counts every refused chunk by its reason, and lets none take the place of what is followed', () => {
    const s = session();
    s.take(chunk(10, [0, 1, 0]), 10);
    const bad: [Partial<ReceivedChunk>, string][] = [
      [{ names: ['x', 'y', 'z'] }, 'names'],
      [{ source: 'b' }, 'source'],
      [{ stamp: 20 }, 'future'],
      [{ stamp: 9 }, 'outdated'],
      [{ period: 0.05 }, 'period'],
      [{ actions: Float32Array.of(1, 2) }, 'shape'],
      [{ actions: Float32Array.of(1, NaN, 2) }, 'not_finite'],
    ];
    for (const [other, reason] of bad) {
      expect(refusal(s.take(chunk(10.05, [9, 9, 9], other), 10.05)), reason).toBe(reason);
      expect(s.counts.chunksRefused[reason as 'names']).toBe(1);
    }
    // The same with another episode, which would make a new beginning.
    expect(refusal(s.take(chunk(20, [9, 9, 9], { episode: 5 }), 10.05))).toBe('future');
    expect(stepAt(s, 10.1, [0, 1, 0])).toEqual([0, 1, 0]);
    s.pause();
    expect(refusal(s.take(chunk(10.2, [0, 0, 0]), 10.2))).toBe('paused');
  });

  it('follows one publisher, and another only when that one is gone or has been silent', () => {
    const alive = ['a', 'b'];
    const s = session(JOINTS, { alive });
    // What cannot be used binds nobody.
    s.take(chunk(10, [0, 0, 0], { source: 'b', names: [] }), 10);
    s.take(chunk(99, [0, 0, 0], { source: 'b' }), 10);
    expect(refusal(s.take(chunk(10, [0, 0, 0]), 10))).toBeUndefined();
    const other = s.take(chunk(10.1, [1, 1, 1], { source: 'b' }), 10.1);
    expect('refused' in other && other.refused.sentence).toBe(
      'a chunk was refused: it is from /policy_b, and those of /policy_a are followed; another is followed when that one is gone or silent for 5 s',
    );
    expect(s.otherSources(10.1)).toEqual(['b']);
    expect(s.stateOf(10.1).source).toBe('a');
    s.take(chunk(14, [0, 0, 0]), 14);
    expect(refusal(s.take(chunk(18.9, [1, 1, 1], { source: 'b' }), 18.9))).toBe('source');
    expect(refusal(s.take(chunk(19.1, [1, 1, 1], { source: 'b' }), 19.1))).toBeUndefined();
    // The other plan begins where the robot is, in steps.
    expect(stepAt(s, 19.1, [0, 0, 0])).toEqual([0.1, 1, 1]);
    alive.splice(1);
    expect(refusal(s.take(chunk(19.2, [0, 0, 0]), 19.2))).toBeUndefined();
    expect(s.stateOf(19.2).source).toBe('a');
  });

  it('takes settings while it moves, of the limits only stricter ones', () => {
    const s = session();
    s.take(chunk(10, [0, 1, 0]), 10);
    stepAt(s, 10, [0, 0, 0]);
    const { counts } = s;
    expect(s.problemWith({ ...SETTINGS, limits: 'none' })).toMatch(
      /may only become stricter while the node is active.*it is clamp; deactivate the node to set it to none/,
    );
    expect(s.problemWith({ ...SETTINGS, limits: 'refuse' })).toBeUndefined();
    s.apply({ ...SETTINGS, limits: 'refuse', deadline: 3, blendSteps: 2 });
    expect(s.counts).toEqual(counts);
    expect(stepAt(s, 10.1, [0, 0, 0])).toEqual([0, 1, 0]);
    expect(s.problemWith(SETTINGS)).toMatch(/it is refuse/);
    s.deactivate();
    expect(s.problemWith({ ...SETTINGS, limits: 'none' })).toBeUndefined();
  });

  it('refuses a bundle without limits, also when it is asked to enforce them later', () => {
    expect(() => session({ ...JOINTS, limits: null })).toThrow(InputError);
    const s = session({ ...JOINTS, limits: null }, { settings: { ...SETTINGS, limits: 'none' } });
    expect(s.problemWith(SETTINGS)).toMatch(/states no action limits/);
  });

  it('keeps its counts when it is paused, deactivated and activated again', () => {
    const s = session();
    s.take(chunk(10, [0, 1, 0]), 10);
    stepAt(s, 10, [0, 0, 0]);
    s.take(chunk(10, [0, 1, 0], { names: [] }), 10);
    s.deactivate();
    s.activate();
    expect(s.counts).toMatchObject({ commands: 1, chunksAccepted: 1 });
    expect(s.counts.chunksRefused.names).toBe(1);
  });

  it('sends action k at stamp + k period, whatever the phase in which its timer began', () => {
    for (const phase of [0, 0.3, 0.5, 0.9]) {
      const s = session(POSE);
      let now = 10 + phase * PERIOD;
      s.step(now);
      const ramp = Float32Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? i / 3 / 1000 : 0));
      const stamp = 10.02;
      now += 0.04;
      const taken = s.take(chunk(stamp, [0, 0, 0], { actions: ramp }), now);
      const shift = 'shift' in taken ? taken.shift : undefined;
      if (shift?.due) s.step(now);
      let next = shift ? now + shift.delay : 10 + (phase + 1) * PERIOD;
      for (let n = 0; n < 20; n++, next += PERIOD) {
        const { index, values } = s.step(next);
        expect(Math.abs(next - (stamp + index! * PERIOD))).toBeLessThan(0.02 * PERIOD);
        expect(values![0]).toBeCloseTo(index! / 1000, 6);
      }
    }
  });
});
