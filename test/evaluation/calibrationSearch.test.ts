import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loosestThatAlso, loosestWithin } from '../../src/evaluation/calibrationSearch';
import type { SearchOptions, Trial } from '../../src/evaluation/calibrationSearch';

const base = { start: 1, tolerance: 0.1, fullCost: 100, trials: 20 } satisfies Partial<SearchOptions>;

describe('the search for the loosest threshold', () => {
  it('brackets by factors of four and halves the bracket on a logarithmic scale', async () => {
    // Deviation = looseness / 100, so 10 is the loosest within 0.1: 1, 4, 16 (too far), 8, sqrt(8 * 16), ...
    const { best, trials } = await loosestWithin({
      ...base,
      evaluate: (u) => Promise.resolve({ deviation: u / 100, cost: 100 / (1 + u) }),
    });
    expect(trials.slice(0, 5).map(({ looseness }) => looseness)).toEqual([1, 4, 16, 8, Math.sqrt(128)]);
    expect(best?.looseness).toBeLessThanOrEqual(10);
    // no nearer than the factor at which another trial is not worth it
    expect(best?.looseness).toBeGreaterThan(10 / 1.05);
  });

  it('goes down where the start is too loose already', async () => {
    const { best } = await loosestWithin({
      ...base,
      evaluate: (u) => Promise.resolve({ deviation: 10 * u, cost: 100 / (1 + u) }),
    });
    expect(best?.looseness).toBeLessThanOrEqual(0.01);
    expect(best?.looseness).toBeGreaterThan(0.01 / 1.05);
  });

  it('stops where looser values compute no less', async () => {
    const { best, trials } = await loosestWithin({
      ...base,
      evaluate: () => Promise.resolve({ deviation: 0, cost: 40 }),
    });
    expect(trials).toHaveLength(2);
    expect(best?.cost).toBe(40);
  });

  it('goes on while nothing is saved yet', async () => {
    const { best } = await loosestWithin({
      ...base,
      evaluate: (u) => Promise.resolve(u < 50 ? { deviation: 0, cost: 100 } : { deviation: 0.05, cost: 60 }),
    });
    expect(best).toMatchObject({ deviation: 0.05, cost: 60 });
  });

  it('finds nothing where whatever saves is too far off', async () => {
    const { best } = await loosestWithin({
      ...base,
      evaluate: (u) => Promise.resolve(u < 0.3 ? { deviation: 0, cost: 100 } : { deviation: 1, cost: 60 }),
    });
    expect(best).toBeUndefined();
  });

  it('never gives a value beyond the tolerance, nor takes more trials than allowed, whatever the measurements', async () => {
    const measured = fc.record({
      deviation: fc.double({ min: 0, max: 1, noNaN: true }),
      cost: fc.double({ min: 0, max: 100, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(measured, { minLength: 12, maxLength: 12 }), async (answers) => {
        const left = [...answers];
        const { best, trials } = await loosestWithin({
          ...base,
          trials: 12,
          evaluate: () => Promise.resolve(left.shift()!),
        });
        expect(trials.length).toBeLessThanOrEqual(12);
        const good = trials.filter(({ deviation, cost }) => deviation <= 0.1 && cost < 100);
        expect(best?.cost ?? Infinity).toBe(Math.min(...good.map(({ cost }) => cost), Infinity));
        expect(best?.deviation ?? 0).toBeLessThanOrEqual(0.1);
      }),
    );
  });
});

describe('the setting that a further test asks for', () => {
  const limits = { tolerance: 0.1, fullCost: 100 };
  const trial = (looseness: number, deviation: number, cost: number): Trial => ({
    looseness,
    deviation,
    cost,
  });
  const best = trial(8, 0.09, 40);
  const trials = [trial(1, 0.01, 90), trial(4, 0.05, 60), trial(16, 0.3, 20), best, trial(2, 0.02, 80)];

  it('is the loosest one below the winner that passes it, and nothing is tested in vain', async () => {
    const tested: number[] = [];
    const found = await loosestThatAlso(trials, best, limits, async ({ looseness }) => {
      tested.push(looseness);
      return Promise.resolve(looseness < 3 ? `with ${looseness}` : undefined);
    });
    expect(found).toBe('with 2');
    expect(tested).toEqual([4, 2]);
  });

  it('is none where no trial passes, or those that would go too far or save nothing', async () => {
    const never = (): Promise<string | undefined> => Promise.resolve(undefined);
    expect(await loosestThatAlso(trials, best, limits, never)).toBeUndefined();
    const poor = [trial(4, 0.2, 60), trial(2, 0.02, 100)];
    expect(await loosestThatAlso(poor, best, limits, () => Promise.resolve(true))).toBeUndefined();
  });
});
