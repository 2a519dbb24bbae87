import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { MeasuredState } from '../../src/executor/MeasuredState';
import type { JointPositions } from '../../src/executor/MeasuredState';

const MAX_AGE = 0.5;
const NAMES = ['shoulder', 'elbow', 'hand'];

/** Two joints that must be known, and a gripper that need not. */
function measured(): MeasuredState {
  return new MeasuredState(NAMES, [true, true, false], '/joint_states');
}
const joints = (values: Readonly<Record<string, number>>, stamp?: number): JointPositions => ({
  stamp,
  names: Object.keys(values),
  positions: Object.values(values),
});

describe('The measured state of a robot', () => {
  it('is put together by name from messages that each tell of some joints', () => {
    const state = measured();
    state.take(joints({ elbow: 2, wheel: 9 }), 1, MAX_AGE);
    expect(state.at(1, MAX_AGE)).toMatchObject({
      lacking: 'no_state',
      values: [NaN, 2, NaN],
      age: undefined,
    });
    state.take(joints({ shoulder: 1 }), 1.2, MAX_AGE);
    expect(state.at(1.3, MAX_AGE)).toMatchObject({ lacking: undefined, values: [1, 2, NaN], problem: '' });
    expect(state.at(1.3, MAX_AGE).age).toBeCloseTo(0.3, 9);
  });

  it('names the joints that are missing, those that came and which were meant', () => {
    const state = measured();
    expect(state.at(0, MAX_AGE).problem).toBe(
      'no position of "shoulder", "elbow" is known: nothing has come on /joint_states',
    );
    state.take(joints({ left_shoulder: 1, elbow: 2 }), 0, MAX_AGE);
    expect(state.at(0, MAX_AGE).problem).toBe(
      '/joint_states has no usable position for "shoulder" (did you mean "left_shoulder"?); it names "elbow", "left_shoulder"',
    );
  });

  it('grows stale joint by joint, and says which and how old', () => {
    const state = measured();
    state.take(joints({ shoulder: 1, elbow: 2 }, 10), 10, MAX_AGE);
    state.take(joints({ shoulder: 1.1 }, 10.4), 10.4, MAX_AGE);
    const { lacking, problem, values } = state.at(10.6, MAX_AGE);
    expect(lacking).toBe('stale_state');
    expect(values).toEqual([1.1, NaN, NaN]);
    expect(problem).toBe(
      'the positions of "elbow" on /joint_states are 0.600 s old, at most 0.5 s are allowed (state_max_age)',
    );
  });

  it('takes nothing that is stamped ahead, late, not a number or too short, and counts it by kind', () => {
    const state = measured();
    state.take(joints({ shoulder: 1, elbow: 2 }, 10), 10, MAX_AGE);
    state.take(joints({ shoulder: 7, elbow: 7 }, 86_410), 10.01, MAX_AGE);
    state.take(joints({ shoulder: 7, elbow: 7 }, 9.9), 10.02, MAX_AGE);
    state.take(joints({ shoulder: NaN }, 10.03), 10.03, MAX_AGE);
    state.take({ stamp: 10.04, names: ['shoulder', 'elbow'], positions: [] }, 10.04, MAX_AGE);
    state.refuseUnreadable();
    expect(state.at(10.1, MAX_AGE).values).toEqual([1, 2, NaN]);
    expect(state.refused).toEqual({ unreadable: 1, shape: 1, not_finite: 1, future: 1, outdated: 1 });
    expect(state.messages).toBe(6);
    // What was wrong since is the reason that is given.
    state.take(joints({ shoulder: 7, elbow: 7 }, 86_410), 10.3, MAX_AGE);
    expect(state.at(10.6, MAX_AGE).problem).toMatch(/the last message is stamped 86399\.700 s ahead/);
    state.take(joints({ shoulder: 3, elbow: 4 }, 10.7), 10.7, MAX_AGE);
    expect(state.at(10.7, MAX_AGE).values).toEqual([3, 4, NaN]);
  });

  it('does not count a stamp that is a little ahead as younger than it was received', () => {
    const state = measured();
    state.take(joints({ shoulder: 1, elbow: 2 }, 10.4), 10, MAX_AGE);
    state.take(joints({ shoulder: 3, elbow: 4 }, 10.1), 10.1, MAX_AGE);
    expect(state.at(10.1, MAX_AGE).values).toEqual([3, 4, NaN]);
    expect(state.at(10.61, MAX_AGE).lacking).toBe('stale_state');
  });

  it('is the same with and without the messages that are refused', () => {
    const event = fc.record({
      kind: fc.constantFrom('good' as const, 'future' as const, 'nan' as const, 'shape' as const),
      value: fc.double({ min: -3, max: 3, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        const run = (taken: readonly boolean[]): readonly number[] => {
          const state = measured();
          events.forEach(({ kind, value }, i) => {
            if (!taken[i]) return;
            const now = 10 + i * 0.01;
            const stamp = kind === 'future' ? now + 100 : now;
            const elbow = kind === 'nan' ? NaN : value;
            const positions = kind === 'shape' ? [] : [kind === 'nan' ? Infinity : value, elbow];
            state.take({ stamp, names: ['shoulder', 'elbow'], positions }, now, MAX_AGE);
          });
          return Array.from(state.at(10.3, MAX_AGE).values);
        };
        expect(run(events.map(() => true))).toEqual(run(events.map(({ kind }) => kind === 'good')));
      }),
    );
  });
});
