import { describe, expect, it } from 'vitest';
import type { PolicySettings } from '../../src/cache/choice';
import { ChunkDiscarded, InputError, OutsideLimits, PictureRefused } from '../../src/errors';
import type { SampleResult } from '../../src/observation/ObservationBuffer';
import type { Stamped } from '../../src/observation/History';
import type { RawFrame } from '../../src/observation/RawFrame';
import type { ActionChunk, InferOptions, Observation } from '../../src/policy/types';
import { ChunkProducer } from '../../src/policy/ChunkProducer';
import { RTC_DEFAULTS, rtcSettings } from '../../src/settings/rtc';
import type { ChunkConditions, ProducedChunk } from '../../src/policy/ChunkProducer';
import { DEFAULT_SETTINGS } from '../helpers';
import { fakeChunk } from './fakeChunk';

/** An episode whose chunks are finished by the test, one at a time, and reset as the real one does. */
class FakeEpisode {
  readonly asked: {
    observation: Observation;
    settings: PolicySettings;
    rtc: InferOptions['rtc'];
  }[] = [];
  episode = 0;
  chunk = 0;
  #refuseLimited = false;
  #open: { resolve: (chunk: ActionChunk) => void; reject: (error: Error) => void } | undefined;

  infer = (
    observation: Observation,
    settings: PolicySettings,
    { refuseLimited = false, rtc }: InferOptions = {},
  ): Promise<ActionChunk> => {
    this.#refuseLimited = refuseLimited;
    this.asked.push({ observation, settings, rtc });
    return new Promise((resolve, reject) => {
      this.#open = { resolve, reject };
    });
  };

  reset = (): Promise<void> => {
    if (this.chunk > 0) this.episode += 1;
    this.chunk = 0;
    this.#open?.reject(new ChunkDiscarded('reset'));
    this.#open = undefined;
    return Promise.resolve();
  };

  finish(parts: Partial<ActionChunk> = {}): void {
    if (!this.#open) return;
    if (this.#refuseLimited && (parts.clamped ?? 0) > 0) {
      this.#open.reject(new OutsideLimits(`${parts.clamped} values`));
      this.#open = undefined;
      return;
    }
    this.#open.resolve(fakeChunk({ episode: this.episode, chunk: this.chunk++, ...parts }));
    this.#open = undefined;
  }

  fail(error: Error | string): void {
    this.#open?.reject(typeof error === 'string' ? new InputError(error) : error);
    this.#open = undefined;
  }
}

/** Lets promises that are ready run on. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp() {
  const episode = new FakeEpisode();
  const published: ProducedChunk[] = [];
  const problems: string[] = [];
  const takenBack: [string, bigint][] = [];
  const world = {
    now: 0n,
    heldSince: undefined as number | undefined,
    refused: false,
    frames: new Map<string, Stamped<RawFrame>>(),
    doubts: [] as string[],
    conditions: {
      settings: DEFAULT_SETTINGS,
      rtc: RTC_DEFAULTS,
      period: 0.1,
      replanSteps: 5,
      instruction: 'go',
      refuseLimited: false,
      maxFrozen: 0,
    } as ChunkConditions | string,
  };
  const producer = new ChunkProducer({
    episode: episode,
    now: () => world.now,
    observe: (time): SampleResult<RawFrame> =>
      world.refused
        ? { kind: 'refused', refusals: [{ kind: 'stale', source: 'front', message: 'front is old' }] }
        : {
            kind: 'sampled',
            sources: {
              time,
              stamp: time,
              frames: world.frames,
              proprio: new Float64Array(2),
              ages: [],
              skew: 0,
              doubts: world.doubts,
            },
          },
    takeBack: (camera, stamp) => takenBack.push([camera, stamp]),
    heldSince: () => world.heldSince,
    conditions: () => world.conditions,
    publish: (produced) => published.push(produced),
    onProblem: (kind) => problems.push(kind),
  });
  /** One control step of 0.1 s. */
  const step = async (count = 1): Promise<void> => {
    for (let i = 0; i < count; i++) {
      world.now += 100_000_000n;
      producer.tick();
      await settle();
    }
  };
  return { episode, published, problems, takenBack, world, producer, step };
}

describe('the production of chunks', () => {
  it('begins a chunk every replan_steps control steps', async () => {
    const { episode, published, producer, step } = setUp();
    await producer.start();
    for (let i = 0; i < 11; i++) {
      await step();
      episode.finish();
      await settle();
    }
    // steps 1, 6 and 11
    expect(published.map(({ chunk }) => chunk.chunk)).toEqual([0, 1, 2]);
    expect(producer.counts.late).toBe(0);
  });

  it('does not begin another while one is under way, counts it once as late, and goes on at once', async () => {
    const { episode, producer, step } = setUp();
    await producer.start();
    await step(9);
    expect(episode.asked).toHaveLength(1);
    expect(producer.counts.late).toBe(1);
    episode.finish();
    await settle();
    expect(episode.asked).toHaveLength(2);
  });

  it('says how a chunk is to continue the one before: by the measured delay, and since when the robot was held', async () => {
    const { episode, producer, step, world } = setUp();
    const rtc = rtcSettings({ enabled: true });
    world.conditions = { ...(world.conditions as ChunkConditions), rtc };
    await producer.start();
    for (let chunk = 0; chunk < 3; chunk++) {
      await step(5 - (chunk === 0 ? 4 : 0));
      // 0.23 s after the observation; the first chunk after loading does not count
      world.now += 230_000_000n;
      episode.finish();
      await settle();
      world.now -= 230_000_000n;
      world.heldSince = 0.4;
    }
    expect(episode.asked.map(({ rtc: asked }) => asked)).toEqual([
      { settings: rtc },
      { settings: rtc, heldSince: 0.4 },
      { settings: rtc, measuredDelay: 3, heldSince: 0.4 },
    ]);
  });

  it('tries again at every control step while the observation does not allow a chunk', async () => {
    const { episode, producer, step, world, problems } = setUp();
    await producer.start();
    world.refused = true;
    await step(3);
    expect(problems).toEqual(['stale front', 'stale front', 'stale front']);
    expect(producer.counts.withoutObservation).toBe(3);
    world.refused = false;
    await step();
    expect(episode.asked).toHaveLength(1);
    expect(producer.refusals).toEqual([]);
  });

  it('publishes nothing after it was stopped, and nothing of an episode that has ended', async () => {
    const { episode, published, producer, step } = setUp();
    await producer.start();
    await step();
    producer.stop();
    episode.finish();
    await settle();
    expect(published).toEqual([]);
    expect(producer.counts.discarded).toBe(1);

    await producer.start();
    await step();
    await producer.reset();
    await settle();
    expect(producer.counts.discarded).toBe(2);
    expect(producer.failure).toBeUndefined();
    await step();
    episode.finish();
    await settle();
    expect(published.map(({ chunk }) => chunk.chunk)).toEqual([0]);
  });

  it('holds the conditions of a chunk from its beginning to its end', async () => {
    const { episode, published, producer, step, world } = setUp();
    await producer.start();
    await step();
    const before = world.conditions;
    world.conditions = { ...(before as ChunkConditions), replanSteps: 7, period: 0.2 };
    episode.finish();
    await settle();
    expect(published[0]!.conditions).toBe(before);
  });

  it('answers requests one after another, and says why there is no chunk', async () => {
    const { episode, producer, world } = setUp();
    expect(await producer.request()).toEqual({ produced: undefined, problem: 'the node is not active' });
    await producer.start();
    const [first, second] = [producer.request(), producer.request()];
    await settle();
    expect(episode.asked).toHaveLength(1);
    episode.finish();
    await settle();
    episode.finish();
    expect((await first).produced?.chunk.chunk).toBe(0);
    expect((await second).produced?.chunk.chunk).toBe(1);
    world.conditions = 'no instruction yet';
    expect(await producer.request()).toMatchObject({ problem: 'no instruction yet' });
  });

  it('keeps from the robot what is not finite, and what was cut if that is to be refused', async () => {
    const { episode, published, producer, step, world } = setUp();
    await producer.start();
    await step();
    episode.finish({ actions: Float32Array.of(0, Number.NaN) });
    await settle();
    expect(published).toEqual([]);
    expect(producer.failure).toMatch(/not finite/);

    world.conditions = { ...(world.conditions as ChunkConditions), refuseLimited: true };
    await step(5);
    episode.finish({ clamped: 2 });
    await settle();
    expect([published.length, producer.counts.limited]).toEqual([0, 1]);

    world.conditions = { ...world.conditions, refuseLimited: false };
    await step(5);
    episode.finish({ clamped: 2 });
    await settle();
    expect([published.length, producer.counts.clamped]).toEqual([1, 2]);
    // the refused one has not used up a number
    expect(published[0]!.chunk.chunk).toBe(1);
    expect(producer.failure).toBeUndefined();
  });

  it('survives a failed chunk and makes the next one when it is due', async () => {
    const { episode, producer, step } = setUp();
    await producer.start();
    await step();
    episode.fail('camera front: rgb9 is not an encoding');
    await settle();
    expect(producer.failure).toMatch(/rgb9/);
    await step(5);
    expect(episode.asked).toHaveLength(2);
  });

  it('answers whoever waits for a chunk as soon as nobody will get it, and goes on', async () => {
    const { episode, producer, published } = setUp();
    await producer.start();
    // The model is never done with either of these two.
    const first = producer.request();
    await settle();
    await producer.reset();
    expect(await first).toEqual({
      produced: undefined,
      problem: 'the episode was reset while this chunk was computed',
    });
    const second = producer.request();
    await settle();
    producer.stop();
    expect(await second).toEqual({
      produced: undefined,
      problem: 'the node was deactivated while this chunk was computed',
    });
    expect([producer.busy, producer.counts.discarded]).toEqual([false, 2]);

    await producer.start();
    const third = producer.request();
    await settle();
    episode.finish();
    expect((await third).produced?.chunk.chunk).toBe(0);
    expect(published).toHaveLength(1);
  });

  it('takes a picture that cannot be acted on for an observation that is refused, and looks again at every step', async () => {
    const { episode, producer, problems, step } = setUp();
    await producer.start();
    await step();
    episode.fail(new PictureRefused('frozen', 'front', 'front has repeated the same picture'));
    await settle();
    expect(producer.refusals).toEqual([
      { kind: 'frozen', source: 'front', message: 'front has repeated the same picture' },
    ]);
    expect(producer.counts).toMatchObject({ frozen: 1, withoutObservation: 1, failed: 0 });
    await step();
    expect(episode.asked).toHaveLength(2);
    episode.finish({
      still: [{ camera: 'front', seconds: 1, refused: false, message: 'front stands still' }],
    });
    await settle();
    expect(producer.refusals).toEqual([]);
    expect(problems).toEqual(['frozen front', 'still front']);
  });

  it('hands back a frame that cannot be decoded and goes on with what is there without it', async () => {
    const { episode, producer, problems, takenBack, published, world, step } = setUp();
    world.frames = new Map([['front', { stamp: 7n, value: {} as RawFrame }]]);
    world.doubts = ['x is 1e30 m'];
    await producer.start();
    await step();
    episode.fail(new PictureRefused('undecodable', 'front', 'camera front: a jpeg of 3 bytes'));
    await settle();
    expect(takenBack).toEqual([['front', 7n]]);
    episode.finish();
    await settle();
    expect(published).toHaveLength(1);
    expect(problems).toEqual(['undecodable front', 'doubt']);
    expect(producer.counts).toMatchObject({ produced: 1, withoutObservation: 0, failed: 0 });
    // Where nothing is left without it, that is what is said.
    await step(4);
    await step();
    world.refused = true;
    episode.fail(new PictureRefused('undecodable', 'front', 'camera front: a jpeg of 3 bytes'));
    await settle();
    expect(producer.counts).toMatchObject({ produced: 1, withoutObservation: 1 });
    expect(producer.refusals).toEqual([expect.objectContaining({ kind: 'stale' })]);
  });
});
