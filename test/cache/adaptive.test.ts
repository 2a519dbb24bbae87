import { describe, expect, it } from 'vitest';
import { adaptive } from '../../src/cache/adaptive';
import { shiftOfStaleSteps } from '../../src/cache/affine';
import { gripperSwitched, observationDrift, residualDrift } from '../../src/cache/driftMeasures';
import { resolveSettings } from '../../src/cache/fieldValues';
import { norm } from '../../src/cache/matrix';
import type { ChunkOutcome } from '../../src/cache/types';
import { ToyExpert } from './ToyExpert';
import { ToyEpisode, contextOf, relativeError } from './runEpisode';
import type { ToyChunk } from './runEpisode';

const OFF = { tolerance: 1e9, latent_threshold: 1e9, proprio_threshold: 1e9, gripper_switch: false };
const free = { ...OFF, refresh_interval: 0 };

const pattern = (outcomes: readonly ChunkOutcome[]) =>
  outcomes.map((outcome) => (outcome.refreshed ? 'F' : 'r')).join('');

async function run(
  given: Record<string, unknown>,
  chunks: number,
  toy?: (chunk: number) => Partial<ToyChunk>,
  expert = new ToyExpert(),
) {
  return new ToyEpisode(expert, 'adaptive', given).chunks(chunks, toy);
}

describe('adaptive', () => {
  it('with every trigger off is c3ache with R as its limit', async () => {
    const expert = new ToyExpert();
    for (const refresh_interval of [0, 3]) {
      const fixed = await new ToyEpisode(expert, 'c3ache', { refresh_interval }).chunks(7);
      const outcomes = await run({ ...OFF, refresh_interval, on_drift: 'next_chunk' }, 7, undefined, expert);
      outcomes.forEach((outcome, i) => {
        expect([...outcome.x]).toEqual([...fixed[i]!.x]);
        expect(outcome.reason).toBe(fixed[i]!.reason);
        expect(outcome.fullSteps).toBe(fixed[i]!.fullSteps);
      });
    }
  });

  it.each([
    ['an image threshold of 0', { ...free, latent_threshold: 0 }],
    ['a proprioception threshold of 0', { ...free, proprio_threshold: 0 }],
    ['a tolerance of 0', { ...free, tolerance: 0 }],
    ['a drift threshold of 0', { ...free, drift_threshold: 0 }],
    ['R = 1', { ...free, refresh_interval: 1 }],
  ])('with %s is the plain run bit for bit, at no further cost', async (_what, given) => {
    const expert = new ToyExpert();
    const plain = await new ToyEpisode(expert, 'none').chunks(4);
    expert.counts.calls = 0;
    const outcomes = await run(given, 4, undefined, expert);
    outcomes.forEach((outcome, i) => expect([...outcome.x]).toEqual([...plain[i]!.x]));
    expect(outcomes.every((outcome) => outcome.stackEvaluations === 10)).toBe(true);
    expect(expert.counts.calls).toBe(4);
  });

  it.each([{ tolerance: 0 }, { drift_threshold: 0 }])(
    'with %j acting on the next chunk is R = 1 up to one chunk of lag',
    async (given) => {
      const outcomes = await run({ ...free, ...given, on_drift: 'next_chunk' }, 7);
      expect(pattern(outcomes)).toBe('FrFFFFF');
      expect(outcomes[2]!.reason).toBe('drift');
    },
  );

  it('looks at the step after the range before the tail runs, and computes the chunk anew if it drifted', async () => {
    const expert = new ToyExpert();
    const plain = await new ToyEpisode(expert, 'none').chunks(2);
    const [first, second] = await run({ ...free, tolerance: 1e-6 }, 2, undefined, expert);
    expect(first!.reason).toBe('first_chunk');
    expect(second!.reason).toBe('drift');
    expect([...second!.x]).toEqual([...plain[1]!.x]);
    expect(second!.fullSteps).toBe(10);
    // the look is the eleventh full step
    expect(second!.stackEvaluations).toBe(11);
  });

  it('reuses while nothing changes, at two calls and the cost of c3ache', async () => {
    const expert = new ToyExpert();
    const episode = new ToyEpisode(expert, 'adaptive', { refresh_interval: 0 });
    const [first, second] = await episode.chunks(2, () => ({ observation: 4 }));
    expect(second!.refreshed).toBe(false);
    expect(second!.stackEvaluations).toBe(3);
    expect(second!.signals.predicted_deviation).toBeLessThan(1e-6);
    expect(relativeError(second!.x, first!.x)).toBeLessThan(1e-5);
    expect(expert.counts.calls).toBe(1 + 2);
  });

  it('never refreshes less with a smaller tolerance', async () => {
    let refreshes = Infinity;
    for (const tolerance of [1e-4, 0.01, 0.03, 0.1, 0.3, 1e9]) {
      const toy = (chunk: number) => ({ observation: 1, strength: 0.3 + 0.05 * chunk });
      const outcomes = await run({ ...free, tolerance }, 10, toy);
      const count = outcomes.filter((outcome) => outcome.refreshed).length;
      expect(count).toBeLessThanOrEqual(refreshes);
      refreshes = count;
    }
    expect(refreshes).toBe(1);
  });

  it('stays below its tolerance on the toy expert, whose tail does not amplify', async () => {
    const toy = (chunk: number) => ({ observation: 1, strength: 0.3 + 0.03 * chunk });
    const expert = new ToyExpert();
    const plain = await new ToyEpisode(expert, 'none').chunks(12, toy);
    const tolerance = 0.03;
    const outcomes = await run({ ...free, tolerance }, 12, toy, expert);
    expect(outcomes.some((outcome) => !outcome.refreshed)).toBe(true);
    outcomes.forEach((outcome, i) => {
      const off = norm(outcome.x.map((value, n) => value - plain[i]!.x[n]!)) / Math.sqrt(outcome.x.length);
      expect(off).toBeLessThan(2 * tolerance);
    });
  });

  it('refreshes at once when the image or the robot has moved', async () => {
    const still = { ...free, tolerance: 1e9 };
    const toy = (chunk: number) => ({ observation: 1, seen: chunk < 2 ? 1 : 2 });
    const image = await run({ ...still, latent_threshold: 0.5 }, 4, toy);
    expect(image.map((outcome) => outcome.reason)).toEqual(['first_chunk', '', 'latent_change', '']);
    const robot = await run({ ...still, proprio_threshold: 0.3 }, 4, toy);
    expect(robot.map((outcome) => outcome.reason)).toEqual(['first_chunk', '', 'proprio_jump', '']);
    expect(robot[2]!.signals.proprio_jump).toBeGreaterThan(0.3);
    expect(image[1]!.signals.latent_change).toBe(0);
  });

  it('refreshes when the last chunk commands a gripper the other way than the refresh did', async () => {
    const expert = new ToyExpert();
    const given = { ...free, gripper_switch: true };
    const episode = new ToyEpisode(expert, 'adaptive', given);
    const outcomes = await episode.chunks(12, (chunk) => ({
      grippers: [0, 1, 2],
      observation: 3 * chunk,
      strength: 2,
    }));
    const sign = (outcome: ChunkOutcome) =>
      [0, 1, 2]
        .map((d) => Math.sign(outcome.x.filter((_, i) => i % 3 === d).reduce((a, b) => a + b, 0)))
        .join();
    let refresh = outcomes[0]!;
    let switches = 0;
    outcomes.slice(1).forEach((outcome, i) => {
      const switched = sign(outcomes[i]!) !== sign(refresh);
      expect(outcome.signals.gripper_switch).toBe(switched ? 1 : 0);
      expect(outcome.reason).toBe(switched ? 'gripper_switch' : '');
      if (outcome.refreshed) refresh = outcome;
      switches += switched ? 1 : 0;
    });
    expect(switches).toBeGreaterThan(0);
  });

  it('leaves no trace of an aborted chunk', async () => {
    const expert = new ToyExpert();
    const given = { refresh_interval: 0, tolerance: 0.05, on_drift: 'next_chunk' };
    const toy = (chunk: number) => ({ observation: 1, strength: 0.3 + 0.05 * chunk, grippers: [2] });
    const calm = await run(given, 6, toy, expert);
    const episode = new ToyEpisode(expert, 'adaptive', given);
    for (let chunk = 0; chunk < 6; chunk++) {
      expert.failAtStep = 8;
      await expect(episode.attempt({ chunk, observation: 77 })).rejects.toThrow('toy failure at step 8');
      episode.state.discard();
      expert.failAtStep = -1;
      await episode.attempt({ chunk, observation: 78 });
      episode.state.discard();
      const outcome = await episode.chunk({ chunk, ...toy(chunk) });
      expect([...outcome.x]).toEqual([...calm[chunk]!.x]);
      expect(outcome.reason).toBe(calm[chunk]!.reason);
    }
  });

  it('takes over a new range at once, and forgets what it knew when cleared', async () => {
    const episode = new ToyEpisode(new ToyExpert(), 'adaptive', free);
    await episode.chunks(2);
    episode.given = { ...free, range: [2, 5] };
    expect([...(await episode.chunk({ chunk: 2 })).computed]).toEqual([1, 1, 0, 0, 0, 0, 1, 1, 1, 1]);
    episode.state.clear('policy_changed');
    expect(episode.state.bytes).toBe(0);
    expect((await episode.chunk({ chunk: 3 })).reason).toBe('policy_changed');
    const { steps, horizon, actionDim, hidden } = episode.expert.shape;
    // constants and residuals of N steps, proprioception [4] and latents [2, 4, 4]
    expect(episode.state.bytes).toBe(4 * (steps * horizon * (actionDim + hidden) + 4 + 32));
  });

  it('warns of a range after which no step could show drift', () => {
    const { shape, schedule } = new ToyExpert();
    const warn = (given: Record<string, unknown>) =>
      adaptive.warn?.(
        resolveSettings('adaptive', adaptive.fields, given, { shape, schedule }),
        shape,
        schedule,
      );
    expect(warn({})).toBeUndefined();
    expect(warn({ range: [0, 9] })).toBe(
      'adaptive cannot see drift with range [0, 9]: no step after it runs in full, so only the observation decides',
    );
    expect(warn({ range: [0, 8] })).toMatch(/reuses 64 % of the denoising path/);
  });
});

describe('the measures of drift', () => {
  it('predict the shift of the actions as if every reused step were off by the same', () => {
    const expert = new ToyExpert();
    const { horizon, actionDim, hidden } = expert.shape;
    const before = new Float32Array(horizon * hidden).fill(1);
    const now = before.map((value, i) => value + (i === 0 ? 0.5 : 0));
    const drift = residualDrift(expert, [0, 6], now, before);
    // one element of |R| = sqrt(T d) changed by 0.5
    expect(drift.relative).toBeCloseTo(0.5 / Math.sqrt(horizon * hidden), 12);
    const error = new Float64Array(horizon * actionDim);
    for (let j = 0; j < actionDim; j++) error[j] = 0.5 * expert.head.weight[j * hidden]!;
    const steps = Array.from({ length: 7 }, (_, k) => ({ euler: expert.step(k), error }));
    const shift = shiftOfStaleSteps(expert.A, steps, error.length);
    expect(drift.predictedDeviation).toBeCloseTo(norm(shift) / Math.sqrt(shift.length), 12);
  });

  it('compare proprioception by its root mean square and latents by their mean', () => {
    const chunk = contextOf(new ToyExpert(), { chunk: 0 });
    const seen = { proprio: Float32Array.of(1, 1, 1, 1), latents: Float32Array.of(1, -1, 2) };
    const now = { ...chunk, proprio: Float32Array.of(1, 3, 1, 1), latents: Float32Array.of(1, -1, 3) };
    // sqrt(4 / 4) and 1 / 4
    expect(observationDrift(now, seen)).toEqual({ proprioJump: 1, latentChange: 0.25 });
    const none = { proprio: new Float32Array(0), latents: seen.latents };
    expect(observationDrift({ ...now, proprio: new Float32Array(0) }, none).proprioJump).toBe(0);
  });

  it('see a gripper switch only in the dimensions that are grippers', () => {
    const { shape } = new ToyExpert({ horizon: 2, actionDim: 3 });
    const one = Float32Array.of(1, 1, 1, 1, 1, -0.5);
    const other = Float32Array.of(-1, 1, -1, -1, 1, 0.5);
    expect(gripperSwitched(shape, [1], other, one)).toBe(false);
    expect(gripperSwitched(shape, [1, 2], other, one)).toBe(true);
    expect(gripperSwitched(shape, [], other, one)).toBe(false);
  });
});
