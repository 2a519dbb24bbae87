import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SimulatedTime } from '../../src/ros/robot/SimulatedTime';

/** 0.1 s between control steps. */
const PERIOD = 100_000_000n;

describe('simulated time', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function run(factor: () => number): { time: SimulatedTime; ticks: bigint[]; steps: bigint[] } {
    const ticks: bigint[] = [];
    const steps: bigint[] = [];
    const time = new SimulatedTime({
      period: PERIOD,
      factor,
      onTick: (now, step) => {
        ticks.push(now);
        if (step) steps.push(now);
      },
    });
    time.start();
    return { time, ticks, steps };
  }

  it('passes as fast as real time in ten ticks a step, and ends when stopped', () => {
    const { time, ticks, steps } = run(() => 1);
    vi.advanceTimersByTime(1000);
    expect(time.now).toBe(1_000_000_000n);
    expect(steps).toEqual(Array.from({ length: 10 }, (_, i) => BigInt(i + 1) * PERIOD));
    expect(ticks).toEqual(Array.from({ length: 100 }, (_, i) => BigInt(i + 1) * 10_000_000n));
    time.stop();
    vi.advanceTimersByTime(1000);
    expect(time.now).toBe(1_000_000_000n);
  });

  // About a hundred ticks in a real second: 100 / (10 steps x factor), and never fewer than one a step.
  it.each([
    [0.1, 100, 1],
    [2, 5, 20],
    [3, 3, 30],
    [50, 1, 500],
  ])('with factor %d has %d ticks a step and %d steps in a second', (factor, each, count) => {
    const { ticks, steps } = run(() => factor);
    vi.advanceTimersByTime(1002);
    expect(Math.abs(steps.length - count)).toBeLessThanOrEqual(Math.ceil(2 * factor));
    const inSteps = ticks.filter((now) => now <= (steps.at(-1) ?? 0n));
    expect(inSteps.length).toBe(each * steps.length);
    expect(steps).toEqual(steps.map((_, i) => BigInt(i + 1) * PERIOD));
  });

  it('takes another factor with the next step', () => {
    let factor = 1;
    const { time } = run(() => factor);
    vi.advanceTimersByTime(500);
    factor = 4;
    vi.advanceTimersByTime(600);
    const seconds = Number(time.now) / 1e9;
    // half a second, at most a step at the old speed, the rest of 0.6 s fourfold
    expect(seconds).toBeGreaterThan(2.4);
    expect(seconds).toBeLessThanOrEqual(2.9);
  });

  it('waits with a process that has to wait, and makes nothing up', () => {
    const { time, ticks } = run(() => 1);
    vi.advanceTimersByTime(200);
    const before = time.now;
    // 5 s in which no timer came to its turn
    const real = performance.now();
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => real + 5000);
    vi.advanceTimersToNextTimer();
    clock.mockRestore();
    expect(time.now).toBe(before + 10_000_000n);
    expect(ticks.at(-1)).toBe(time.now);
    time.stop();
  });
});
