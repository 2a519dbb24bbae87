import { describe, expect, it } from 'vitest';
import { applyLinear } from '../../src/cache/linearMap';
import { ToyExpert } from './ToyExpert';
import { ToyEpisode, contextOf, relativeError } from './runEpisode';

const chunkOf = (expert: ToyExpert, given: Record<string, unknown>) =>
  new ToyEpisode(expert, 'worldcache_ca', given).chunk({ chunk: 0 });

describe('worldcache_ca', () => {
  it.each([{ threshold: 0 }, { always_full_share: 1 }, { threshold: 1e-12 }, { threshold: 1e-12, slots: 2 }])(
    'with %j never skips and is the plain run bit for bit',
    async (given) => {
      const expert = new ToyExpert();
      const plain = await new ToyEpisode(expert, 'none').chunk({ chunk: 0 });
      const outcome = await chunkOf(expert, given);
      expect([...outcome.x]).toEqual([...plain.x]);
      expect([...outcome.velocity]).toEqual([...plain.velocity]);
      expect([...outcome.computed]).toEqual(new Array(10).fill(1));
    },
  );

  it('needs no probe at all where it may not skip', async () => {
    const expert = new ToyExpert();
    await chunkOf(expert, { threshold: 0 });
    await chunkOf(expert, { always_full_share: 1 });
    expect(expert.counts.calls).toBe(2);
  });

  it('runs the always-full steps that no decision looks back at in one call', async () => {
    const expert = new ToyExpert({ steps: 20 });
    const outcome = await chunkOf(expert, { always_full_share: 0.5, threshold: 1e12 });
    // steps 0..7 in one call, 8 and 9 by probe and rest, then ten probes
    expect(expert.counts.calls).toBe(1 + 2 * 2 + 10);
    expect([...outcome.computed]).toEqual([...new Array(10).fill(1), ...new Array(10).fill(0)]);
  });

  it('skips every later step with a threshold out of reach, at the cost of its probes', async () => {
    const expert = new ToyExpert({ layers: 5 });
    for (const slots of [1, 2]) {
      expert.counts.subBlocks = 0;
      const outcome = await chunkOf(expert, { threshold: 1e12, probe_depth: 2, slots });
      expect([...outcome.computed]).toEqual([1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
      // 2 full stacks of 5 blocks and 8 probes of 2
      expect(expert.counts.subBlocks).toBe(3 * (2 * 5 + 8 * 2));
      expect(outcome.computedSubBlocks).toBe(expert.counts.subBlocks);
      expect(outcome.stackEvaluations).toBeCloseTo(2 + (8 * 2) / 5, 12);
    }
  });

  it('reproduces DiCache with its three weights at 0 and the ratio of distances', async () => {
    const settings = { motion_sensitivity: 0, saliency_weight: 0, step_relaxation: 0, gamma: 'dicache' };
    for (const threshold of [0.05, 0.2, 0.5]) {
      const expert = new ToyExpert({ seed: 4 });
      const outcome = await chunkOf(expert, { ...settings, threshold, probe_depth: 1 });
      const expected = await diCache(expert, threshold, 1, 2);
      expect([...outcome.computed]).toEqual(expected.computed);
      expect(relativeError(outcome.x, expected.x)).toBeLessThan(1e-6);
    }
  });

  it('skips no less with a larger threshold on the trajectory of the toy expert', async () => {
    let skipped = 0;
    for (const threshold of [0, 0.01, 0.05, 0.1, 0.3, 1, 10]) {
      const outcome = await chunkOf(new ToyExpert(), { threshold, step_relaxation: 0 });
      expect(outcome.reusedSteps).toBeGreaterThanOrEqual(skipped);
      skipped = outcome.reusedSteps;
    }
    expect(skipped).toBe(8);
  });

  it('reuses the residual of the only full step as it is', async () => {
    const expert = new ToyExpert();
    const one = await chunkOf(expert, { threshold: 1e12, always_full_share: 0.1 });
    expect([...one.computed]).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    const { noise } = contextOf(expert, { chunk: 0 });
    const full = await expert.fullSteps(noise, [{ index: 0 }], { residuals: true });
    const h0 = applyLinear(expert.encoder, full.x, expert.shape.horizon);
    const v = applyLinear(
      expert.head,
      h0.map((value, i) => value + full.residuals![i]!),
      expert.shape.horizon,
    );
    const size = noise.length;
    expect(relativeError(one.velocity.slice(size, 2 * size), v)).toBeLessThan(1e-5);
  });

  it('keeps nothing from one chunk to the next', async () => {
    const [one, two] = await new ToyEpisode(new ToyExpert(), 'worldcache_ca', { threshold: 0.3 }).chunks(
      2,
      () => ({ observation: 3 }),
    );
    expect([...two!.x]).toEqual([...one!.x]);
    expect([...two!.computed]).toEqual([...one!.computed]);
  });

  it('changes the skipped steps only, by little, if the residual is warped along the horizon', async () => {
    const expert = new ToyExpert({ horizon: 16 });
    const still = await chunkOf(expert, { threshold: 1e12 });
    const warped = await chunkOf(expert, { threshold: 1e12, warp: 'lk1d' });
    expect([...warped.computed]).toEqual([...still.computed]);
    const size = still.x.length;
    expect([...warped.velocity.slice(0, 2 * size)]).toEqual([...still.velocity.slice(0, 2 * size)]);
    const difference = relativeError(warped.x, still.x);
    expect(difference).toBeGreaterThan(0);
    expect(difference).toBeLessThan(1);
  });

  it('records the residuals of the full steps by step', async () => {
    const expert = new ToyExpert({ steps: 20 });
    const episode = new ToyEpisode(expert, 'worldcache_ca', { always_full_share: 0.3, threshold: 1e12 });
    const outcome = await episode.chunk({ chunk: 0, recordResiduals: true });
    expect([...outcome.residuals!.keys()]).toEqual([0, 1, 2, 3, 4, 5]);
    const plain = await new ToyEpisode(expert, 'none').chunk({ chunk: 0, recordResiduals: true });
    for (const [step, residual] of outcome.residuals!) {
      expect(relativeError(residual, plain.residuals!.get(step)!)).toBeLessThan(1e-6);
    }
  });

  it('says what probe depth would fit', () => {
    const { policy, expert } = new ToyEpisode(new ToyExpert({ layers: 3 }), 'worldcache_ca');
    const refuse = (probe_depth: number, layers = 3) =>
      policy.refuse({ probe_depth }, { ...expert.shape, layers }, expert.schedule);
    expect(refuse(2)).toBeUndefined();
    expect(refuse(3)).toBe('probe_depth 3: must be at most 2, the model has 3 blocks');
    expect(refuse(0, 1)).toBeUndefined();
    expect(refuse(1, 1)).toBe('probe_depth 1: must be at most 0, the model has 1 block');
  });
});

/** DiCache as its paper has it, on the toy expert: threshold on the summed drift, ratio of distances in [1, 2]. */
async function diCache(expert: ToyExpert, threshold: number, depth: number, warmUp: number) {
  expert.observe(0);
  let x = contextOf(expert, { chunk: 0 }).noise;
  let previous: Float32Array | undefined;
  let drift = 0;
  const window: { p: Float32Array; r: Float32Array }[] = [];
  const computed: number[] = [];
  const distance = (a: Float32Array, b: Float32Array) =>
    a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0);
  for (let k = 0; k < expert.shape.steps; k++) {
    const { h0, y } = await expert.probe(x, k, depth);
    let skip = false;
    if (k >= warmUp && previous !== undefined) {
      drift += distance(y, previous) / previous.reduce((sum, value) => sum + Math.abs(value), 0);
      skip = drift < threshold;
    }
    const p = y.map((value, i) => value - h0[i]!);
    if (skip) {
      const [a, b] = window.slice(-2) as [(typeof window)[0], (typeof window)[0]];
      const gamma = Math.min(2, Math.max(1, distance(p, a.p) / distance(b.p, a.p)));
      const hidden = h0.map((value, i) => value + a.r[i]! + gamma * (b.r[i]! - a.r[i]!));
      const v = applyLinear(expert.head, hidden, expert.shape.horizon);
      x = x.map((value, i) => value + expert.schedule.delta[k]! * v[i]!);
    } else {
      drift = 0;
      const rest = await expert.resume(x, y, k, depth);
      window.push({ p, r: rest.hL.map((value, i) => value - h0[i]!) });
      x = rest.x;
    }
    computed.push(skip ? 0 : 1);
    previous = y;
  }
  return { x, computed };
}
