import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { refreshReason } from '../../src/cache/refresh';
import type { CommittedRefresh } from '../../src/cache/refresh';

/** The pattern of an episode with constant R: F = refresh, r = reuse. */
function pattern(interval: (chunk: number) => number, chunks: number): string {
  let committed: CommittedRefresh | undefined;
  let result = '';
  for (let chunk = 0; chunk < chunks; chunk++) {
    const reason = refreshReason({
      chunk,
      time: chunk,
      committed,
      clearedBecause: '',
      interval: interval(chunk),
      maxAge: 0,
    });
    if (reason !== '') committed = { chunk, time: chunk };
    result += reason === '' ? 'r' : 'F';
  }
  return result;
}

describe('the refresh rule', () => {
  it.each([
    [0, 'Frrrrrrrrr'],
    [1, 'FFFFFFFFFF'],
    [2, 'FrFrFrFrFr'],
    [4, 'FrrrFrrrFr'],
  ])('with R = %i gives the pattern of the paper over ten chunks', (interval, expected) => {
    expect(pattern(() => interval, 10)).toBe(expected);
  });

  it('is chunk mod R = 0 for every constant R', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 200 }), (interval, chunks) => {
        const expected = Array.from({ length: chunks }, (_, c) => (c % interval === 0 ? 'F' : 'r')).join('');
        expect(pattern(() => interval, chunks)).toBe(expected);
      }),
    );
  });

  it('takes another R at once, without a refresh that nobody asked for', () => {
    // R = 4 up to chunk 5 (refreshes 0, 4), then 8: next refresh eight chunks after the last one, at 12.
    expect(pattern((chunk) => (chunk < 6 ? 4 : 8), 14)).toBe('FrrrFrrrrrrrFr');
    // R = 0, then 3 from chunk 5 on: more than three chunks have passed, so chunk 5 refreshes.
    expect(pattern((chunk) => (chunk < 5 ? 0 : 3), 10)).toBe('FrrrrFrrFr');
  });

  it('names the reason', () => {
    const question = { chunk: 3, time: 10, clearedBecause: '', interval: 4, maxAge: 0 };
    const committed = { chunk: 1, time: 6 };
    expect(refreshReason({ ...question, committed })).toBe('');
    expect(refreshReason({ ...question, committed, interval: 2 })).toBe('interval');
    expect(refreshReason({ ...question, committed, maxAge: 3.9 })).toBe('max_age');
    expect(refreshReason({ ...question, committed, maxAge: 4 })).toBe('');
    expect(refreshReason({ ...question, committed: undefined, clearedBecause: 'policy_changed' })).toBe(
      'policy_changed',
    );
    expect(refreshReason({ ...question, committed, chunk: 0, clearedBecause: 'policy_changed' })).toBe(
      'first_chunk',
    );
  });
});
