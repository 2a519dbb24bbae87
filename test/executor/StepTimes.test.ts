import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StepTimes } from '../../src/executor/StepTimes';

const PERIOD = 0.1;

describe('The times of control steps', () => {
  it('are whole periods apart although the timer comes a little early or late, and leave out what was missed', () => {
    const times = new StepTimes(PERIOD);
    const at = [5, 5.13, 5.19, 5.31, 5.62, 5.69].map((now) => Number(times.step(now).toFixed(9)));
    expect(at).toEqual([5, 5.1, 5.2, 5.3, 5.6, 5.7]);
    expect(times.jitter.worst).toBeCloseTo(0.03, 9);
  });

  it('fall on stamp + k period after a chunk, at most half a period from where they would have been', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 3, noNaN: true }),
        (phase, age) => {
          const times = new StepTimes(PERIOD);
          const before = times.step(20);
          const now = 20 + phase * PERIOD;
          const stamp = now - age;
          const shift = times.follow(stamp, now);
          // What is due at once is meant for a time just past.
          const next =
            shift?.due === true ? times.step(now) : times.step(now + (shift?.delay ?? before + PERIOD - now));
          const k = (next - stamp) / PERIOD;
          expect(Math.abs(k - Math.round(k))).toBeLessThan(1e-6);
          expect(Math.abs(next - before - PERIOD)).toBeLessThanOrEqual(PERIOD / 2 + 1e-9);
          if (shift?.due === true) {
            const after = times.step(now + shift.delay);
            expect(after - next).toBeCloseTo(PERIOD, 9);
          }
        },
      ),
    );
  });

  it('leave a timer alone that is in phase, and notice when small shifts add up', () => {
    const times = new StepTimes(PERIOD);
    times.step(10);
    expect(times.follow(9.8, 10.05)).toBeUndefined();
    // A clock that runs away by half a per cent of a period with each chunk.
    const moved = Array.from({ length: 20 }, (_, n) => times.follow(9.8 + n * 0.0005, 10.05) !== undefined);
    expect(moved.filter(Boolean).length).toBeGreaterThan(5);
  });

  it('begin anew after a restart', () => {
    const times = new StepTimes(PERIOD);
    times.step(10);
    times.restart(0.05);
    expect(times.step(3)).toBe(3);
    expect(times.step(3.051)).toBeCloseTo(3.05, 9);
  });
});
