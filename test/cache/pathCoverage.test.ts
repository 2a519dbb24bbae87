import { describe, expect, it } from 'vitest';
import { c3ache } from '../../src/cache/c3ache';
import { resolveSettings } from '../../src/cache/fieldValues';
import { COVERAGE, pathCoverage, safeRange } from '../../src/cache/pathCoverage';
import { createSchedule } from '../../src/sampler/schedule';

describe('path coverage', () => {
  it.each([
    // the largest end whose coverage is not above that of the paper's range, worked out from sigma
    [10, 5, 6, 7],
    [10, 3, 4, 6],
    [10, 1, 2, 3],
    [20, 5, 13, 15],
    [5, 5, 2, 3],
    [4, 5, 1, 2],
  ])('maps the published ranges to %i steps at shift %i', (steps, shift, safe, bold) => {
    const schedule = createSchedule(steps, shift);
    expect(safeRange(schedule, COVERAGE.conservative)).toEqual([0, safe]);
    expect(safeRange(schedule, COVERAGE.aggressive)).toEqual([0, bold]);
  });

  it('is the sum of the step sizes', () => {
    const schedule = createSchedule(10, 5);
    // sigma_7 = 15/22, so 1 - sigma_7 = 7/22
    expect(pathCoverage(schedule, [0, 6])).toBeCloseTo(0.3182, 4);
    expect(pathCoverage(schedule, [0, 9])).toBeCloseTo(1, 12);
    expect(pathCoverage(schedule, [2, 5])).toBeCloseTo(0.2308 - 0.0476, 3);
  });

  it('has no safe range where the first step alone is too long', () => {
    expect(safeRange(createSchedule(2, 1), COVERAGE.aggressive)).toBeUndefined();
  });

  it('warns of a range that reuses more of the path than was ever published, and names the equivalents', () => {
    const warn = (steps: number, shift: number, range: readonly [number, number], refresh_interval = 4) => {
      const shape = { steps, horizon: 32, actionDim: 7, hidden: 8, layers: 2 };
      const schedule = createSchedule(steps, shift);
      const settings = resolveSettings(
        'c3ache',
        c3ache.fields,
        { range, refresh_interval },
        { shape, schedule },
      );
      return c3ache.warn?.(settings, shape, schedule);
    };
    expect(warn(10, 5, [0, 7])).toBeUndefined();
    expect(warn(10, 1, [0, 6])).toBe(
      'range [0, 6] reuses 70 % of the denoising path of 10 steps at shift 1, while the published settings reuse ' +
        '32 % to 44 %: the equivalents here are [0, 2] (safe) and [0, 3] (bold)',
    );
    expect(warn(2, 1, [0, 0])).toMatch(/no range of this schedule is as short as the published ones$/);
    expect(warn(10, 1, [0, 6], 1)).toBeUndefined();
  });
});
