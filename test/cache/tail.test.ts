import { describe, expect, it } from 'vitest';
import { BacLearner } from '../../src/cache/BacLearner';
import { c3ache } from '../../src/cache/c3ache';
import { resolveSettings } from '../../src/cache/fieldValues';
import { ToyExpert } from './ToyExpert';
import { ToyEpisode, companion, contextOf, learntBefore, relativeError } from './runEpisode';

async function bacResources(expert: ToyExpert) {
  const calibration = new BacLearner(expert.shape);
  const steps = Array.from({ length: expert.shape.steps }, (_, index) => ({ index }));
  expert.observe(0);
  const run = await expert.fullSteps(contextOf(expert, { chunk: 0 }).noise, steps, { parts: true });
  calibration.add(run);
  return learntBefore(calibration.solve({ updates: 5, union_blocks: 5, similarity: 'cosine' }));
}

describe('c3ache with another policy for the tail', () => {
  it('reuses the prefix across chunks and lets worldcache_ht predict in the rest', async () => {
    const expert = new ToyExpert();
    const companions = companion('worldcache_ht', { error_budget: 1e12 }, expert);
    const given = { refresh_interval: 0, range: [0, 3], tail: 'worldcache_ht' };
    const [refresh, reuse] = await new ToyEpisode(expert, 'c3ache', given).chunks(2, () => ({ companions }));
    expect([...refresh!.computed]).toEqual(new Array(10).fill(1));
    // prefix 0..3 reused; tail 4..9: three to warm up, two predicted, the last step full
    expect([...reuse!.computed]).toEqual([0, 0, 0, 0, 1, 1, 1, 0, 0, 1]);
    expect(reuse!.stackEvaluations).toBe(4);
    expect(reuse!.signals.accumulated_error).toBeGreaterThan(0);
  });

  it('lets worldcache_ca decide about the rest by its probe', async () => {
    const expert = new ToyExpert();
    const given = { refresh_interval: 0, tail: 'worldcache_ca' };
    const episode = new ToyEpisode(expert, 'c3ache', given);
    const companions = companion('worldcache_ca', {}, expert);
    const settings = resolveSettings('c3ache', c3ache.fields, given, expert);
    expect(episode.policy.grain(settings, companions)).toBe('block');
    const [, reuse] = await episode.chunks(2, () => ({ companions }));
    expect([...reuse!.computed.slice(0, 8)]).toEqual([0, 0, 0, 0, 0, 0, 0, 1]);
    expect(reuse!.signals.probes).toBe(3);
  });

  it('lets bac hold sub-blocks in the rest, the first step of which computes all of them', async () => {
    const expert = new ToyExpert();
    const given = { refresh_interval: 0, range: [0, 4], tail: 'bac' };
    const episode = new ToyEpisode(expert, 'c3ache', given, await bacResources(expert));
    const companions = companion('bac', {}, expert);
    const [, reuse] = await episode.chunks(2, () => ({ companions }));
    expect(reuse!.computedShape).toBe('steps');
    expect([...reuse!.computed.slice(0, 6)]).toEqual([0, 0, 0, 0, 0, 1]);
    expect(reuse!.computedSubBlocks).toBeLessThan(5 * 3 * expert.shape.layers);
    expect(reuse!.computedSubBlocks).toBeGreaterThan(2 * 3 * expert.shape.layers);
  });

  it('is plain c3ache where the tail policy skips nothing', async () => {
    const expert = new ToyExpert();
    const plain = await new ToyEpisode(expert, 'c3ache', { range: [0, 4] }).chunks(3);
    const companions = companion('worldcache_ht', { error_budget: 0 }, expert);
    const given = { range: [0, 4], tail: 'worldcache_ht' };
    const tailed = await new ToyEpisode(expert, 'c3ache', given).chunks(3, () => ({ companions }));
    tailed.forEach((outcome, i) => {
      expect([...outcome.computed]).toEqual([...plain[i]!.computed]);
      expect(relativeError(outcome.x, plain[i]!.x)).toBeLessThan(1e-6);
      expect(relativeError(outcome.velocity, plain[i]!.velocity)).toBeLessThan(1e-6);
    });
  });

  it('is refused in one sentence where it could never skip a step', () => {
    const expert = new ToyExpert();
    const { shape, schedule } = expert;
    const refuse = (given: Record<string, unknown>, tail: Record<string, unknown> = {}) =>
      c3ache.refuse(resolveSettings('c3ache', c3ache.fields, given, expert), shape, schedule, {
        companions: companion(String(given.tail), tail, expert),
      });
    expect(refuse({ tail: 'worldcache_ht' })).toBe(
      'tail worldcache_ht needs at least 5 steps after the range to skip one, range [0, 6] leaves 3: end the range at step 4 or before',
    );
    expect(refuse({ tail: 'worldcache_ht', range: [0, 4] })).toBeUndefined();
    expect(refuse({ tail: 'worldcache_ca', range: [0, 8] })).toMatch(/leaves 1: end the range at step 7/);
    expect(refuse({ tail: 'worldcache_ca', range: [0, 7] })).toBeUndefined();
    expect(refuse({ tail: 'bac', range: [0, 4] })).toMatch(/^no bac schedule for updates=5/);
    // The settings of the companion count: a longer warm-up leaves nothing to predict.
    expect(refuse({ tail: 'worldcache_ht', range: [0, 4] }, { warmup_steps: 5 })).toMatch(
      /needs at least 7 steps/,
    );
  });

  it('never runs without the settings of its tail', async () => {
    const episode = new ToyEpisode(new ToyExpert(), 'c3ache', { tail: 'worldcache_ht', range: [0, 4] });
    await expect(episode.chunks(2)).rejects.toThrow('worldcache_ht cannot take over the tail of a chunk');
  });
});
