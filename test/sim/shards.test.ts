import { execFile } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileFormatError, UsageError } from '../../src/errors';
import { episodeLogText } from '../../src/sim/EpisodeLog';
import type { RunIdentity } from '../../src/sim/episodeRecord';
import { mergeShards, missingSentence } from '../../src/sim/mergeShards';
import { ofShard, readShard, shardsOf } from '../../src/sim/shards';
import { removeFolders, temporaryFolder } from '../helpers';
import { TABLETOP_ROBOT, exportTabletopCheckpoint } from '../tabletop';

const RUN: RunIdentity = {
  format: 'fast-wam-episodes',
  version: 1,
  model: 'abc',
  seed: 0,
  speed: 'slow',
  condition: 'clean',
  suites: ['spatial'],
  noise: 'fixed',
  noise_seed: 42,
  replan_steps: 10,
};

afterAll(removeFolders);

describe('The shards of a run', () => {
  it('have every episode once between them, and equally many', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 40 }), (count, of) => {
        const plans = Array.from({ length: count }, (_, index) => ({ index }));
        const shards = Array.from({ length: of }, (_, i) => ofShard(plans, RUN, { index: i + 1, of }));
        expect(shards.flat().sort((a, b) => a.index - b.index)).toEqual(plans);
        const sizes = shards.map(({ length }) => length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        const episodes = plans.map(({ index }) => index);
        const [plan] = plans;
        const own = shards.findIndex((shard) => plan && shard.includes(plan));
        expect(shardsOf(episodes, RUN, of).get(0)).toBe(own + 1);
      }),
    );
  });

  it.each(['0/4', '5/4', '1', '1/0', 'a/b', '-1/4', '1/4/2', '1.5/4'])('are not %s', (text) => {
    expect(() => readShard(text)).toThrow(UsageError);
  });
});

describe('Merging', () => {
  const engine = { version: '1' };
  const define = (name: string) => ({ define: { name, policy: 'none', settings: {} } });
  const record = (configuration: string, episode: number, changes: object = {}) => ({
    configuration,
    episode,
    task: 0,
    suite: 'spatial',
    success: true,
    steps: 9,
    disturbances: 0,
    refreshes: 'F',
    reasons: { first_chunk: 1 },
    stacks: [10],
    ms: [1.5],
    ...changes,
  });
  const file = (lines: readonly object[]): string => {
    const path = join(temporaryFolder(), 'episodes.jsonl');
    writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return path;
  };
  const shard = (index: number, episodes: readonly number[], changes: Record<string, unknown> = {}): string =>
    file([
      { run: { ...RUN, ...(changes['run'] as object | undefined) } },
      {
        part: {
          shards: [index],
          of: 2,
          episodes: changes['of'] ?? [0, 1, 2],
          engine: changes['engine'] ?? engine,
          machines: [`m${index}`],
        },
      },
      define((changes['name'] as string | undefined) ?? 'none'),
      ...episodes.map((episode) => record('none', episode, changes['record'] as object | undefined)),
    ]);

  it('gives the same whatever the order, how often, and with what was merged before', () => {
    const [one, two] = [shard(1, [1, 2]), shard(2, [0])];
    const text = episodeLogText(mergeShards([one, two]));
    const again = join(temporaryFolder(), 'merged.jsonl');
    writeFileSync(again, text);
    for (const paths of [[two, one], [one, two, one], [again], [again, two], [two, again, one]]) {
      expect(episodeLogText(mergeShards(paths))).toBe(text);
    }
    expect(text).toContain('"machines":["m1","m2"]');
    expect(missingSentence(mergeShards([again]))).toBeUndefined();
  });

  it('keeps one of two runs of an episode that differ in their times alone, and refuses others', () => {
    const one = shard(1, [0]);
    const slower = shard(1, [0], { record: { ms: [9] } });
    expect(episodeLogText(mergeShards([one, slower]))).toBe(episodeLogText(mergeShards([slower, one])));
    expect(() => mergeShards([one, shard(1, [0], { record: { steps: 8 } })])).toThrow(FileFormatError);
  });

  it('names what is missing, and the shards to run again', () => {
    const merged = mergeShards([shard(1, [])]);
    expect(missingSentence(merged)).toMatch(
      /3 episodes are missing: episode 0 of none, .*run again with --resume: --shard 1\/2, 2\/2/,
    );
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['another seed', { run: { seed: 1 } }, /different runs: its seed is [01] in one and [01] in the other/],
    ['another model', { run: { model: 'b' } }, /different runs: its model/],
    ['another version', { engine: { version: '2' } }, /different versions: its version/],
    ['more episodes', { of: [0, 1, 2, 3] }, /the same --episodes/],
    ['another configuration', { name: 'other' }, /only one of them has the configuration/],
  ])('refuses shards of %s', (_, changes, sentence) => {
    expect(() => mergeShards([shard(1, [0]), shard(2, [1], changes)])).toThrow(sentence);
  });

  it('refuses a run that is no shard, and no files', () => {
    expect(() => mergeShards([file([{ run: RUN }])])).toThrow(/a whole run, not a shard/);
    expect(() => mergeShards([])).toThrow(UsageError);
  });
});

describe('Three processes that each do a shard', { timeout: 400_000 }, () => {
  const run = promisify(execFile);
  const MAIN = join(__dirname, '..', '..', 'src', 'cli', 'main.ts');
  const fastwam = (...words: string[]) =>
    run(process.execPath, ['-r', 'ts-node/register/transpile-only', MAIN, ...words]);
  let bundle: string;
  beforeAll(() => {
    bundle = exportTabletopCheckpoint({ robot: TABLETOP_ROBOT });
  });

  it('come to what one process does, also after one was cut off and resumed', async () => {
    const folder = temporaryFolder();
    const out = (name: string): string => join(folder, name);
    const flags = [
      '--bundle',
      bundle,
      '--episodes',
      '5',
      '--suite',
      'spatial',
      '--condition',
      'random',
      '--jobs',
      '1',
    ];
    const simulate = (shard: string, name: string, ...more: string[]) =>
      fastwam('simulate', ...flags, '--policy', 'c3ache', '--shard', shard, '--out', out(name), ...more);
    await Promise.all(['1/3', '2/3', '3/3'].map((shard, i) => simulate(shard, `shard-${i + 1}`)));
    await simulate('1/1', 'whole');

    // What is left of a shard that was killed while it wrote its last line.
    const episodes = join(out('shard-2'), 'episodes.jsonl');
    cpSync(episodes, `${episodes}.whole`);
    const text = readFileSync(episodes, 'utf8');
    writeFileSync(episodes, text.slice(0, -40));
    const shards = [1, 2, 3].map((i) => out(`shard-${i}`));
    await expect(fastwam('merge', ...shards, '--out', out('merged'))).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/1 episodes are missing: .*--shard 2\/3/),
    });
    await simulate('2/3', 'shard-2', '--resume');
    const { stdout } = await fastwam('merge', ...shards, '--out', out('merged'));
    expect(stdout).toContain('report:');

    const untimed = (name: string): unknown =>
      readFileSync(join(out(name), 'episodes.jsonl'), 'utf8')
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('{"part"'))
        .map((line) => ({ ...(JSON.parse(line) as object), ms: [] }));
    await fastwam('merge', out('whole'), '--out', out('whole-merged'));
    expect(untimed('merged')).toEqual(untimed('whole-merged'));
  });
});
