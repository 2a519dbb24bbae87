import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors';
import { c3ache } from '../../src/cache/c3ache';
import { problemWith, resolveSettings } from '../../src/cache/fieldValues';
import { POLICIES, parameterName, policyNamed } from '../../src/cache/registry';
import { createSchedule } from '../../src/sampler/schedule';

const context = {
  shape: { steps: 10, horizon: 32, actionDim: 7, hidden: 64, layers: 6 },
  schedule: createSchedule(10, 5),
};
const resolve = (given: Record<string, unknown>) => resolveSettings('c3ache', c3ache.fields, given, context);

describe('settings of a policy', () => {
  it('fall back to defaults that follow the schedule of the model', () => {
    expect(resolve({})).toEqual({
      refresh_interval: 4,
      range: [0, 6],
      max_age: 0,
      align: 'none',
      mode: 'affine',
      tail: 'none',
    });
    const flat = { ...context, schedule: createSchedule(10, 1) };
    expect(resolveSettings('c3ache', c3ache.fields, {}, flat).range).toEqual([0, 2]);
  });

  it.each([
    [{ range: [3, 12] }, 'range [3, 12]: end must be at most 9, the sampler takes 10 steps'],
    [{ range: [-1, 4] }, 'range [-1, 4]: start must be at least 0'],
    [{ range: [5, 4] }, 'range [5, 4]: start must be at most end, which is 4'],
    [
      { range: [1.5, 4] },
      'range [1.5,4]: expected two whole numbers [start, end], the first and the last step to reuse',
    ],
    [
      { range: [1] },
      'range [1]: expected two whole numbers [start, end], the first and the last step to reuse',
    ],
    [{ refresh_interval: -1 }, 'refresh_interval -1: expected a whole number from 0 to 1000000 chunks'],
    [{ refresh_interval: 2.5 }, 'refresh_interval 2.5: expected a whole number from 0 to 1000000 chunks'],
    [{ max_age: Number.NaN }, 'max_age NaN: expected a number from 0 to 1000000000 s'],
    [{ max_age: '3' }, 'max_age "3": expected a number from 0 to 1000000000 s'],
    [{ mode: 'afine' }, 'mode "afine": expected one of affine, residual; did you mean "affine"?'],
  ])('refuse %j with a sentence that says what would fit', (given, message) => {
    expect(() => resolve(given)).toThrow(new UsageError(message));
  });

  it('name the nearest setting for one that does not exist', () => {
    expect(() => resolve({ refresh_intervall: 3 })).toThrow(
      /^c3ache has no setting "refresh_intervall"; did you mean "refresh_interval"\?; its settings are /,
    );
    expect(() => resolveSettings('none', {}, { a: 1 }, context)).toThrow(
      'none has no settings, so "a" cannot be set',
    );
  });

  it('are never accepted unless they are whole ranges inside the steps', () => {
    fc.assert(
      fc.property(fc.tuple(fc.double(), fc.double()), (range) => {
        const [start, end] = range;
        const fits =
          Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= 9;
        expect(problemWith('range', c3ache.fields.range, range, context) === undefined).toBe(fits);
      }),
    );
    for (const range of [
      [0, 0],
      [0, 9],
      [9, 9],
      [3, 7],
    ]) {
      expect(problemWith('range', c3ache.fields.range, range, context)).toBeUndefined();
    }
  });

  it.each(POLICIES.map((policy) => [policy.name, policy] as const))(
    'of %s are documented field by field and their defaults are valid',
    (_name, policy) => {
      const settings = resolveSettings(policy.name, policy.fields, {}, context);
      expect(Object.keys(settings)).toEqual(Object.keys(policy.fields));
      for (const field of Object.values(policy.fields)) {
        expect(field.description.length).toBeGreaterThan(10);
        expect(field.source).not.toBe('');
      }
    },
  );
});

describe('the registry', () => {
  it('finds policies by name and suggests the nearest for a slip', () => {
    expect(policyNamed('c3ache')).toBe(c3ache);
    expect(() => policyNamed('c3cache')).toThrow(
      /^unknown cache policy "c3cache"; did you mean "c3ache"\? \(known: none, few_steps, c3ache/,
    );
  });

  it('tells shared parameters from those of one policy', () => {
    expect(parameterName(c3ache, 'refresh_interval')).toBe('cache.refresh_interval');
    expect(parameterName(c3ache, 'range')).toBe('cache.range');
    expect(parameterName(c3ache, 'max_age')).toBe('cache.max_age');
    expect(parameterName(c3ache, 'mode')).toBe('cache.c3ache.mode');
  });
});
