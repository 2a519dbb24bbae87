import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PolicySettings } from '../../src/cache/choice';
import type { Bundle } from '../../src/bundle/Bundle';
import { InputError, UsageError } from '../../src/errors';
import type { ActionChunk, Observation } from '../../src/policy/types';
import { LiveLoop, type ChunkStream } from '../../src/watch/LiveLoop';
import type { Snapshot, WatchEvents } from '../../src/watch/messages';
import { removeFolders } from '../helpers';
import { fakeChunk } from '../policy/fakeChunk';
import { tabletopBundle } from './tabletopBundle';

/** Stands still and refreshes every chunk; remembers what it was asked with. */
class FakeStream implements ChunkStream {
  readonly asked: PolicySettings[] = [];
  failure: Error | undefined;
  #chunk = 0;

  reset(): Promise<void> {
    this.#chunk = 0;
    return Promise.resolve();
  }

  infer({ stamp, instruction }: Observation, settings: PolicySettings): Promise<ActionChunk> {
    if (this.failure) return Promise.reject(this.failure);
    this.asked.push(settings);
    return Promise.resolve(
      fakeChunk({ chunk: this.#chunk++, instruction, stamp, actions: new Float32Array(32 * 3) }),
    );
  }
}

describe('The live loop', () => {
  let bundle: Bundle;
  let loop: LiveLoop;
  let stream: FakeStream;
  let running: Promise<void>;
  let waiting: { readonly holds: () => boolean; readonly resolve: () => void }[] = [];

  beforeAll(() => {
    bundle = tabletopBundle('object');
  });
  afterAll(removeFolders);

  beforeEach(() => {
    stream = new FakeStream();
    loop = new LiveLoop({
      bundle,
      settings: { policy: 'c3ache', values: { refresh_interval: '4', range: '0:6' }, noise: 'fixed' },
      choice: { suite: 'all', speed: 'fast', condition: 'clean', seed: 1 },
      noiseSeed: 42,
      pace: 0,
      paused: true,
    });
    loop.listener = () => {
      const met = waiting.filter(({ holds }) => holds());
      waiting = waiting.filter((one) => !met.includes(one));
      met.forEach(({ resolve }) => resolve());
    };
    loop.attended = true;
    running = loop.run(stream);
  });
  afterEach(async () => {
    waiting = [];
    loop.stop();
    await running;
  });

  /** Waits until a snapshot fits. */
  const until = (fits: (now: Snapshot) => boolean): Promise<void> =>
    new Promise((resolve) => {
      const holds = (): boolean => fits(loop.snapshot());
      if (holds()) resolve();
      else waiting.push({ holds, resolve });
    });
  const atStep = (step: number): Promise<void> => until(({ world }) => world?.step === step);

  it('waits paused before the first step, and shows the world it will begin in', async () => {
    await atStep(0);
    const { world, instruction, suite, stepLimit, chunks } = loop.snapshot();
    expect(Buffer.from(world!.frame, 'base64')).toHaveLength(64 * 128);
    expect([instruction, suite]).toEqual(['pick up the red block and place it on the white plate', 'object']);
    // fast, clean, one pair
    expect(stepLimit).toBe(110);
    expect(chunks).toEqual([]);
  });

  it('takes single steps, and whole chunks from wherever it is', async () => {
    await atStep(0);
    loop.control({ do: 'step' });
    await atStep(1);
    loop.control({ do: 'chunk' });
    await atStep(10);
    expect(stream.asked).toHaveLength(1);
    loop.control({ do: 'chunk' });
    await atStep(20);
    expect(loop.snapshot().chunks.map(({ chunk }) => chunk)).toEqual([0, 1]);
  });

  it('computes the next chunk with new settings, and the running one with the old', async () => {
    await atStep(0);
    loop.control({ do: 'step' });
    await atStep(1);
    loop.control({ do: 'settings', policy: 'c3ache', values: { refresh_interval: '8' }, noise: 'fresh' });
    expect(loop.snapshot().configuration).toBe('c3ache R=8 [0,6], fresh noise');
    loop.control({ do: 'chunk' });
    await atStep(10);
    loop.control({ do: 'step' });
    await atStep(11);
    expect(loop.snapshot().chunks.map(({ configuration }) => configuration)).toEqual([
      'c3ache R=4 [0,6]',
      'c3ache R=8 [0,6], fresh noise',
    ]);
    expect(stream.asked.map(({ values, noise }) => [values['refresh_interval'], noise])).toEqual([
      [4, 'fixed'],
      [8, 'fresh'],
    ]);
  });

  it('runs the policy that takes over the tail with the settings that it was given', async () => {
    await atStep(0);
    const values = { range: '0:4', tail: 'worldcache_ht', 'worldcache_ht.max_predicted': '3' };
    loop.control({ do: 'settings', policy: 'c3ache', values, noise: 'fixed' });
    expect(loop.snapshot()).toMatchObject({
      configuration: 'c3ache R=4 [0,4] tail=worldcache_ht worldcache_ht.max_predicted=3',
      settings: { values },
    });
    loop.control({ do: 'chunk' });
    await atStep(10);
    loop.control({ do: 'step' });
    await atStep(11);
    expect(stream.asked.at(-1)).toMatchObject({
      values: { tail: 'worldcache_ht' },
      companions: { worldcache_ht: { max_predicted: 3 } },
    });
  });

  it('refuses settings with the sentences of the command line, and keeps the old ones', async () => {
    await atStep(0);
    const refused = (values: Record<string, string>, policy = 'c3ache'): (() => void) => {
      return () => loop.control({ do: 'settings', policy, values, noise: 'fixed' });
    };
    expect(refused({ range: '9:6' })).toThrow('range [9, 6]: start must be at most end, which is 6');
    expect(refused({ range: '0:10' })).toThrow(/end must be at most 9/);
    expect(refused({ refresh_interval: '-1' })).toThrow(/expected a whole number from 0/);
    expect(refused({ refresh_intervall: '1' })).toThrow(/did you mean "refresh_interval"/);
    expect(refused({}, 'c3ach')).toThrow(/did you mean "c3ache"/);
    // the bundle has no schedule for it
    expect(refused({}, 'bac')).toThrow(InputError);
    expect(loop.snapshot().configuration).toBe('c3ache R=4 [0,6]');
  });

  it.each([
    ['no object', null],
    ['an unknown wish', { do: 'explode' }],
    ['a wish with more in it', { do: 'pause', and: 'more' }],
    ['a pace that is not offered', { do: 'pace', pace: 1e9 }],
    ['a seed that is none', { do: 'world', suite: 'all', speed: 'slow', condition: 'clean', seed: -1 }],
    [
      'settings that are no text',
      { do: 'settings', policy: 'c3ache', values: { range: [0, 6] }, noise: 'fixed' },
    ],
  ])('refuses %s', (_, json) => {
    expect(() => loop.control(json)).toThrow(InputError);
  });

  it('begins anew in another world, and names the suites it could show', async () => {
    await atStep(0);
    loop.control({ do: 'step' });
    await atStep(1);
    const world = { do: 'world', suite: 'object', speed: 'slow', condition: 'random', seed: 7 };
    expect(() => loop.control({ ...world, suite: 'long' })).toThrow(UsageError);
    expect(() => loop.control({ ...world, suite: 'long' })).toThrow(/it knows object$/);
    loop.control(world);
    await until(({ world: now }) => now?.episode === 1 && now.step === 0);
    // slow, random, one pair
    expect(loop.snapshot()).toMatchObject({ stepLimit: 330, worldName: 'object, slow, random, seed 7' });
    expect(loop.snapshot().tally).toEqual([]);
  });

  it('counts whole episodes by what they ran with, and none that was broken off', async () => {
    await atStep(0);
    loop.control({ do: 'next' });
    await until(({ world }) => world?.episode === 1);
    loop.control({ do: 'resume' });
    await until(({ lastEpisode }) => lastEpisode?.episode === 2);
    loop.control({ do: 'pause' });
    // Who stands still runs to the limit: 110 steps, 11 chunks of 10 stacks and 20 ms.
    const [row] = loop.snapshot().tally;
    expect(row).toMatchObject({
      configuration: 'c3ache R=4 [0,6]',
      world: 'all suites, fast, clean, seed 1',
      successes: 0,
      chunksPerEpisode: 11,
      stacksPerChunk: 10,
      stacksPerEpisode: 110,
    });
    expect(row!.millisecondsPerChunk).toBeCloseTo(20, 9);
    expect(row!.episodes).toBeGreaterThanOrEqual(2);
    loop.control({ do: 'forget' });
    expect(loop.snapshot().tally).toEqual([]);
  });

  it('gives an episode whose settings changed on the way a line of its own', async () => {
    await atStep(0);
    loop.control({ do: 'chunk' });
    await atStep(10);
    loop.control({ do: 'settings', policy: 'none', values: {}, noise: 'fixed' });
    loop.control({ do: 'resume' });
    await until(({ lastEpisode }) => lastEpisode?.episode === 0);
    expect(loop.snapshot().tally.map(({ configuration }) => configuration)).toContain(
      'settings changed on the way',
    );
  });

  it('says why it stopped when a chunk fails, and goes on when told to', async () => {
    await atStep(0);
    stream.failure = new InputError('the schedule went away');
    loop.control({ do: 'resume' });
    await until(({ problem }) => problem !== '');
    expect(loop.snapshot()).toMatchObject({ problem: 'the schedule went away', paused: true });
    stream.failure = undefined;
    loop.control({ do: 'resume' });
    await until(({ lastEpisode }) => lastEpisode !== null);
    expect(loop.snapshot().problem).toBe('');
  });

  it('tells of every chunk once, in order, with actions by dimension', async () => {
    const told: WatchEvents['chunk'][] = [];
    const { listener } = loop;
    loop.listener = (event, message) => {
      if (event === 'chunk') told.push(message as WatchEvents['chunk']);
      listener(event, message);
    };
    await atStep(0);
    for (const step of [10, 20, 30]) {
      loop.control({ do: 'chunk' });
      await atStep(step);
    }
    expect(told.map(({ chunk }) => chunk.id)).toEqual([0, 1, 2]);
    expect(told[0]!.plan.actions.map((column) => column.length)).toEqual([32, 32, 32]);
    expect(told[0]!.chunk.times).toEqual({ decode: 0, vae: 1, prefill: 2, expert: 10, total: 20 });
    expect(loop.snapshot().planBefore!.id).toBe(1);
  });
});
