import { describe, expect, it } from 'vitest';
import {
  cosineSimilarity,
  cosineThreshold,
  largestDeviation,
  passesGate,
  spreadTokens,
  updatedMean,
} from '../../src/cache/blockGate';
import { conditionSimilarity, observationCondition } from '../../src/cache/observationCondition';
import type { ChunkContext } from '../../src/cache/types';

const rule = { floor: 0.97, margin: 0.02, alpha: 0.3 };

describe('the gate of X-Cache', () => {
  // computed apart from this code, in float64
  const stored = [1, 2, -1, 0.5];
  it.each([
    ['lets a similar input pass', [1.1, 1.9, -1, 0.5], 0.998483199, 0.08888881, true],
    [
      'stops one whose direction and largest element differ',
      [1, 2, -1, 3.5],
      0.725655113,
      2.666664296,
      false,
    ],
  ])('%s', (_what, now, similarity, deviation, passes) => {
    const s = cosineSimilarity(now, stored);
    const d = largestDeviation(now, stored, 1e-6);
    expect(s).toBeCloseTo(similarity, 9);
    expect(d).toBeCloseTo(deviation, 8);
    expect(s >= rule.floor).toBe(passes);
    expect(d < 2).toBe(passes);
    expect(passesGate(s, d, rule.floor, 2)).toBe(passes);
  });

  it('passes at the cosine threshold and stops at that of the deviation', () => {
    expect(passesGate(0.97, 1, 0.97, 2)).toBe(true);
    expect(passesGate(0.97, 2, 0.97, 2)).toBe(false);
    expect(passesGate(1, 0, 0.97, 0)).toBe(false);
    expect(passesGate(1, 0, 1.01, 2)).toBe(false);
  });

  it('follows the golden sequence of thresholds, decisions and means', () => {
    // mean <- 0.7 mean + 0.3 s, threshold = max(0.97, mean - 0.02)
    const similarities = [0.999, 0.985, 0.975, 0.96, 0.999];
    const thresholds = [0.97, 0.979, 0.9748, 0.97, 0.97];
    const decisions = [true, true, true, false, true];
    const means = [0.999, 0.9948, 0.98886, 0.980202, 0.9858414];
    let mean: number | undefined;
    similarities.forEach((similarity, i) => {
      const threshold = cosineThreshold(mean, rule);
      expect(threshold).toBeCloseTo(thresholds[i]!, 10);
      expect(passesGate(similarity, 0, threshold, 2)).toBe(decisions[i]);
      mean = updatedMean(mean, similarity, rule);
      expect(mean).toBeCloseTo(means[i]!, 10);
    });
  });

  it('calls two zero vectors equal and a single one unlike anything', () => {
    expect(cosineSimilarity([0, 0], [0, 0])).toBe(1);
    expect(cosineSimilarity([0, 0], [1, 0])).toBe(0);
    expect(cosineSimilarity([1, 0], [0, 0])).toBe(0);
  });

  it('spreads its tokens over the horizon, both ends included', () => {
    expect(spreadTokens(32, 32)).toHaveLength(32);
    expect(spreadTokens(3, 8)).toEqual([0, 1, 2]);
    expect(spreadTokens(9, 3)).toEqual([0, 4, 8]);
    expect(spreadTokens(32, 8)).toEqual([0, 4, 9, 13, 18, 22, 27, 31]);
    expect(spreadTokens(32, 1)).toEqual([16]);
  });
});

describe('the observation as a condition of reuse', () => {
  const chunk = (
    proprio: number[],
    latents: number[],
    latentShape: [number, number, number],
  ): ChunkContext => ({
    chunk: 0,
    time: 0,
    period: 1,
    replanSteps: 10,
    noise: new Float32Array(0),
    proprio: Float32Array.from(proprio),
    latents: Float32Array.from(latents),
    latentShape,
  });

  it('is the proprioception with a constant 1, and the latent averaged over 2 x 2 cells', () => {
    const condition = observationCondition(chunk([3, 4], [1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 4]));
    expect([...condition.proprio]).toEqual([3, 4, 1]);
    // (1 + 2 + 5 + 6) / 4 and (3 + 4 + 7 + 8) / 4
    expect([...condition.latent]).toEqual([3.5, 5.5]);
  });

  it('leaves out an odd last row and keeps a single one', () => {
    const odd = observationCondition(chunk([], [1, 1, 3, 3, 9, 9], [1, 3, 2]));
    expect([...odd.latent]).toEqual([2]);
    expect([...odd.proprio]).toEqual([1]);
    const single = observationCondition(chunk([], [1, 3, 5, 7], [2, 1, 2]));
    expect([...single.latent]).toEqual([2, 6]);
  });

  it('is as similar as the less similar of its two entries', () => {
    const one = observationCondition(chunk([0, 0], [1, 1, 1, 1], [1, 2, 2]));
    const other = observationCondition(chunk([1, 1], [2, 2, 2, 2], [1, 2, 2]));
    // latents are parallel; [0, 0, 1] and [1, 1, 1] enclose 1 / sqrt(3)
    expect(conditionSimilarity(one, other)).toBeCloseTo(1 / Math.sqrt(3), 7);
  });
});
