import { describe, expect, it } from 'vitest';
import { ToyExpert } from './ToyExpert';
import { ToyEpisode, relativeError } from './runEpisode';

async function oneChunk(expert: ToyExpert, given: Record<string, unknown>) {
  return new ToyEpisode(expert, 'worldcache_ht', given).chunk({ chunk: 0 });
}

describe('worldcache_ht', () => {
  it.each([
    [{ warmup_steps: 10 }],
    [{ max_predicted: 0 }],
    [{ error_budget: 0 }],
    [{ warmup_steps: 10, space: 'hidden' }],
  ])('with %j is the plain run bit for bit, in one call', async (given) => {
    const expert = new ToyExpert();
    const plain = await new ToyEpisode(expert, 'none').chunk({ chunk: 0 });
    expert.counts.calls = 0;
    const outcome = await oneChunk(expert, given);
    expect([...outcome.x]).toEqual([...plain.x]);
    expect([...outcome.velocity]).toEqual([...plain.velocity]);
    expect(expert.counts.calls).toBe(1);
  });

  it('runs four of ten steps with a warm-up of 3, up to 6 predictions and no budget', async () => {
    const expert = new ToyExpert();
    const outcome = await oneChunk(expert, { error_budget: 1e12 });
    // full at 0, 1, 2, 9
    expect([...outcome.computed]).toEqual([1, 1, 1, 0, 0, 0, 0, 0, 0, 1]);
    expect(outcome.stackEvaluations).toBe(4);
    expect(expert.counts).toEqual({ calls: 2, subBlocks: 4 * 3 * expert.shape.layers });
    expect(outcome.refreshed).toBe(false);
  });

  it('refreshes when n_max predictions have been made, and always at the last step', async () => {
    for (const clock of ['index', 'sigma']) {
      const outcome = await oneChunk(new ToyExpert(), { max_predicted: 2, error_budget: 1e12, clock });
      expect([...outcome.computed]).toEqual([1, 1, 1, 0, 0, 1, 0, 0, 1, 1]);
    }
  });

  it('refreshes in the step after the error reached the budget', async () => {
    const free = await oneChunk(new ToyExpert(), { error_budget: 1e12, max_predicted: 1 });
    // The error of a single prediction is the largest seen; a budget just below it refreshes after each.
    const tight = { error_budget: 1e-9, max_predicted: 6 };
    expect([...(await oneChunk(new ToyExpert(), tight)).computed]).toEqual([...free.computed]);
    expect(free.signals.accumulated_error).toBeGreaterThan(1e-9);
  });

  it('stays near the plain run where it predicts, and never predicts more with a smaller budget', async () => {
    const expert = new ToyExpert();
    const plain = await new ToyEpisode(expert, 'none').chunk({ chunk: 0 });
    let predicted = 0;
    for (const error_budget of [0, 0.01, 0.1, 1, 1e12]) {
      const outcome = await oneChunk(expert, { error_budget });
      expect(outcome.reusedSteps).toBeGreaterThanOrEqual(predicted);
      predicted = outcome.reusedSteps;
      expect(relativeError(outcome.x, plain.x)).toBeLessThan(0.5);
    }
    expect(predicted).toBe(6);
  });

  it('predicts the same in the hidden space where every token has the same group', async () => {
    const expert = new ToyExpert();
    // Quantile 0 for both: every curvature is at or above it, all tokens are chaotic in either space.
    const given = { stable_quantile: 0, chaotic_quantile: 0, error_budget: 1e12 };
    const output = await oneChunk(expert, given);
    const hidden = await oneChunk(expert, { ...given, space: 'hidden' });
    expect(relativeError(hidden.x, output.x)).toBeLessThan(1e-5);
  });

  it('returns the velocity that moved x, and gives two equal chunks equal results', async () => {
    const episode = new ToyEpisode(new ToyExpert(), 'worldcache_ht', { error_budget: 1e12 });
    const [one, two] = await episode.chunks(2, () => ({ observation: 3 }));
    expect([...two!.x]).toEqual([...one!.x]);
    expect(episode.state.bytes).toBeGreaterThan(0);
  });

  it('can treat translation, rotation and gripper as tokens of their own', async () => {
    const expert = new ToyExpert({ actionDim: 7 });
    const given = { error_budget: 1e12 };
    const whole = await oneChunk(expert, given);
    const split = await oneChunk(expert, { ...given, modality_split: true });
    expect([...split.computed]).toEqual([...whole.computed]);
    expect(relativeError(split.x, whole.x)).toBeGreaterThan(0);
    expect(relativeError(split.x, whole.x)).toBeLessThan(0.2);
  });

  it('records the residuals of the full steps only', async () => {
    const episode = new ToyEpisode(new ToyExpert(), 'worldcache_ht', { error_budget: 1e12 });
    const outcome = await episode.chunk({ chunk: 0, recordResiduals: true });
    expect([...outcome.residuals!.keys()]).toEqual([0, 1, 2, 9]);
  });

  it('refuses what it cannot mean, and warns where nothing would be predicted', () => {
    const { shape, schedule } = new ToyExpert();
    const { policy } = new ToyEpisode(new ToyExpert(), 'worldcache_ht');
    const given = { stable_quantile: 0.3, chaotic_quantile: 0.7, modality_split: false, space: 'output' };
    const refuse = (change: object) => policy.refuse({ ...given, ...change }, shape, schedule);
    expect(refuse({})).toBeUndefined();
    expect(refuse({ stable_quantile: 0.8 })).toBe(
      'stable_quantile 0.8 must not be above chaotic_quantile 0.7',
    );
    expect(refuse({ modality_split: true })).toBe(
      'modality_split knows actions of 7 (3 + 3 + 1) and 14 (6 + 1 + 6 + 1) dimensions, this model has 3',
    );
    expect(refuse({ modality_split: true, space: 'hidden' })).toMatch(/needs space output/);
    const few = { ...shape, steps: 4 };
    expect(policy.warn?.({ warmup_steps: 3 }, few, schedule)).toBe(
      'worldcache_ht predicts nothing: 4 steps are fewer than the 5 that warm-up, one prediction and the last step take',
    );
  });
});
