import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Configuration } from '../../src/cache/choice';
import type { EpisodeRecord } from '../../src/sim/episodeRecord';
import { lengthBins, simulationFigures } from '../../src/sim/simulationFigures';

const NONE: Configuration = { name: 'none', policy: 'none', values: {}, companions: {} };
const CACHED: Configuration = {
  name: 'c3ache R=4 [0,6]',
  policy: 'c3ache',
  values: { refresh_interval: 4 },
  companions: {},
};

function record(
  configuration: string,
  episode: number,
  chunks: number,
  rest: Partial<EpisodeRecord> = {},
): EpisodeRecord {
  const cached = configuration !== 'none';
  return {
    configuration,
    episode,
    task: 4,
    suite: 'object',
    success: true,
    steps: 10 * chunks,
    disturbances: 0,
    refreshes: cached ? `F${'r'.repeat(chunks - 1)}` : 'F'.repeat(chunks),
    reasons: cached ? { first_chunk: 1 } : {},
    stacks: Array.from({ length: chunks }, (_, i) => (cached && i > 0 ? 3 : 10)),
    ms: Array.from({ length: chunks }, () => (cached ? 5 : 10)),
    ...rest,
  };
}

describe('Figures of simulated episodes', () => {
  it('tell the cost of a chunk from the cost of an episode', () => {
    // Uncached: 10 + 10 chunks of 10 stacks and 10 ms. Cached: 10 + 30 chunks; 2·10 + 38·3 = 134 stacks, 200 ms.
    const { configurations, episodes } = simulationFigures(
      [NONE, CACHED],
      [
        record('none', 0, 10),
        record('none', 1, 10),
        record(CACHED.name, 0, 10),
        record(CACHED.name, 1, 30, { success: false }),
      ],
    );
    const [, cached] = configurations;
    expect(episodes).toBe(2);
    expect(cached).toMatchObject({
      stacksPerChunk: 134 / 40,
      stacksPerEpisode: 67,
      savedPerEpisode: 1 - 134 / 200,
      speedUpPerChunk: 2,
      chunksPerEpisode: 20,
      stepsToSuccess: 100,
      refreshes: 2,
      reasons: { first_chunk: 2 },
      lost: 1,
      won: 0,
      p: 1,
    });
    expect(cached!.savedPerChunk).toBeCloseTo(1 - 134 / 40 / 10, 12);
    expect(cached!.speedUpPerEpisode.value).toBe(200 / 200);
    // only episode 0 is solved by both, in ten chunks each
    expect(cached!.lengthening.value).toBe(1);
    expect(cached!.success.value).toBe(0.5);
    expect(cached!.difference!.value).toBe(-0.5);
  });

  it('tell success, work and speed of each suite', () => {
    // Goal: 10 chunks, cached 10 + 9·3 = 37 stacks and 50 ms against 100. Long: 20 uncached chunks, 40 cached ones.
    const { configurations, suites } = simulationFigures(
      [NONE, CACHED],
      [
        record('none', 0, 10, { suite: 'goal' }),
        record('none', 1, 20, { suite: 'long' }),
        record(CACHED.name, 0, 10, { suite: 'goal' }),
        record(CACHED.name, 1, 40, { suite: 'long', success: false }),
      ],
    );
    expect(suites).toEqual(['goal', 'long']);
    expect(configurations[1]!.bySuite).toMatchObject([
      { suite: 'goal', episodes: 1, chunksPerEpisode: 10, stacksPerEpisode: 37, speedUpPerEpisode: 2 },
      { suite: 'long', episodes: 1, chunksPerEpisode: 40, stacksPerChunk: 127 / 40, speedUpPerEpisode: 1 },
    ]);
    expect(configurations[1]!.bySuite.map(({ success }) => success.value)).toEqual([1, 0]);
  });

  it('compare only episodes that every configuration has run', () => {
    const records = [
      record('none', 0, 8),
      record('none', 1, 8, { success: false }),
      record(CACHED.name, 0, 8),
    ];
    const { configurations, episodes, leftOut } = simulationFigures([NONE, CACHED], records);
    expect([episodes, leftOut]).toEqual([1, 1]);
    expect(configurations[0]!.success.value).toBe(1);
    expect(simulationFigures([NONE], records).configurations[0]!.success.value).toBe(0.5);
  });

  it('do not depend on the order of the records', () => {
    const records = Array.from({ length: 12 }, (_, i) => [
      record('none', i, 5 + i),
      record(CACHED.name, i, 6 + i, { success: i % 3 > 0, suite: i % 2 ? 'goal' : 'object' }),
    ]).flat();
    const expected = simulationFigures([NONE, CACHED], records);
    expect(expected.suites).toEqual(['object']);
    fc.assert(
      fc.property(fc.shuffledSubarray(records, { minLength: records.length }), (shuffled) => {
        expect(simulationFigures([NONE, CACHED], shuffled)).toEqual(expected);
      }),
      { numRuns: 5 },
    );
  });

  it('need no uncached run', () => {
    const { configurations } = simulationFigures([CACHED], [record(CACHED.name, 0, 4)]);
    expect(configurations[0]!.difference).toBeUndefined();
    expect(configurations[0]!.byLength).toEqual([]);
    expect(configurations[0]!.stacksPerEpisode).toBe(19);
  });

  it('put every length into exactly one bin', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 66 }), { minLength: 1, maxLength: 80 }), (lengths) => {
        const bins = lengthBins(lengths);
        for (const value of lengths) {
          expect(bins.filter(({ from, to }) => value >= from && value <= to)).toHaveLength(1);
        }
        expect(bins.length).toBeLessThanOrEqual(5);
      }),
    );
  });
});
