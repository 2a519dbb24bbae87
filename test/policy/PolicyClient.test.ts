import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChunkDiscarded, InputError, ProviderError, UsageError } from '../../src/errors';
import { PolicyClient } from '../../src/policy/PolicyClient';
import { RecordedInputs } from '../../src/policy/recordedEpisode';
import type { Observation } from '../../src/policy/types';
import type { PolicySettings } from '../../src/cache/choice';
import { DEFAULT_SETTINGS, goldenCase, relativeError, removeFolders } from '../helpers';
import type { GoldenCase } from '../helpers';

const UNCACHED: PolicySettings = { ...DEFAULT_SETTINGS, policy: 'none' };

describe('the policy in its worker thread', () => {
  let golden: GoldenCase;
  let client: PolicyClient;
  let observations: Observation[];

  beforeAll(async () => {
    golden = goldenCase('robotwin_micro');
    client = await PolicyClient.load(golden.folder, { execution: { threads: 1 } });
    const inputs = new RecordedInputs(golden.inputs, golden.bundle);
    observations = Array.from({ length: inputs.chunks }, (_, c) => inputs.observation(c, golden.task));
  });
  afterAll(async () => {
    await client.close();
    removeFolders();
  });

  it('computes the golden actions and numbers the chunks', async () => {
    const episode = await client.createEpisode();
    for (const [c, observation] of observations.entries()) {
      const chunk = await episode.infer(observation, UNCACHED);
      expect([chunk.episode, chunk.chunk]).toEqual([0, c]);
      expect(relativeError(chunk.actions, golden.tensor(`chunk${c}.action`))).toBeLessThan(5e-6);
    }
  });

  it('discards the chunk in flight at a reset, and uses its number again', async () => {
    const episode = await client.createEpisode();
    await episode.infer(observations[0]!, UNCACHED);
    const inFlight = episode.infer(observations[1]!, UNCACHED);
    const reset = episode.reset();
    await expect(inFlight).rejects.toThrow(ChunkDiscarded);
    await reset;
    const next = await episode.infer(observations[0]!, UNCACHED);
    expect([next.episode, next.chunk]).toEqual([1, 0]);
  });

  it('discards a chunk that the worker had finished before it heard of the reset', async () => {
    const episode = await client.createEpisode();
    await episode.infer(observations[0]!, UNCACHED);
    const inFlight = episode.infer(observations[1]!, UNCACHED);
    // This thread sleeps, so that the finished chunk waits unread when the reset comes.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    const reset = episode.reset();
    await expect(inFlight).rejects.toThrow(ChunkDiscarded);
    await reset;
    const next = await episode.infer(observations[0]!, UNCACHED);
    expect([next.episode, next.chunk]).toEqual([1, 0]);
  });

  it('gives two interleaved episodes the chunks of two sequential ones', async () => {
    const settings: PolicySettings = { ...DEFAULT_SETTINGS, values: { refresh_interval: 2 } };
    const alone = async (order: readonly number[]) => {
      const episode = await client.createEpisode();
      const chunks = [];
      for (const c of order) chunks.push((await episode.infer(observations[c]!, settings)).actions);
      return chunks;
    };
    const [forwards, backwards] = [await alone([0, 1, 2, 3]), await alone([3, 2, 1, 0])];
    const [a, b] = [await client.createEpisode(), await client.createEpisode()];
    for (let c = 0; c < 4; c++) {
      expect((await a.infer(observations[c]!, settings)).actions).toEqual(forwards[c]);
      expect((await b.infer(observations[3 - c]!, settings)).actions).toEqual(backwards[c]);
    }
  });

  it('empties the cache within the episode when policy or sampler change, and says why', async () => {
    const episode = await client.createEpisode();
    const report = async (settings: PolicySettings) => {
      const { chunk, report } = await episode.infer(observations[0]!, settings);
      return `${chunk} ${report.refreshed ? report.reason : 'reused'}`;
    };
    expect(await report(UNCACHED)).toBe('0 reused');
    expect(await report(DEFAULT_SETTINGS)).toBe('1 policy_changed');
    expect(await report(DEFAULT_SETTINGS)).toBe('2 reused');
    expect(await report({ ...DEFAULT_SETTINGS, seed: 7 })).toBe('3 sampler_changed');
    expect(await report({ ...DEFAULT_SETTINGS, seed: 7, values: { refresh_interval: 1 } })).toBe(
      '4 interval',
    );
  });

  it('starts a new episode at a new instruction only after checking that it is known', async () => {
    const episode = await client.createEpisode();
    await episode.infer(observations[0]!, UNCACHED);
    const unknown = { ...observations[1]!, instruction: 'dance' };
    await expect(episode.infer(unknown, UNCACHED)).rejects.toThrow(/unknown instruction "dance"/);
    expect((await episode.infer(observations[1]!, UNCACHED)).chunk).toBe(1);
  });

  it.each<[string, (o: Observation) => Observation, PolicySettings, new (m: string) => Error, RegExp]>([
    [
      'NaN',
      (o) => ({ ...o, proprio: [Number.NaN, ...Array.from(o.proprio).slice(1)] }),
      UNCACHED,
      InputError,
      /proprio_0 is NaN/,
    ],
    [
      'short proprioception',
      (o) => ({ ...o, proprio: [1] }),
      UNCACHED,
      InputError,
      /expected 14 values, got 1/,
    ],
    ['a wrong image', (o) => ({ ...o, image: new Uint8Array(3) }), UNCACHED, InputError, /expected 96x64x3/],
    ['an unknown policy', (o) => o, { ...UNCACHED, policy: 'c3cache' }, UsageError, /did you mean "c3ache"/],
    [
      'a range beyond the steps',
      (o) => o,
      { ...DEFAULT_SETTINGS, values: { range: [3, 12] } },
      UsageError,
      /range \[3, 12\]: end must be at most 9, the sampler takes 10 steps/,
    ],
  ])('refuses %s in one sentence and goes on', async (_, change, settings, kind, message) => {
    const episode = await client.createEpisode();
    const refused = episode.infer(change(observations[0]!), settings);
    await expect(refused).rejects.toThrow(kind);
    await expect(refused).rejects.toThrow(message);
    expect((await episode.infer(observations[0]!, UNCACHED)).chunk).toBe(0);
  });

  it('loads what a policy needs before its first chunk when asked to', async () => {
    const own = await PolicyClient.load(golden.folder);
    const gated = { ...UNCACHED, policy: 'x_cache' };
    expect([own.serves(UNCACHED), own.serves(gated)]).toEqual([true, false]);
    const loading = own.prepare(gated);
    expect(own.serves(gated), 'while it is loaded, it need not be asked for again').toBe(true);
    expect(await loading).toBeGreaterThan(0);
    expect([own.serves(UNCACHED), own.serves(gated)]).toEqual([true, true]);
    const episode = await own.createEpisode();
    expect((await episode.infer(observations[0]!, gated)).report.policy).toBe('x_cache');
    await own.close();
  });

  it('leaves the event loop to others while chunks are computed', async () => {
    const episode = await client.createEpisode();
    let turns = 0;
    let computing = true;
    const turn = (): void => {
      turns++;
      if (computing) setImmediate(turn);
    };
    turn();
    const chunks = 20;
    for (let i = 0; i < chunks; i++) await episode.infer(observations[0]!, UNCACHED);
    computing = false;
    // A loop that waits for inference turns a few times for each chunk; a free one turns all the time.
    expect(turns).toBeGreaterThan(25 * chunks);
  });

  it('refuses calls after it was closed', async () => {
    const other = await PolicyClient.load(golden.folder, { execution: { threads: 1 } });
    const episode = await other.createEpisode();
    const inFlight = episode.infer(observations[0]!, UNCACHED);
    await other.close();
    // The run in progress finished: ending the thread during one would abort the process.
    expect((await inFlight).chunk).toBe(0);
    await expect(episode.infer(observations[0]!, UNCACHED)).rejects.toThrow('the policy is closed');
  });

  it('says in one sentence why a provider cannot start, and never falls back silently', async () => {
    const cuda = PolicyClient.load(golden.folder, { execution: { provider: 'cuda' } });
    await cuda.then(
      (loaded) => loaded.close(), // a machine with a GPU
      (error: unknown) => {
        expect(error).toBeInstanceOf(ProviderError);
        expect((error as Error).message).toMatch(
          /^execution.provider cuda cannot start on device 0: .*; (run|install) /,
        );
      },
    );
    const auto = await PolicyClient.load(golden.folder, { execution: { provider: 'auto' } });
    if (auto.loaded.provider === 'cpu') expect(auto.loaded.notices.join()).toMatch(/auto runs on the CPU/);
    await auto.close();
  });

  it('grows by less than 10 MB over 2,000 chunks after 200 to warm up', () => {
    const script = join(__dirname, 'memoryGrowth.ts');
    const run = spawnSync(
      process.execPath,
      [
        '--expose-gc',
        '-r',
        'ts-node/register/transpile-only',
        script,
        golden.folder,
        golden.inputs,
        golden.task,
      ],
      {
        encoding: 'utf8',
      },
    );
    expect(run.stderr).toBe('');
    const growth = JSON.parse(run.stdout) as { megabytes: number; held: number };
    expect(growth.megabytes).toBeLessThan(10);
    expect(growth.held).toBeLessThan(10);
  }, 300_000);
});
