import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors';
import { evaluate } from '../../src/evaluation/evaluate';
import {
  cachedConfiguration,
  chunkOf,
  factsOf,
  fakeEvaluation,
  simpleLayout,
  UNCACHED,
} from './fakeEvaluation';

describe('evaluating', () => {
  it('gives an uncached run no deviation, speed-up 1 and no flips', () => {
    const { configurations } = evaluate(
      fakeEvaluation({ robot: 'arm', chunks: 6, configurations: [UNCACHED, cachedConfiguration(4, 6)] }),
    );
    const [none] = configurations;
    expect(none).toMatchObject({ uncached: true, pareto: true });
    expect(none!.speedUp.ratio).toBe(1);
    expect(none!.deviation.whole.normalised.worst).toBe(0);
    expect(none!.flips).toMatchObject({ executed: 0, whole: 0 });
  });

  it('counts refreshes, steps and stack evaluations as the closed form of C3ache says', () => {
    const evaluation = fakeEvaluation({
      robot: 'arm',
      chunks: 10,
      configurations: [UNCACHED, cachedConfiguration(4, 6)],
    });
    // C = 10, N = 10, M = 7, R = 4 → 3 refreshes, 51 full, 49 reused
    expect(evaluate(evaluation).configurations[1]!.cache).toMatchObject({
      refreshes: 3,
      reasons: { first_chunk: 1, interval: 2 },
      fullSteps: 51,
      reusedSteps: 49,
      stackEvaluations: 51,
      // twelve sub-blocks a step
      computedSubBlocks: 612,
    });
  });

  it('adds up the time that a policy took to decide', () => {
    const decided = (gateSeconds: number) => chunkOf([0, 0, 0, 0], { report: { gateSeconds } });
    const { configurations } = evaluate({
      layout: simpleLayout({ names: ['a'] }),
      observations: [factsOf(0, 0), factsOf(0, 1)],
      runs: [
        { configuration: UNCACHED, chunks: [decided(0), decided(0)] },
        { configuration: cachedConfiguration(4, 6), chunks: [decided(0.25), decided(0.5)] },
      ],
      warnings: [],
    });
    expect(configurations.map(({ cache }) => cache.gateSeconds)).toEqual([0, 0.75]);
  });

  it('separates the expert times of chunks computed in full and of those that reuse', () => {
    const chunks = [
      chunkOf([0, 0, 0, 0], { times: { expert: 0.08 } }),
      chunkOf([0, 0, 0, 0], {
        times: { expert: 0.02 },
        report: { refreshed: false, reason: '', computed: new Uint8Array(10) },
      }),
    ];
    const { configurations } = evaluate({
      layout: simpleLayout({ names: ['a'] }),
      observations: [factsOf(0, 0), factsOf(0, 1)],
      runs: [
        { configuration: UNCACHED, chunks },
        { configuration: cachedConfiguration(0, 6), chunks },
      ],
      warnings: [],
    });
    expect(configurations[1]!.expertOfFullChunks.p50).toBe(0.08);
    expect(configurations[1]!.expertOfReuses.p50).toBe(0.02);
  });

  it('chooses by the stated tolerance and says what the others break', () => {
    const evaluation = fakeEvaluation({
      robot: 'one_joint',
      chunks: 20,
      configurations: [UNCACHED, cachedConfiguration(4, 6), cachedConfiguration(0, 8)],
    });
    const { choice, configurations } = evaluate(evaluation, {
      measure: 'rmse',
      groups: { joints: 1e-9 },
      flips: 0,
    });
    expect(choice).toBe('none');
    expect(configurations[0]!.broken).toEqual([]);
    expect(configurations[1]!.broken).toHaveLength(1);
    expect(evaluate(evaluation)).not.toHaveProperty('choice');
  });

  it('refuses runs without an uncached one, and runs with gaps', () => {
    const evaluation = fakeEvaluation({ robot: 'arm', chunks: 2, configurations: [UNCACHED] });
    expect(() => evaluate({ ...evaluation, runs: [] })).toThrow(InputError);
    expect(() => evaluate({ ...evaluation, runs: [{ configuration: UNCACHED, chunks: [] }] })).toThrow(
      /none has 0 chunks for 2 observations/,
    );
  });
});
