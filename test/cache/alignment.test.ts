import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { misaligned, shiftedTokens, stepsSince } from '../../src/cache/alignment';
import type { ChunkOutcome, Expert, FullRun } from '../../src/cache/types';
import { plainStep } from '../../src/sampler/eulerStep';
import { ToyExpert } from './ToyExpert';
import { ToyEpisode, relativeError } from './runEpisode';
import type { ToyChunk } from './runEpisode';

const HORIZON = 6;
const REFRESHING = ['c3ache', 'adaptive'] as const;
/** Nothing but R and the horizon refreshes. */
const QUIET: Readonly<Record<(typeof REFRESHING)[number], Record<string, unknown>>> = {
  c3ache: {},
  adaptive: { tolerance: 1e9, latent_threshold: 1e9, proprio_threshold: 1e9, gripper_switch: false },
};

const tokens = (width: number) =>
  fc
    .array(fc.float({ noNaN: true, noDefaultInfinity: true }), {
      minLength: HORIZON * width,
      maxLength: HORIZON * width,
    })
    .map((values) => Float32Array.from(values));

/** Every chunk comes so many control steps of 0.1 s after the one before it. */
const everySteps =
  (steps: number) =>
  (chunk: number): Partial<ToyChunk> => ({ time: (chunk * steps) / 10, period: 0.1 });

const pattern = (outcomes: readonly ChunkOutcome[]) => outcomes.map(({ reason }) => reason);

describe('shifting tokens', () => {
  it('takes token min(j + e, T - 1) for token j', () => {
    fc.assert(
      fc.property(tokens(3), fc.nat(2 * HORIZON), (values, e) => {
        const shifted = shiftedTokens(values, e, HORIZON);
        for (let j = 0; j < HORIZON; j++) {
          const from = Math.min(j + e, HORIZON - 1) * 3;
          expect(shifted.slice(j * 3, j * 3 + 3)).toEqual(values.slice(from, from + 3));
        }
      }),
    );
  });

  it('by e1 and then by e2 is by e1 + e2, and by nothing the very same values', () => {
    fc.assert(
      fc.property(tokens(2), fc.nat(8), fc.nat(8), (values, first, second) => {
        const twice = shiftedTokens(shiftedTokens(values, first, HORIZON), second, HORIZON);
        expect(twice).toEqual(shiftedTokens(values, first + second, HORIZON));
        expect(shiftedTokens(values, 0, HORIZON)).toBe(values);
      }),
    );
  });

  it('counts control steps from stamps that jitter by less than half a period', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1e6, noNaN: true }),
        fc.nat(1000),
        fc.double({ min: -0.4, max: 0.4, noNaN: true }),
        fc.constantFrom(1 / 10, 1 / 30, 1 / 50),
        (time, steps, jitter, period) => {
          const later = { time: time + (steps + jitter) * period, period };
          expect(stepsSince({ chunk: 0, time }, later) === steps).toBe(true);
        },
      ),
    );
  });

  it('says why it cannot be done', () => {
    expect([-1, 0, 5, 6, Number.NaN].map((e) => misaligned(e, HORIZON))).toEqual([
      'time_jump',
      '',
      '',
      'horizon',
      'time_jump',
    ]);
  });
});

describe.each(REFRESHING)('%s with align=time', (policy) => {
  const quiet = QUIET[policy];
  const run = (given: Record<string, unknown>, toy: (chunk: number) => Partial<ToyChunk>, count = 7) =>
    new ToyEpisode(new ToyExpert({ horizon: HORIZON }), policy, { ...quiet, ...given }).chunks(count, toy);

  it('is the unaligned policy bit for bit where no control step has passed', async () => {
    const still = everySteps(0);
    const plain = await run({ refresh_interval: 4 }, still);
    const aligned = await run({ refresh_interval: 4, align: 'time' }, still);
    aligned.forEach((outcome, i) => {
      expect(outcome.x).toEqual(plain[i]!.x);
      expect(outcome.velocity).toEqual(plain[i]!.velocity);
    });
  });

  it('is none bit for bit with R = 1', async () => {
    const expert = new ToyExpert();
    const plain = await new ToyEpisode(expert, 'none').chunks(4);
    const cached = await new ToyEpisode(expert, policy, { refresh_interval: 1, align: 'time' }).chunks(4);
    cached.forEach((outcome, i) => expect(outcome.x).toEqual(plain[i]!.x));
  });

  it('refreshes every ceil(T / steps between chunks) chunks with R = 0, because of the horizon', async () => {
    for (const steps of [1, 2, 3, 4, 5, 6, 9]) {
      const outcomes = await run({ refresh_interval: 0, align: 'time' }, everySteps(steps), 13);
      const every = Math.ceil(HORIZON / steps);
      expect(pattern(outcomes)).toEqual(
        outcomes.map((_, chunk) => (chunk === 0 ? 'first_chunk' : chunk % every === 0 ? 'horizon' : '')),
      );
    }
  });

  it('refreshes where time has gone back', async () => {
    const outcomes = await run({ refresh_interval: 0, align: 'time' }, (chunk) => ({
      time: chunk === 2 ? -1 : chunk / 10,
      period: 0.1,
    }));
    expect(outcomes[2]!.reason).toBe('time_jump');
  });

  it('leaves no trace of a chunk that is aborted or thrown away', async () => {
    const given = { ...quiet, refresh_interval: 3, align: 'time' };
    const toy = everySteps(1);
    const expert = new ToyExpert({ horizon: HORIZON });
    const calm = await new ToyEpisode(expert, policy, given).chunks(5, toy);
    const episode = new ToyEpisode(expert, policy, given);
    for (let chunk = 0; chunk < 5; chunk++) {
      expert.failAtStep = 8;
      await episode.attempt({ chunk, ...toy(chunk), observation: 30 }).catch(() => undefined);
      episode.state.discard();
      expert.failAtStep = -1;
      await episode.attempt({ chunk, ...toy(chunk + 1), observation: 70 });
      episode.state.discard();
      expect((await episode.chunk({ chunk, ...toy(chunk) })).x).toEqual(calm[chunk]!.x);
    }
  });

  it('keeps interleaved episodes apart', async () => {
    const expert = new ToyExpert({ horizon: HORIZON });
    const given = { ...quiet, refresh_interval: 3, align: 'time' };
    const toy = (offset: number) => (chunk: number) => ({
      ...everySteps(2)(chunk),
      observation: offset + chunk,
    });
    const alone = [await run(given, toy(0)), await run(given, toy(50))];
    const both = [0, 1].map(() => new ToyEpisode(expert, policy, given));
    for (let chunk = 0; chunk < 7; chunk++) {
      for (const [i, episode] of both.entries()) {
        const outcome = await episode.chunk({ chunk, ...toy(50 * i)(chunk) });
        expect(outcome.x).toEqual(alone[i]![chunk]!.x);
      }
    }
  });
});

describe('c3ache with align=time', () => {
  it('gives the same in both modes, and another thing than unaligned', async () => {
    const toy = everySteps(2);
    const run = (given: Record<string, unknown>) =>
      new ToyEpisode(new ToyExpert({ horizon: HORIZON }), 'c3ache', { refresh_interval: 3, ...given }).chunks(
        6,
        toy,
      );
    const [affine, residual, unaligned] = [
      await run({ align: 'time' }),
      await run({ align: 'time', mode: 'residual' }),
      await run({}),
    ];
    affine.forEach((outcome, i) => {
      expect(relativeError(outcome.x, residual[i]!.x)).toBeLessThan(1e-5);
      expect(outcome.refreshed).toBe(i % 3 === 0);
    });
    expect(relativeError(affine[1]!.x, unaligned[1]!.x)).toBeGreaterThan(1e-3);
  });

  it('reuses for each moment what the refresh had for it', async () => {
    // With every step reused and all noise alike over the tokens, a chunk is its refresh moved along the horizon.
    const expert = new ToyExpert({ horizon: HORIZON });
    const episode = new ToyEpisode(expert, 'c3ache');
    const settings = {
      refresh_interval: 0,
      range: [0, 9],
      max_age: 0,
      align: 'time',
      mode: 'affine',
      tail: 'none',
    };
    const chunk = async (number: number, time: number) => {
      const noise = new Float32Array(HORIZON * 3).fill(0.25);
      const context = {
        chunk: number,
        time,
        period: 0.1,
        replanSteps: 1,
        noise,
        proprio: noise,
        latents: noise,
      };
      const outcome = await episode.state.run(
        { ...context, latentShape: [1, 1, 1] },
        settings as never,
        expert,
      );
      episode.state.commit();
      return outcome.x;
    };
    const refresh = await chunk(0, 0);
    for (const e of [1, 2, 5]) {
      expect(relativeError(await chunk(e, e / 10), shiftedTokens(refresh, e, HORIZON))).toBeLessThan(1e-6);
    }
  });

  it('is unaligned where the stored values are alike for all tokens', async () => {
    const runs = ['none', 'time'].map(async (align) => {
      const toy = new ToyExpert({ horizon: HORIZON });
      const expert = new ConstantOverTokens(toy);
      const { state } = new ToyEpisode(toy, 'c3ache');
      const settings = {
        refresh_interval: 0,
        range: [0, 6],
        max_age: 0,
        align,
        mode: 'affine',
        tail: 'none',
      };
      let x = new Float32Array(0);
      for (let chunk = 0; chunk < 3; chunk++) {
        const noise = Float32Array.from({ length: HORIZON * 3 }, (_, i) => Math.sin(i + chunk));
        const context = {
          chunk,
          time: chunk / 5,
          period: 0.1,
          replanSteps: 1,
          noise,
          proprio: noise,
          latents: noise,
        };
        const outcome = await state.run({ ...context, latentShape: [1, 1, 1] }, settings as never, expert);
        state.commit();
        x = Float32Array.from(outcome.x);
      }
      return x;
    });
    const [unaligned, aligned] = await Promise.all(runs);
    expect(relativeError(aligned!, unaligned!)).toBeLessThan(1e-6);
  });
});

/** Gives velocities v = x A^T + D_k with one D_k for all tokens. */
class ConstantOverTokens implements Expert {
  readonly shape;
  readonly schedule;
  readonly encoder;
  readonly head;
  readonly A;

  constructor({ shape, schedule, encoder, head, A }: ToyExpert) {
    this.shape = shape;
    this.schedule = schedule;
    this.encoder = encoder;
    this.head = head;
    this.A = A;
  }

  step = (index: number) => plainStep(this.schedule, index);
  probe = () => Promise.reject(new Error('not asked for'));
  resume = () => Promise.reject(new Error('not asked for'));
  scheduledSteps = () => Promise.reject(new Error('not asked for'));
  gatedSteps = () => Promise.reject(new Error('not asked for'));

  fullSteps(...[start, steps]: Parameters<Expert['fullSteps']>): Promise<FullRun> {
    const { actionDim } = this.shape;
    const [xs, vs]: [number[], number[]] = [[], []];
    let x = start;
    for (const { index, before } of steps) {
      const row = (
        values: Float32Array,
        token: number,
        map: ArrayLike<number>,
        column: number,
        byRow: boolean,
      ) => {
        let sum = 0;
        for (let m = 0; m < actionDim; m++) {
          sum += values[token + m]! * map[byRow ? m * actionDim + column : column * actionDim + m]!;
        }
        return sum;
      };
      const at = x;
      if (before)
        x = at.map((_, i) => row(at, i - (i % actionDim), before.P, i % actionDim, true) + before.q[i]!);
      const now = x;
      const v = now.map(
        (_, i) =>
          row(now, i - (i % actionDim), this.A, i % actionDim, false) + Math.cos(index + (i % actionDim)),
      );
      xs.push(...now);
      vs.push(...v);
      x = now.map((value, i) => value + this.schedule.delta[index]! * v[i]!);
    }
    return Promise.resolve({ x, xs: Float32Array.from(xs), vs: Float32Array.from(vs) });
  }
}
