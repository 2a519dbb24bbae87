import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkExecutor } from '../../src/executor/ChunkExecutor';
import type { CommandDimension } from '../../src/executor/dimensions';
import { joined, weightsOf } from '../../src/executor/joins';
import { JOINS } from '../../src/settings/executorParameters';
import type { Join } from '../../src/settings/executorParameters';

const PERIOD = 0.1;
const step: CommandDimension = { name: 'dx', mode: 'delta', gripper: false };
const grip: CommandDimension = { name: 'grip', mode: 'absolute', gripper: true };

function executor(join: Join, blendSteps = 0): ChunkExecutor {
  const dimensions = [step, grip];
  return new ChunkExecutor({
    dimensions,
    period: PERIOD,
    join,
    blendSteps,
    deadline: 10,
    limitPolicy: 'clamp',
  });
}

/** A chunk of steps with these values and a gripper, from control step `at` on. */
function chunk(at: number, values: readonly number[], gripper = 1) {
  return {
    stamp: at * PERIOD,
    period: PERIOD,
    replanSteps: 2,
    actions: Float32Array.from(values.flatMap((value) => [value, gripper])),
  };
}

/** The first dimension of the commands of these steps. */
function commands(e: ChunkExecutor, from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => e.command((from + i) * PERIOD).values![0]!);
}

const joins = fc.constantFrom(...JOINS.filter((join) => join !== 'blend'));

describe('the weights of joined chunks', () => {
  it('are none below 0, and sum to 1', () => {
    fc.assert(
      fc.property(joins, fc.integer({ min: 1, max: 40 }), (join, count) => {
        const weights = weightsOf(join, count);
        expect(weights).toHaveLength(count);
        expect(Math.min(...weights)).toBeGreaterThanOrEqual(0);
        expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
      }),
    );
  });

  it('are those of LeRobot and of ACT', () => {
    expect(weightsOf('latest', 3)).toEqual([1, 0, 0]);
    // 0.7 new + 0.3 (0.7 old + 0.3 oldest)
    [0.7, 0.21, 0.09].forEach((w, i) => expect(weightsOf('weighted', 3)[i]).toBeCloseTo(w, 12));
    // exp(-0.01 i) with i = 0 the oldest, which here is the last
    const raw = [Math.exp(-0.02), Math.exp(-0.01), 1];
    const sum = raw.reduce((total, w) => total + w, 0);
    raw.forEach((w, i) => expect(weightsOf('ensemble', 3)[i]).toBeCloseTo(w / sum, 12));
  });

  it('leave grippers to the newest', () => {
    expect([
      ...joined(
        'ensemble',
        [
          [0, 1],
          [1, -1],
        ],
        [false, true],
      ),
    ]).toEqual([expect.closeTo(1 / (1 + Math.exp(-0.01)), 12), 1]);
  });
});

describe('the executor with each join', () => {
  it('makes of chunks that all say the same what they say, and never leaves what they say between them', () => {
    const runs = fc.record({
      join: fc.constantFrom(...JOINS),
      blend: fc.integer({ min: 0, max: 4 }),
      values: fc.array(fc.double({ min: -1, max: 1, noNaN: true }).map(Math.fround), {
        minLength: 1,
        maxLength: 12,
      }),
      every: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(runs, ({ join, blend, values, every }) => {
        const [e, same] = [executor(join, blend), executor(join)];
        values.forEach((value, i) => {
          const at = i * every;
          expect(e.accept(chunk(at, new Array(8).fill(value)), at * PERIOD)).toBeUndefined();
          same.accept(chunk(at, new Array(8).fill(values[0]!)), at * PERIOD);
          // Chunks have 8 actions, so these are all that can be heard; motion from rest begins at 0.
          const live = values.slice(Math.max(0, i - 8), i + 1);
          for (let k = at; k < at + every; k++) {
            const command = e.command(k * PERIOD).values![0]!;
            expect(command).toBeGreaterThanOrEqual(Math.min(0, ...live) - 1e-9);
            expect(command).toBeLessThanOrEqual(Math.max(0, ...live) + 1e-9);
            expect(same.command(k * PERIOD).values![0]).toBeCloseTo(values[0]!, 9);
          }
        });
      }),
    );
  });

  it('takes what each formula says, action by action', () => {
    const expected: Record<Join, readonly number[]> = {
      // w = 1/2 at the first step of a fade over 1 step
      blend: [1, 1, 3, 5, 5, 5],
      latest: [1, 1, 5, 5, 5, 5],
      // the old chunk ends after 4 actions
      weighted: [1, 1, 0.7 * 5 + 0.3, 0.7 * 5 + 0.3, 5, 5],
      ensemble: [1, 1, ...[0, 0].map(() => (1 + 5 * Math.exp(-0.01)) / (1 + Math.exp(-0.01))), 5, 5],
    };
    for (const join of JOINS) {
      const e = executor(join, join === 'blend' ? 1 : 0);
      e.accept(chunk(-1, [1, 1, 1, 1, 1]), 0);
      // from rest: with a fade over one step half of the first action
      expect(commands(e, 0, 2)).toEqual(join === 'blend' ? [0.5, 1] : [1, 1]);
      e.accept(chunk(2, [5, 5, 5, 5]), 0.2);
      const rest = commands(e, 2, 6);
      rest.forEach((value, i) => expect(value, `${join} ${i}`).toBeCloseTo(expected[join][i + 2]!, 6));
    }
  });

  it('can be changed while chunks are followed', () => {
    const e = executor('latest');
    e.accept(chunk(0, [1, 1, 1, 1, 1, 1, 1, 1]), 0);
    expect(commands(e, 0, 2)).toEqual([1, 1]);
    e.settings = { ...e.settings, join: 'weighted' };
    e.accept(chunk(2, [2, 2, 2, 2, 2, 2]), 0.2);
    expect(commands(e, 2, 3)[0]).toBeCloseTo(1.7, 9);
    e.settings = { ...e.settings, join: 'latest' };
    expect(commands(e, 3, 4)).toEqual([2]);
  });

  it('lets motion from rest fade in, whatever the join', () => {
    for (const join of JOINS) {
      const e = executor(join, 3);
      e.accept(chunk(0, [4, 4, 4, 4, 4, 4]), 0);
      expect(commands(e, 0, 5), join).toEqual([1, 2, 3, 4, 4]);
    }
  });

  it('keeps the newest chunks only, from a sender gone wild', () => {
    for (const join of JOINS) {
      const e = executor(join, 1000);
      for (let i = 0; i < 500; i++) {
        const at = i / 100;
        e.accept({ ...chunk(0, new Array(1000).fill(i)), stamp: at * PERIOD }, at * PERIOD);
        e.command(at * PERIOD);
      }
      expect(Number.isFinite(e.command(5 * PERIOD).values![0])).toBe(true);
    }
  });
});
