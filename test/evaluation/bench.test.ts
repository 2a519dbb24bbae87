import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors';
import { benchResult } from '../../src/evaluation/bench';
import { cachedConfiguration, chunkOf, UNCACHED } from './fakeEvaluation';

describe('bench figures', () => {
  const uncached = [0.1, 0.1, 0.2, 0.2].map((total) =>
    chunkOf([0], { times: { total, expert: total * 0.75 } }),
  );
  const cached = [0.1, 0.05, 0.1, 0.1].map((total, i) =>
    chunkOf([0], {
      times: { total, expert: i === 0 ? 0.075 : 0.025 },
      report:
        i === 0
          ? {}
          : { refreshed: false, reason: '', stackEvaluations: 3, computed: Uint8Array.of(0, 1, 1, 1) },
    }),
  );
  const result = benchResult([
    { configuration: UNCACHED, chunks: uncached },
    { configuration: { ...cachedConfiguration(4, 6), name: 'c3ache' }, chunks: cached },
  ]);

  it('are one entry for each configuration, in milliseconds', () => {
    expect(Object.keys(result)).toEqual(['none', 'c3ache']);
    // 100, 100, 200, 200: p50 150, p95 200, mean 150
    expect(result['none']!.total_ms).toEqual({ p50: 150, p95: 200, mean: 150 });
    expect(result['none']!.stages.expert.mean).toBe(112.5);
    expect(result['none']!.expert_reuse_ms).toBeNull();
    expect(result['c3ache']!.expert_full_ms).toEqual({ p50: 75, p95: 75, mean: 75 });
    expect(result['c3ache']!.expert_reuse_ms).toEqual({ p50: 25, p95: 25, mean: 25 });
  });

  it('give the ratio of sums, its bound, and the spread of pairs', () => {
    // 600/350; f = 0.75; s = 1 − 19/40; pairs 1, 2, 2, 2
    expect(result['c3ache']).toMatchObject({
      speed_up: 1.7143,
      expert_share: 0.75,
      saved_share: 0.525,
      bound: 1.6495, // 1/(1 − 0.39375)
      pair_ratio: { p50: 2, min: 1, max: 2 },
      refreshes: 1,
      stack_evaluations: 19,
    });
  });

  it('survive JSON on one line', () => {
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
    expect(JSON.stringify(result)).not.toContain('\n');
  });

  it('need a configuration', () => {
    expect(() => benchResult([])).toThrow(InputError);
  });
});
