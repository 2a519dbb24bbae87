import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Configuration } from '../../src/cache/choice';
import { FileFormatError, UsageError } from '../../src/errors';
import { EpisodeLog } from '../../src/sim/EpisodeLog';
import type { EpisodeRecord, RunIdentity } from '../../src/sim/episodeRecord';
import { removeFolders, temporaryFolder } from '../helpers';

const RUN: RunIdentity = {
  format: 'fast-wam-episodes',
  version: 1,
  model: 'abc',
  seed: 3,
  speed: 'slow',
  condition: 'clean',
  suites: ['object'],
  noise: 'fixed',
  noise_seed: 42,
  replan_steps: 10,
};
const NONE: Configuration = { name: 'none', policy: 'none', values: {}, companions: {} };
const CACHED: Configuration = {
  name: 'c3ache',
  policy: 'c3ache',
  values: { refresh_interval: 4, range: [0, 6] },
  companions: {},
};

function record(episode: number): EpisodeRecord {
  return {
    configuration: 'none',
    episode,
    task: 4,
    suite: 'object',
    success: true,
    steps: 12,
    disturbances: 0,
    refreshes: 'FF',
    reasons: {},
    stacks: [10, 10],
    ms: [1.5, 2.25],
  };
}

describe('The log of episodes', () => {
  afterAll(removeFolders);
  const fresh = (): string => join(temporaryFolder(), 'deep', 'episodes.jsonl');

  it('gives back what was written, and lets episodes and configurations join', () => {
    const path = fresh();
    EpisodeLog.open(path, RUN, [NONE], false).append(record(0));
    const continued = EpisodeLog.open(path, RUN, [NONE, CACHED], true);
    continued.append(record(1));
    expect(continued.records).toEqual([record(0), record(1)]);
    expect(EpisodeLog.open(path, RUN, [CACHED], true).records).toEqual([record(0), record(1)]);
    // run, none, episode 0, c3ache, episode 1
    expect(readFileSync(path, 'utf8').trimEnd().split('\n')).toHaveLength(5);
  });

  it('drops a line that was cut off while it was written', () => {
    const path = fresh();
    EpisodeLog.open(path, RUN, [NONE], false).append(record(0));
    appendFileSync(path, JSON.stringify(record(1)).slice(0, 40));
    const log = EpisodeLog.open(path, RUN, [NONE], true);
    expect(log.records).toEqual([record(0)]);
    log.append(record(1));
    expect(EpisodeLog.open(path, RUN, [NONE], true).records).toEqual([record(0), record(1)]);
  });

  it('is not continued unasked, nor by a run whose episodes would differ', () => {
    const path = fresh();
    EpisodeLog.open(path, RUN, [CACHED], false);
    const open = (run: RunIdentity, configuration = CACHED, resume = true) =>
      EpisodeLog.open(path, run, [configuration], resume);
    expect(() => open(RUN, CACHED, false)).toThrow(/continue them with --resume/);
    expect(() => open({ ...RUN, speed: 'fast' })).toThrow(/its speed is "slow", now it would be "fast"/);
    expect(() => open({ ...RUN, initial_states: 'f00' })).toThrow(/its initial_states is null/);
    const other: Configuration = {
      ...CACHED,
      values: { refresh_interval: 8, range: [0, 6] },
      companions: {},
    };
    expect(() => open(RUN, other)).toThrow(/configuration c3ache was .*"refresh_interval":4/);
    expect(() => open(RUN, other)).toThrow(UsageError);
  });

  it('names the line that it cannot read', () => {
    const path = fresh();
    EpisodeLog.open(path, RUN, [NONE], false);
    appendFileSync(path, '{"episode": 1}\n');
    expect(() => EpisodeLog.open(path, RUN, [NONE], true)).toThrow(/line 3 is no episode/);
    writeFileSync(path, `${JSON.stringify(record(0))}\n`);
    expect(() => EpisodeLog.open(path, RUN, [NONE], true)).toThrow(FileFormatError);
  });
});
