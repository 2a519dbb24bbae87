import { describe, expect, it } from 'vitest';
import { InputError, UsageError } from '../../src/errors';
import { replay, withUncached, type ReplayObservation, type Runner } from '../../src/evaluation/replay';
import type { ResidualsByStep } from '../../src/evaluation/residualCosine';
import { cachedConfiguration, chunkOf, factsOf, simpleLayout, UNCACHED } from './fakeEvaluation';

const layout = simpleLayout({ names: ['a'], horizon: 1, replanSteps: 1, steps: 1 });
const configurations = [UNCACHED, cachedConfiguration(4, 6), cachedConfiguration(0, 6)];

function observed(...episodes: readonly number[]): ReplayObservation<number>[] {
  return episodes.map((episode, i) => ({
    facts: factsOf(episode, episodes.slice(0, i).filter((e) => e === episode).length),
    observation: i,
  }));
}

/** Writes down what it is asked, and answers with the observation's number. */
class LoggingRunner implements Runner<number> {
  readonly log: string[] = [];

  infer(configuration: number, observation: number) {
    this.log.push(`${configuration}:${observation}`);
    return Promise.resolve(chunkOf([observation]));
  }

  resetEpisode() {
    this.log.push('reset');
    return Promise.resolve();
  }

  residuals(observation: number): Promise<ResidualsByStep> {
    this.log.push(`residuals:${observation}`);
    return Promise.resolve(new Map([[0, Float32Array.from([1, observation])]]));
  }
}

describe('a replay', () => {
  it('warms up, then runs all configurations on each observation, starting with another one each time', async () => {
    const runner = new LoggingRunner();
    const { runs, observations } = await replay({
      layout,
      configurations,
      observations: observed(0, 0, 0),
      runner,
      recordResiduals: false,
    });
    expect(runner.log).toEqual([
      ...['reset', '0:0', '0:0', '1:0', '1:0', '2:0', '2:0'], // thrown away
      ...['reset', '0:0', '1:0', '2:0'],
      ...['1:1', '2:1', '0:1'],
      ...['2:2', '0:2', '1:2'],
    ]);
    expect(observations).toHaveLength(3);
    for (const { chunks } of runs) expect(chunks.map((chunk) => chunk.actions[0])).toEqual([0, 1, 2]);
  });

  it('resets where an episode of the recording begins', async () => {
    const runner = new LoggingRunner();
    await replay({
      layout,
      configurations: [UNCACHED],
      observations: observed(0, 1, 1),
      runner,
      recordResiduals: false,
    });
    expect(runner.log).toEqual(['reset', '0:0', '0:0', 'reset', '0:0', 'reset', '0:1', '0:2']);
  });

  it('takes the cosine of adjacent residuals inside episodes only', async () => {
    const { residualCosines } = await replay({
      layout,
      configurations: [UNCACHED],
      observations: observed(0, 0, 1),
      runner: new LoggingRunner(),
      recordResiduals: true,
    });
    // (1, 0) and (1, 1): 1/√2; the third starts an episode
    expect(residualCosines!.map((row) => row?.[0])).toEqual([
      undefined,
      expect.closeTo(Math.SQRT1_2, 12),
      undefined,
    ]);
  });

  it('reports progress and stops between chunks when asked to', async () => {
    const stop = new AbortController();
    const done: number[] = [];
    const { observations, runs } = await replay({
      layout,
      configurations,
      observations: observed(0, 0, 0, 0),
      runner: new LoggingRunner(),
      recordResiduals: false,
      signal: stop.signal,
      onProgress: (n) => {
        done.push(n);
        if (n === 2) stop.abort();
      },
    });
    expect(done).toEqual([1, 2]);
    expect(observations).toHaveLength(2);
    expect(runs.map(({ chunks }) => chunks.length)).toEqual([2, 2, 2]);
  });

  it('refuses an empty recording and actions of another size', async () => {
    const options = { layout, configurations, runner: new LoggingRunner(), recordResiduals: false };
    await expect(replay({ ...options, observations: [] })).rejects.toThrow(InputError);
    const wide = { ...layout, names: ['a', 'b'] };
    await expect(replay({ ...options, layout: wide, observations: observed(0) })).rejects.toThrow(
      'returned 1 action values, expected 1 × 2 = 2',
    );
  });
});

describe('the configurations of a replay', () => {
  it('get the uncached one in front', () => {
    const cached = cachedConfiguration(4, 6);
    expect(withUncached([cached]).map(({ name }) => name)).toEqual(['none', cached.name]);
    expect(withUncached([cached, UNCACHED])).toEqual([UNCACHED, cached]);
  });

  it('must differ', () => {
    expect(() => withUncached([cachedConfiguration(4, 6), cachedConfiguration(4, 6)])).toThrow(UsageError);
  });
});
