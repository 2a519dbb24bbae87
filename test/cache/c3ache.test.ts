import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyLinear } from '../../src/cache/linearMap';
import type { ChunkOutcome, Expert, FullRun, FullStep } from '../../src/cache/types';
import { ToyExpert } from './ToyExpert';
import { ToyEpisode, contextOf, relativeError } from './runEpisode';
import type { ToyChunk } from './runEpisode';

const pattern = (outcomes: readonly ChunkOutcome[]) =>
  outcomes.map((outcome) => (outcome.refreshed ? 'F' : 'r')).join('');

async function uncached(expert: ToyExpert, chunks: number, toy?: (chunk: number) => Partial<ToyChunk>) {
  return new ToyEpisode(expert, 'none').chunks(chunks, toy);
}

/** C3ache by its definition (eq. 7), step by step, with its own bookkeeping. */
async function byDefinition(
  expert: ToyExpert,
  range: readonly [number, number],
  refreshEvery: number,
  chunks: number,
  toy: (chunk: number) => Partial<ToyChunk>,
): Promise<Float32Array[]> {
  const slots = new Map<number, Float32Array>();
  const results: Float32Array[] = [];
  for (let chunk = 0; chunk < chunks; chunk++) {
    const given: ToyChunk = { chunk, ...toy(chunk) };
    expert.observe(given.observation ?? chunk, given.strength);
    let x = contextOf(expert, given).noise;
    const refresh = chunk === 0 || (refreshEvery > 0 && chunk % refreshEvery === 0);
    for (let k = 0; k < expert.shape.steps; k++) {
      const inRange = k >= range[0] && k <= range[1];
      if (!refresh && inRange) {
        const h0 = applyLinear(expert.encoder, x, expert.shape.horizon);
        const hL = h0.map((value, i) => value + slots.get(k)![i]!);
        const v = applyLinear(expert.head, hL, expert.shape.horizon);
        x = x.map((value, i) => value + expert.schedule.delta[k]! * v[i]!);
      } else {
        const run = await expert.fullSteps(x, [{ index: k }], { residuals: true });
        if (refresh) slots.set(k, run.residuals!);
        x = run.x;
      }
    }
    results.push(x);
  }
  return results;
}

describe('c3ache', () => {
  it.each(['affine', 'residual'])('with R = 1 is the plain run bit for bit (%s)', async (mode) => {
    const expert = new ToyExpert();
    const plain = await uncached(expert, 4);
    const cached = await new ToyEpisode(expert, 'c3ache', { refresh_interval: 1, mode }).chunks(4);
    cached.forEach((outcome, i) => {
      expect([...outcome.x]).toEqual([...plain[i]!.x]);
      expect([...outcome.velocity]).toEqual([...plain[i]!.velocity]);
      expect(outcome.fullSteps).toBe(10);
    });
  });

  it('with R = 0 and a single chunk is the plain run bit for bit', async () => {
    const expert = new ToyExpert();
    const [plain] = await uncached(expert, 1);
    const [cached] = await new ToyEpisode(expert, 'c3ache', { refresh_interval: 0 }).chunks(1);
    expect([...cached!.x]).toEqual([...plain!.x]);
    expect(cached!.reason).toBe('first_chunk');
  });

  it.each(['affine', 'residual'])('equals its definition for any range and R (%s)', async (mode) => {
    for (const [range, refresh_interval] of [
      [[0, 6], 4],
      [[0, 7], 0],
      [[2, 5], 3],
      [[3, 9], 2],
      [[0, 9], 4],
    ] as const) {
      const expert = new ToyExpert({ seed: 5 });
      const toy = (chunk: number) => ({ noise: chunk });
      const expected = await byDefinition(expert, range, refresh_interval, 7, toy);
      const given = { range, refresh_interval, mode };
      const outcomes = await new ToyEpisode(expert, 'c3ache', given).chunks(7, toy);
      outcomes.forEach((outcome, i) => expect(relativeError(outcome.x, expected[i]!)).toBeLessThan(1e-5));
    }
  });

  it('returns the velocity that moved x at every step, reused or not', async () => {
    const expert = new ToyExpert();
    for (const mode of ['affine', 'residual']) {
      const episode = new ToyEpisode(expert, 'c3ache', { range: [2, 6], refresh_interval: 0, mode });
      const outcomes = await episode.chunks(3, (chunk) => ({ noise: chunk }));
      outcomes.forEach((outcome, chunk) => {
        const { noise } = contextOf(expert, { chunk, noise: chunk });
        const size = noise.length;
        const x = noise.map((value, i) => {
          let sum = value;
          for (let k = 0; k < 10; k++) sum += expert.schedule.delta[k]! * outcome.velocity[k * size + i]!;
          return sum;
        });
        expect(relativeError(x, outcome.x)).toBeLessThan(1e-6);
      });
    }
  });

  it('costs what the closed form says for any number of chunks, range and R', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 0, max: 5 }),
        fc.integer({ min: 0, max: 9 }),
        fc.integer({ min: 0, max: 9 }),
        fc.constantFrom('affine', 'residual'),
        async (chunks, refresh_interval, one, other, mode) => {
          const range = [Math.min(one, other), Math.max(one, other)] as const;
          const expert = new ToyExpert({ layers: 1, hidden: 4, horizon: 2 });
          const episode = new ToyEpisode(expert, 'c3ache', { refresh_interval, range, mode });
          const outcomes = await episode.chunks(chunks);
          const refreshes = refresh_interval === 0 ? 1 : Math.ceil(chunks / refresh_interval);
          const saved = range[1] - range[0] + 1;
          const full = refreshes * 10 + (chunks - refreshes) * (10 - saved);
          expect(outcomes.reduce((sum, outcome) => sum + outcome.fullSteps, 0)).toBe(full);
          expect(outcomes.reduce((sum, outcome) => sum + outcome.reusedSteps, 0)).toBe(
            (chunks - refreshes) * saved,
          );
          expect(expert.counts.subBlocks).toBe(full * 3);
          expect(outcomes.reduce((sum, outcome) => sum + outcome.stackEvaluations, 0)).toBe(full);
        },
      ),
      { numRuns: 40 },
    );
  });

  it.each([
    // R, B, full stack runs over six chunks
    [1, 6, 60],
    [0, 6, 25],
    [4, 6, 32],
    [4, 9, 20],
  ])(
    'with R = %i and range [0, %i] runs the stack %i times in six chunks',
    async (refresh_interval, end, runs) => {
      const episode = new ToyEpisode(new ToyExpert(), 'c3ache', { refresh_interval, range: [0, end] });
      const outcomes = await episode.chunks(6);
      expect(outcomes.reduce((sum, outcome) => sum + outcome.fullSteps, 0)).toBe(runs);
    },
  );

  it('makes one call for a chunk, also where the range lies in the middle', async () => {
    const expert = new ToyExpert();
    const episode = new ToyEpisode(expert, 'c3ache', { refresh_interval: 0, range: [2, 5] });
    await episode.chunks(1);
    expert.counts.calls = 0;
    const outcome = await episode.chunk({ chunk: 1 });
    expect(expert.counts.calls).toBe(1);
    expect([...outcome.computed]).toEqual([1, 1, 0, 0, 0, 0, 1, 1, 1, 1]);
  });

  it('reaches the same x after the prefix whatever the new observation, if the noise is the same', async () => {
    const expert = new Spy(new ToyExpert());
    const episode = new ToyEpisode(expert.toy, 'c3ache', { refresh_interval: 0, range: [0, 6] });
    const run = async (chunk: number, observation: number) => {
      expert.toy.observe(observation);
      const settings = { refresh_interval: 0, range: [0, 6], max_age: 0, mode: 'affine', tail: 'none' };
      const outcome = await episode.state.run(
        contextOf(expert.toy, { chunk, observation }),
        settings as never,
        expert,
      );
      episode.state.commit();
      return outcome;
    };
    const refresh = await run(0, 0);
    const size = refresh.x.length;
    const afterPrefix = expert.last!.xs.slice(7 * size, 8 * size);
    const same = await run(1, 0);
    expect(relativeError(same.x, refresh.x)).toBeLessThan(1e-6);
    const other = await run(2, 17);
    expect(relativeError(expert.last!.xs.slice(0, size), afterPrefix)).toBeLessThan(1e-6);
    expect(relativeError(other.x, refresh.x)).toBeGreaterThan(1e-3);
  });

  it('sees a new observation through the tail only', async () => {
    for (const [end, seen] of [
      [8, true],
      [9, false],
    ] as const) {
      const episode = new ToyEpisode(new ToyExpert(), 'c3ache', { refresh_interval: 0, range: [0, end] });
      const [, first, second] = await episode.chunks(3);
      expect(relativeError(first!.x, second!.x) > 1e-3).toBe(seen);
    }
  });

  it('leaves no trace of an aborted chunk', async () => {
    for (const failAtStep of [0, 4, 9]) {
      for (const refresh_interval of [1, 2, 0]) {
        const expert = new ToyExpert();
        const calm = await new ToyEpisode(expert, 'c3ache', { refresh_interval }).chunks(5);
        const episode = new ToyEpisode(expert, 'c3ache', { refresh_interval });
        const outcomes: ChunkOutcome[] = [];
        for (let chunk = 0; chunk < 5; chunk++) {
          expert.failAtStep = failAtStep;
          const bytes = episode.state.bytes;
          // An interrupted run, and a whole run that is thrown away, of another observation.
          await episode.attempt({ chunk, observation: 50 + chunk }).catch(() => undefined);
          episode.state.discard();
          expect(episode.state.bytes).toBe(bytes);
          expert.failAtStep = -1;
          await episode.attempt({ chunk, observation: 80 + chunk });
          episode.state.discard();
          outcomes.push(await episode.chunk({ chunk }));
        }
        expect(pattern(outcomes)).toBe(pattern(calm));
        outcomes.forEach((outcome, i) => expect([...outcome.x]).toEqual([...calm[i]!.x]));
      }
    }
  });

  it('takes another R or range in the next chunk without a refresh', async () => {
    const episode = new ToyEpisode(new ToyExpert(), 'c3ache', { refresh_interval: 0, range: [0, 6] });
    await episode.chunks(2);
    episode.given = { refresh_interval: 0, range: [3, 8] };
    const moved = await episode.chunk({ chunk: 2 });
    expect([...moved.computed]).toEqual([1, 1, 1, 0, 0, 0, 0, 0, 0, 1]);
    expect(moved.refreshed).toBe(false);
    episode.given = { refresh_interval: 5, range: [3, 8] };
    expect((await episode.chunk({ chunk: 3 })).refreshed).toBe(false);
    episode.given = { refresh_interval: 3, range: [3, 8] };
    expect((await episode.chunk({ chunk: 4 })).reason).toBe('interval');
  });

  it('refreshes once when the mode needs residuals that were not kept', async () => {
    const episode = new ToyEpisode(new ToyExpert(), 'c3ache', { refresh_interval: 0 });
    await episode.chunks(2);
    episode.given = { refresh_interval: 0, mode: 'residual' };
    expect((await episode.chunk({ chunk: 2 })).reason).toBe('mode_changed');
    expect((await episode.chunk({ chunk: 3 })).refreshed).toBe(false);
    episode.given = { refresh_interval: 0, mode: 'affine' };
    expect((await episode.chunk({ chunk: 4 })).refreshed).toBe(false);
  });

  it('refreshes when what it stores is older than max_age', async () => {
    const episode = new ToyEpisode(new ToyExpert(), 'c3ache', { refresh_interval: 0, max_age: 2 });
    const outcomes = await episode.chunks(6, (chunk) => ({ time: 0.9 * chunk }));
    // ages 0.9, 1.8, 2.7 (refresh at chunk 3, stamp 2.7), 0.9, 1.8
    expect(outcomes.map((outcome) => outcome.reason)).toEqual(['first_chunk', '', '', 'max_age', '', '']);
  });

  it('refreshes with the reason it was emptied for, and starts an episode with the first chunk', async () => {
    const episode = new ToyEpisode(new ToyExpert(), 'c3ache', { refresh_interval: 0 });
    await episode.chunks(2);
    episode.state.clear('sampler_changed');
    expect(episode.state.bytes).toBe(0);
    expect((await episode.attempt({ chunk: 2 })).reason).toBe('sampler_changed');
    episode.state.discard();
    expect((await episode.chunk({ chunk: 2 })).reason).toBe('sampler_changed');
    expect((await episode.chunk({ chunk: 3 })).reason).toBe('');
    episode.state.clear('reset');
    expect((await episode.chunk({ chunk: 0 })).reason).toBe('first_chunk');
  });

  it('computes in full and counts what it stored if that is not a number', async () => {
    for (const mode of ['affine', 'residual']) {
      const expert = new Spy(new ToyExpert());
      const { state } = new ToyEpisode(expert.toy, 'c3ache');
      const settings = { refresh_interval: 0, range: [0, 6], max_age: 0, mode, tail: 'none' } as never;
      expert.spoilStep = 3;
      await state.run(contextOf(expert.toy, { chunk: 0 }), settings, expert);
      state.commit();
      expert.spoilStep = -1;
      const healed = await state.run(contextOf(expert.toy, { chunk: 1 }), settings, expert);
      state.commit();
      expect(healed.reason).toBe('fallback');
      expect(healed.fallbacks).toBe(1);
      expect(healed.fullSteps).toBe(10);
      const next = await state.run(contextOf(expert.toy, { chunk: 2 }), settings, expert);
      expect(next.refreshed).toBe(false);
      expect(next.x.every(Number.isFinite)).toBe(true);
    }
  });

  it('gives two interleaved episodes the results of two sequential ones', async () => {
    const expert = new ToyExpert();
    const left = (chunk: number) => ({ observation: 10 + chunk, noise: chunk });
    const right = (chunk: number) => ({ observation: 30 + chunk, noise: 7 * chunk });
    const alone = [
      await new ToyEpisode(expert, 'c3ache').chunks(6, left),
      await new ToyEpisode(expert, 'c3ache').chunks(6, right),
    ];
    const [one, two] = [new ToyEpisode(expert, 'c3ache'), new ToyEpisode(expert, 'c3ache')];
    for (let chunk = 0; chunk < 6; chunk++) {
      const a = await one.chunk({ chunk, ...left(chunk) });
      const b = await two.chunk({ chunk, ...right(chunk) });
      expect([...a.x]).toEqual([...alone[0]![chunk]!.x]);
      expect([...b.x]).toEqual([...alone[1]![chunk]!.x]);
    }
  });

  it('holds 4 N T a bytes in the affine form, and the residuals of N steps beside them in the other', async () => {
    const expert = new ToyExpert();
    const { steps, horizon, actionDim, hidden } = expert.shape;
    const affine = new ToyEpisode(expert, 'c3ache');
    await affine.chunks(1);
    expect(affine.state.bytes).toBe(4 * steps * horizon * actionDim);
    const residual = new ToyEpisode(expert, 'c3ache', { mode: 'residual' });
    await residual.chunks(1);
    expect(residual.state.bytes).toBe(4 * steps * horizon * (actionDim + hidden));
  });

  it('records the residuals of the full steps for evaluation without another result', async () => {
    const expert = new ToyExpert();
    const plain = await new ToyEpisode(expert, 'c3ache').chunks(2);
    const watched = await new ToyEpisode(expert, 'c3ache').chunks(2, () => ({ recordResiduals: true }));
    expect([...watched[1]!.x]).toEqual([...plain[1]!.x]);
    expect([...watched[1]!.residuals!.keys()]).toEqual([7, 8, 9]);
    expect(watched[0]!.residuals!.size).toBe(10);
    expect(plain[0]!.residuals).toBeUndefined();
  });

  it('refuses a model that takes a single step, and noise of another shape', async () => {
    const expert = new ToyExpert({ steps: 1 });
    const episode = new ToyEpisode(expert, 'c3ache');
    expect(episode.policy.refuse({}, expert.shape, expert.schedule)).toBe(
      'c3ache has nothing to reuse in a model that takes 1 denoising step: use policy none',
    );
    const chunk = { ...contextOf(expert, { chunk: 0 }), noise: new Float32Array(5) };
    await expect(episode.state.run(chunk, {} as never, expert)).rejects.toThrow(
      'noise of chunk 0 has 5 values, expected 18 ([6, 3])',
    );
  });
});

/** Passes everything through, keeps the last full run and can spoil the velocity of one step. */
class Spy implements Expert {
  last: FullRun | undefined;
  spoilStep = -1;
  readonly shape;
  readonly schedule;
  readonly encoder;
  readonly head;
  readonly A;

  constructor(readonly toy: ToyExpert) {
    ({ shape: this.shape, schedule: this.schedule, encoder: this.encoder, head: this.head, A: this.A } = toy);
  }

  async fullSteps(
    x: Float32Array,
    steps: readonly FullStep[],
    record?: { residuals?: boolean },
  ): Promise<FullRun> {
    this.last = await this.toy.fullSteps(x, steps, record);
    const spoilt = steps.findIndex((step) => step.index === this.spoilStep);
    if (spoilt >= 0) this.last.vs[spoilt * x.length] = Number.NaN;
    return this.last;
  }

  step = (...given: Parameters<Expert['step']>) => this.toy.step(...given);
  probe = (...given: Parameters<Expert['probe']>) => this.toy.probe(...given);
  resume = (...given: Parameters<Expert['resume']>) => this.toy.resume(...given);
  scheduledSteps = (...given: Parameters<Expert['scheduledSteps']>) => this.toy.scheduledSteps(...given);
  gatedSteps = (...given: Parameters<Expert['gatedSteps']>) => this.toy.gatedSteps(...given);
}
