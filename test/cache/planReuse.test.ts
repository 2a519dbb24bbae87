import { describe, expect, it } from 'vitest';
import { shiftedTokens } from '../../src/cache/alignment';
import type { ChunkOutcome } from '../../src/cache/types';
import { ToyExpert } from './ToyExpert';
import { ToyEpisode, companion } from './runEpisode';
import type { ToyChunk } from './runEpisode';

const HORIZON = 8;
const REPLAN = 2;
const toyExpert = () => new ToyExpert({ horizon: HORIZON });
/** Chunks at 10 Hz, two actions apart. */
const onTime = (chunk: number): Partial<ToyChunk> => ({
  time: (chunk * REPLAN) / 10,
  period: 0.1,
  replanSteps: REPLAN,
});
const reasons = (outcomes: readonly ChunkOutcome[]) => outcomes.map(({ reason }) => reason);

describe('plan_reuse', () => {
  it('with max_consecutive 0 is its base, to the report', async () => {
    for (const base of ['none', 'c3ache', 'few_steps']) {
      const expert = toyExpert();
      const companions = base === 'none' ? {} : companion(base, {}, expert);
      const plain = await new ToyEpisode(expert, base).chunks(6, onTime);
      const given = { base, max_consecutive: 0 };
      const own = await new ToyEpisode(expert, 'plan_reuse', given).chunks(6, (chunk) => ({
        ...onTime(chunk),
        companions,
      }));
      own.forEach((outcome, i) => {
        expect(outcome.x).toEqual(plain[i]!.x);
        expect(reasons(own)).toEqual(reasons(plain));
      });
    }
  });

  it('goes on with the plan for at most so many chunks in a row, and computes nothing meanwhile', async () => {
    for (const max_consecutive of [1, 2, 3]) {
      const expert = toyExpert();
      const outcomes = await new ToyEpisode(expert, 'plan_reuse', { max_consecutive }).chunks(9, onTime);
      // a plan of 8 actions reaches over at most 4 chunks of 2
      const every = max_consecutive + 1;
      outcomes.forEach((outcome, chunk) => {
        const made = outcomes[chunk - (chunk % every)]!;
        const later = (chunk % every) * REPLAN;
        expect(outcome.x).toEqual(shiftedTokens(made.x, later, HORIZON));
        expect(outcome.stackEvaluations).toBe(later === 0 ? 10 : 0);
        expect(outcome.refreshed).toBe(later === 0);
      });
      const computed = Math.ceil(9 / every);
      expect(expert.counts).toEqual({ calls: computed, subBlocks: computed * 10 * 3 * expert.shape.layers });
      expect(outcomes[every]!.reason).toBe('max_consecutive');
    }
  });

  it('computes where the plan is too short for what will be executed', async () => {
    const long = (chunk: number) => ({ time: chunk / 2, period: 0.1, replanSteps: 5 });
    const outcomes = await new ToyEpisode(toyExpert(), 'plan_reuse').chunks(3, long);
    expect(reasons(outcomes)).toEqual(['first_chunk', 'horizon', 'horizon']);
  });

  it('computes where time stands still, goes back or leaps', async () => {
    for (const [time, reason] of [
      [0, 'time_jump'],
      [-3, 'time_jump'],
      [40, 'horizon'],
    ] as const) {
      const episode = new ToyEpisode(toyExpert(), 'plan_reuse');
      await episode.chunk({ chunk: 0, ...onTime(0) });
      expect((await episode.chunk({ chunk: 1, ...onTime(1), time })).reason).toBe(reason);
    }
  });

  it('computes where a gripper switches among the actions that matter, and only there', async () => {
    // Executed so far and to be executed next: actions 0 to 3 of 8.
    for (let at = 1; at < HORIZON; at++) {
      const sides = () => [Uint8Array.from({ length: HORIZON }, (_, token) => Number(token >= at))];
      const episode = new ToyEpisode(toyExpert(), 'plan_reuse');
      await episode.chunk({ chunk: 0, ...onTime(0), gripperSides: sides });
      const outcome = await episode.chunk({ chunk: 1, ...onTime(1), gripperSides: sides });
      expect(outcome.reason).toBe(at < 2 * REPLAN ? 'gripper_switch' : '');
    }
  });

  it('computes after a reset or whatever else empties the cache, and with another base', async () => {
    const expert = toyExpert();
    const episode = new ToyEpisode(expert, 'plan_reuse');
    await episode.chunk({ chunk: 0, ...onTime(0) });
    episode.state.clear('sampler_changed');
    expect((await episode.chunk({ chunk: 1, ...onTime(1) })).reason).toBe('sampler_changed');
    episode.given = { base: 'few_steps' };
    const companions = companion('few_steps', {}, expert);
    const changed = await episode.chunk({ chunk: 2, ...onTime(2), companions });
    expect(changed).toMatchObject({ reason: 'policy_changed', stackEvaluations: 2 });
  });

  it('leaves no trace of a chunk that is aborted or thrown away', async () => {
    const expert = toyExpert();
    const companions = companion('c3ache', { refresh_interval: 2 }, expert);
    const toy = (chunk: number) => ({ ...onTime(chunk), companions });
    const given = { base: 'c3ache' };
    const calm = await new ToyEpisode(expert, 'plan_reuse', given).chunks(8, toy);
    const episode = new ToyEpisode(expert, 'plan_reuse', given);
    for (let chunk = 0; chunk < 8; chunk++) {
      expert.failAtStep = 8;
      await episode.attempt({ chunk, ...toy(chunk), observation: 30 }).catch(() => undefined);
      episode.state.discard();
      expert.failAtStep = -1;
      for (const other of [chunk, chunk + 9]) {
        await episode.attempt({ chunk, ...toy(other), observation: 70 });
        episode.state.discard();
      }
      episode.given = { base: 'few_steps' };
      const few = companion('few_steps', {}, expert);
      await episode.attempt({ chunk, ...toy(chunk), companions: few });
      episode.state.discard();
      episode.given = given;
      const outcome = await episode.chunk({ chunk, ...toy(chunk) });
      expect(outcome.x).toEqual(calm[chunk]!.x);
      expect(outcome.reason).toBe(calm[chunk]!.reason);
    }
  });

  it('gives interleaved episodes what each gets alone', async () => {
    const expert = toyExpert();
    const toy = (offset: number) => (chunk: number) => ({ ...onTime(chunk), observation: offset + chunk });
    const expected = [
      await new ToyEpisode(expert, 'plan_reuse').chunks(6, toy(0)),
      await new ToyEpisode(expert, 'plan_reuse').chunks(6, toy(50)),
    ];
    const both = [0, 1].map(() => new ToyEpisode(expert, 'plan_reuse'));
    for (let chunk = 0; chunk < 6; chunk++) {
      for (const [i, episode] of both.entries()) {
        const outcome = await episode.chunk({ chunk, ...toy(50 * i)(chunk) });
        expect(outcome.x).toEqual(expected[i]![chunk]!.x);
      }
    }
  });
});
