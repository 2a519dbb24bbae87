import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deviationFrom } from '../../src/evaluation/deviation';
import {
  brokenLimits,
  choose,
  nearestMiss,
  paretoFront,
  type Candidate,
} from '../../src/evaluation/tradeOff';
import { chunkOf, simpleLayout } from './fakeEvaluation';

describe('the Pareto front', () => {
  it('keeps what no other point beats, slowest first', () => {
    const points = [
      { name: 'fast and far', gain: 2.5, cost: 0.4 },
      { name: 'none', gain: 1, cost: 0 },
      { name: 'beaten', gain: 1.5, cost: 0.3 },
      { name: 'middle', gain: 1.8, cost: 0.2 },
      { name: 'slower than none', gain: 0.9, cost: 0.1 },
      { name: 'broken', gain: 9, cost: NaN },
    ];
    expect(paretoFront(points)).toEqual(['none', 'middle', 'fast and far']);
  });

  it('keeps equal points together', () => {
    const twins = ['a', 'b'].map((name) => ({ name, gain: 1, cost: 1 }));
    expect(paretoFront(twins)).toEqual(['a', 'b']);
  });

  it('beats every point that is not on it, and none that is', () => {
    const figure = fc.integer({ min: 0, max: 6 });
    fc.assert(
      fc.property(fc.array(fc.tuple(figure, figure), { minLength: 1, maxLength: 15 }), (pairs) => {
        const points = pairs.map(([gain, cost], i) => ({ name: String(i), gain, cost }));
        const front = new Set(paretoFront(points));
        expect(front.size).toBeGreaterThan(0);
        for (const p of points) {
          const beaten = points.some(
            (q) => q.gain >= p.gain && q.cost <= p.cost && (q.gain > p.gain || q.cost < p.cost),
          );
          expect(front.has(p.name)).toBe(!beaten);
        }
      }),
    );
  });
});

describe('the configuration to choose', () => {
  const layout = simpleLayout({ names: ['a'], horizon: 2, replanSteps: 1 });
  const candidate = (name: string, speedUp: number, error: number, flips = 0): Candidate => ({
    name,
    speedUp,
    deviation: deviationFrom([chunkOf([0, 0])], [chunkOf([error, 99])], layout),
    flips: { decisions: 10, executed: flips, whole: flips, places: [] },
  });
  const none = candidate('none', 1, 0);
  const careful = candidate('careful', 1.5, 0.125);
  const bold = candidate('bold', 2.5, 0.5);
  const flipping = candidate('flipping', 3, 0, 1);
  const all = [none, careful, bold, flipping];

  it('is never one that the recording is too short to show', () => {
    const unseen = { ...candidate('unseen', 9, 0), beyondRecording: true };
    const tolerance = { measure: 'rmse', groups: { joints: 0.2 }, flips: 0 } as const;
    expect(choose([...all, unseen], tolerance)?.name).toBe('careful');
    expect(nearestMiss([...all, { ...unseen, deviation: bold.deviation }], tolerance)?.name).toBe('flipping');
  });

  it('has a nearest miss: faster than the uncached run, and beyond a limit by the smallest factor', () => {
    const missed = (joints: number, of = all) =>
      nearestMiss(of, { measure: 'rmse', groups: { joints }, flips: 5 })?.name;
    expect(missed(0.05)).toBe('careful'); // 0.125 / 0.05 = 2.5, bold 10
    expect(missed(0.2)).toBe('bold');
    expect(missed(1)).toBeUndefined();
    expect(missed(0.05, [none, candidate('slow', 0.9, 0.06)])).toBeUndefined();
  });

  it('is the fastest that keeps the tolerance over the executed part', () => {
    const within = (joints: number, flips = 0) =>
      choose(all, { measure: 'rmse', groups: { joints }, flips })?.name;
    expect(within(0.01)).toBe('none');
    expect(within(0.125)).toBe('careful');
    expect(within(0.5)).toBe('bold');
    expect(within(0.5, 1)).toBe('flipping');
  });

  it('is the uncached one where nothing that fits is faster', () => {
    const slower = candidate('slower', 0.97, 0);
    expect(choose([none, slower], { measure: 'worst', groups: {}, flips: 0 })?.name).toBe('none');
  });

  it('says which limits the others break, and by how much', () => {
    const tolerance = { measure: 'worst' as const, groups: { joints: 0.2 }, normalised: 0.25, flips: 0 };
    expect(brokenLimits(bold, tolerance)).toEqual([
      { what: 'joints', unit: 'rad', value: 0.5, limit: 0.2 },
      { what: 'normalised', unit: '', value: 0.5, limit: 0.25 },
    ]);
    expect(brokenLimits(flipping, tolerance)).toEqual([
      { what: 'gripper flips', unit: '', value: 1, limit: 0 },
    ]);
    expect(brokenLimits(candidate('broken', 9, NaN), tolerance)).toHaveLength(2);
  });
});
