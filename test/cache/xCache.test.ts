import { describe, expect, it } from 'vitest';
import { resolveSettings } from '../../src/cache/fieldValues';
import type { ChunkOutcome } from '../../src/cache/types';
import { xCache } from '../../src/cache/xCache';
import { ToyExpert } from './ToyExpert';
import { ToyEpisode, contextOf, relativeError } from './runEpisode';

/** Passes every gate that is evaluated. */
const willing = { tau_floor: -1, margin: 4, tau_dev: 1e12 };

const skips = (outcome: ChunkOutcome) => outcome.computed.filter((flag) => flag === 0).length;

describe('x_cache', () => {
  it.each([
    ['a cosine above 1', { tau_floor: 1.01 }],
    ['no deviation at all', { tau_dev: 0 }],
    ['a refresh in every chunk', { ...willing, refresh_interval: 1 }],
    ['anchors only', { ...willing, front_anchors: 2, back_anchors: 2 }],
    ['a warm-up that never ends', { ...willing, warmup_chunks: 100 }],
  ])('that asks for %s is the plain run bit for bit', async (_what, given) => {
    const expert = new ToyExpert();
    const plain = await new ToyEpisode(expert, 'none').chunks(4);
    const outcomes = await new ToyEpisode(expert, 'x_cache', given).chunks(4);
    outcomes.forEach((outcome, i) => {
      expect(skips(outcome)).toBe(0);
      expect([...outcome.x]).toEqual([...plain[i]!.x]);
      expect([...outcome.velocity]).toEqual([...plain[i]!.velocity]);
      expect(outcome.fullSteps).toBe(10);
      expect(outcome.stackEvaluations).toBe(10);
    });
  });

  it('skips every block but the anchors for the same noise and observation, and gives the same actions', async () => {
    const expert = new ToyExpert();
    const episode = new ToyEpisode(expert, 'x_cache');
    const [first, second] = await episode.chunks(2, () => ({ observation: 3 }));
    expect(skips(first!)).toBe(0);
    const { steps, layers } = expert.shape;
    expect(skips(second!)).toBe(steps * (layers - 1));
    expect(relativeError(second!.x, first!.x)).toBeLessThan(1e-5);
    expect(second!.signals.smallest_cosine).toBeCloseTo(1, 6);
    expect([...second!.computed.slice(0, layers)]).toEqual([1, ...new Array(layers - 1).fill(0)]);
  });

  it('computes exactly the blocks that it says, and never skips more than the closed form allows', async () => {
    const expert = new ToyExpert();
    const { steps, layers } = expert.shape;
    for (const [front_anchors, back_anchors] of [
      [1, 0],
      [2, 1],
    ] as const) {
      expert.counts.subBlocks = 0;
      const given = { ...willing, front_anchors, back_anchors, refresh_interval: 3 };
      const outcomes = await new ToyEpisode(expert, 'x_cache', given).chunks(7);
      const skipped = outcomes.reduce((sum, outcome) => sum + skips(outcome), 0);
      // chunks 0, 3, 6 are forced; every other one may skip N (L - F - B) blocks, and here does
      expect(skipped).toBe(4 * steps * (layers - front_anchors - back_anchors));
      expect(expert.counts.subBlocks).toBe(3 * (7 * steps * layers - skipped));
      const computed = outcomes.reduce((sum, outcome) => sum + outcome.computedSubBlocks, 0);
      expect(computed).toBe(expert.counts.subBlocks);
    }
  });

  it('keeps the rhythm of refreshes beside the warm-up', async () => {
    const given = { ...willing, refresh_interval: 4, warmup_chunks: 2 };
    const outcomes = await new ToyEpisode(new ToyExpert(), 'x_cache', given).chunks(9);
    expect(outcomes.map((outcome) => outcome.reason)).toEqual([
      'first_chunk',
      'warmup',
      '',
      '',
      'interval',
      '',
      '',
      '',
      'interval',
    ]);
  });

  it('alternates computing and skipping if only one skip in a row is allowed', async () => {
    const given = { ...willing, refresh_interval: 0, max_consecutive_skips: 1 };
    const outcomes = await new ToyEpisode(new ToyExpert(), 'x_cache', given).chunks(6, () => ({
      observation: 1,
    }));
    expect(outcomes.map((outcome) => skips(outcome) > 0)).toEqual([false, true, false, true, false, true]);
  });

  it('protects the first step, or holds it to a stricter cosine', async () => {
    const { layers } = new ToyExpert().shape;
    const given = { ...willing, refresh_interval: 0 };
    const firstStep = async (change: object) => {
      const [, second] = await new ToyEpisode(new ToyExpert(), 'x_cache', { ...given, ...change }).chunks(2);
      return second!.computed.slice(0, layers).filter((flag) => flag === 0).length;
    };
    expect(await firstStep({})).toBe(layers - 1);
    expect(await firstStep({ protect_first_step: true })).toBe(0);
    expect(await firstStep({ first_step_threshold: 1.5 })).toBe(0);
  });

  it('is stopped by a jump of the observation even where the block inputs look alike', async () => {
    const expert = new ToyExpert();
    const episode = new ToyEpisode(expert, 'x_cache', { refresh_interval: 0, tau_floor: 0.9 });
    await episode.chunks(1);
    // The same toy observation, but other proprioception.
    expert.observe(0);
    const chunk = contextOf(expert, { chunk: 1, observation: 0 });
    const jumped = { ...chunk, proprio: chunk.proprio.map((value) => -value) };
    const values = resolveSettings('x_cache', xCache.fields, episode.given, expert);
    expect(skips(await episode.state.run(jumped, values as never, expert))).toBe(0);
    episode.state.discard();
    expect(skips(await episode.state.run(chunk, values as never, expert))).toBeGreaterThan(0);
  });

  it('compares with the input that belongs to the stored residual, so that slow drift is noticed', async () => {
    const episode = new ToyEpisode(new ToyExpert(), 'x_cache', {
      refresh_interval: 0,
      tau_floor: 0.995,
      margin: 4,
    });
    const outcomes = await episode.chunks(12, (chunk) => ({ observation: 1, strength: 0.5 + 0.1 * chunk }));
    const cosines = outcomes.slice(1).map((outcome) => outcome.signals.smallest_cosine!);
    expect(skips(outcomes[1]!)).toBeGreaterThan(0);
    // Each chunk is as near to the one before as the last; only against the stored one does the distance grow.
    expect(Math.min(...cosines)).toBeLessThan(0.995);
    expect(outcomes.slice(2).some((outcome) => skips(outcome) < skips(outcomes[1]!))).toBe(true);
  });

  it('skips no less with a lower floor on the same next chunk', async () => {
    let skipped = 0;
    for (const tau_floor of [1.01, 0.999, 0.99, 0.9, 0.5, -1]) {
      const given = { tau_floor, margin: 4, tau_dev: 1e12, refresh_interval: 0 };
      const [, second] = await new ToyEpisode(new ToyExpert(), 'x_cache', given).chunks(2, () => ({
        observation: 1,
        noise: 1,
      }));
      expect(skips(second!)).toBeGreaterThanOrEqual(skipped);
      skipped = skips(second!);
    }
    expect(skipped).toBe(10 * 3);
  });

  it('can compare fewer tokens', async () => {
    const expert = new ToyExpert({ horizon: 12 });
    const few = { ...willing, tau_floor: 0.9, fp_tokens: 4 };
    const outcomes = await new ToyEpisode(expert, 'x_cache', few).chunks(2, () => ({ observation: 2 }));
    expect(skips(outcomes[1]!)).toBe(10 * 3);
  });

  it('leaves no trace of an aborted chunk', async () => {
    const expert = new ToyExpert();
    const given = { tau_floor: 0.9, margin: 0.3, refresh_interval: 3 };
    const calm = await new ToyEpisode(expert, 'x_cache', given).chunks(5);
    const episode = new ToyEpisode(expert, 'x_cache', given);
    for (let chunk = 0; chunk < 5; chunk++) {
      expert.failAtStep = 5;
      await expect(episode.attempt({ chunk, observation: 40 + chunk })).rejects.toThrow(
        'toy failure at step 5',
      );
      episode.state.discard();
      expert.failAtStep = -1;
      await episode.attempt({ chunk, observation: 60 + chunk });
      episode.state.discard();
      const outcome = await episode.chunk({ chunk });
      expect([...outcome.x]).toEqual([...calm[chunk]!.x]);
      expect([...outcome.computed]).toEqual([...calm[chunk]!.computed]);
    }
  });

  it('gives two interleaved episodes the results of two sequential ones', async () => {
    const expert = new ToyExpert();
    const given = { tau_floor: 0.9, margin: 0.3 };
    const left = (chunk: number) => ({ observation: 10 + (chunk >> 1) });
    const right = (chunk: number) => ({ observation: 30 + (chunk >> 2), noise: 3 });
    const alone = [
      await new ToyEpisode(expert, 'x_cache', given).chunks(6, left),
      await new ToyEpisode(expert, 'x_cache', given).chunks(6, right),
    ];
    const [one, two] = [new ToyEpisode(expert, 'x_cache', given), new ToyEpisode(expert, 'x_cache', given)];
    for (let chunk = 0; chunk < 6; chunk++) {
      const a = await one.chunk({ chunk, ...left(chunk) });
      const b = await two.chunk({ chunk, ...right(chunk) });
      expect([...a.x]).toEqual([...alone[0]![chunk]!.x]);
      expect([...b.x]).toEqual([...alone[1]![chunk]!.x]);
    }
  });

  it('takes new thresholds in the next chunk, forgets everything when cleared, and says what it holds', async () => {
    const expert = new ToyExpert();
    const { steps, layers, horizon, hidden } = expert.shape;
    const episode = new ToyEpisode(expert, 'x_cache', { ...willing, refresh_interval: 0 });
    await episode.chunks(2);
    // A cell has a fingerprint and a residual; of the fingerprint also its mean, its norm and its mean magnitude.
    const cell = 2 * horizon * hidden + hidden + 2;
    // There is one condition, in float64: proprioception + 1, and 2 channels of 2 x 2 pooled cells.
    expect(episode.state.bytes).toBe(4 * steps * layers * cell + 8 * (5 + 8));
    episode.given = { tau_floor: 1.01, refresh_interval: 0 };
    expect(skips(await episode.chunk({ chunk: 2 }))).toBe(0);
    episode.given = { ...willing, refresh_interval: 0 };
    expect(skips(await episode.chunk({ chunk: 3 }))).toBeGreaterThan(0);
    episode.state.clear('policy_changed');
    expect(episode.state.bytes).toBe(0);
    const cleared = await episode.chunk({ chunk: 4 });
    expect([cleared.reason, skips(cleared)]).toEqual(['policy_changed', 0]);
  });

  it('records the residual of a step whose blocks all ran', async () => {
    const expert = new ToyExpert();
    const plain = await new ToyEpisode(expert, 'none').chunk({ chunk: 0, recordResiduals: true });
    const outcome = await new ToyEpisode(expert, 'x_cache').chunk({ chunk: 0, recordResiduals: true });
    for (const [step, residual] of plain.residuals!) {
      expect(relativeError(outcome.residuals!.get(step)!, residual)).toBeLessThan(1e-6);
    }
  });

  it('warns of anchors that leave nothing to skip, and of none at all', () => {
    const { policy, expert } = new ToyEpisode(new ToyExpert(), 'x_cache');
    const warn = (front_anchors: number, back_anchors: number) =>
      policy.warn?.({ front_anchors, back_anchors }, expert.shape, expert.schedule);
    expect(warn(1, 0)).toBeUndefined();
    expect(warn(3, 1)).toBe('x_cache skips nothing: 3 + 1 anchors cover all 4 blocks');
    expect(warn(0, 0)).toMatch(/without front anchors/);
  });
});
