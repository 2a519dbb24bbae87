import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bacCalibration } from '../../src/cache/bac';
import { UNCACHED } from '../../src/cache/choice';
import { InputError, UsageError } from '../../src/errors';
import { calibrationChunks } from '../../src/evaluation/calibrationChunks';
import type { CalibrationChunk } from '../../src/evaluation/calibrationChunks';
import { learn } from '../../src/evaluation/learn';
import { calibrateThreshold } from '../../src/evaluation/calibrationOfThreshold';
import type { ThresholdRequest } from '../../src/evaluation/calibrationOfThreshold';
import { PolicyClient } from '../../src/policy/PolicyClient';
import { goldenCase, removeFolders } from '../helpers';
import type { GoldenCase } from '../helpers';

const SAMPLER = { noise: 'fixed', seed: 42 } as const;

describe('calibrating on an episode', () => {
  let golden: GoldenCase;
  let client: PolicyClient;
  let chunks: CalibrationChunk[];
  const request = (more: Partial<ThresholdRequest>): ThresholdRequest => ({
    choice: { policy: 'worldcache_ht', values: {}, companions: {} },
    sampler: SAMPLER,
    tolerance: 0.05,
    trials: 6,
    ...more,
  });
  const read = async (limit?: number): Promise<CalibrationChunk[]> => {
    const found: CalibrationChunk[] = [];
    const source = { bags: [], inputs: golden.inputs, instruction: golden.task };
    const all = calibrationChunks({ ...source, ...(limit !== undefined && { limit }) }, golden.bundle);
    for await (const chunk of all) found.push(chunk);
    return found;
  };

  beforeAll(async () => {
    golden = goldenCase('libero_micro');
    client = await PolicyClient.load(golden.folder, { execution: { threads: 1 } });
    chunks = await read();
  });
  afterAll(async () => {
    await client.close();
    removeFolders();
  });

  it('reads the chunks of a file with their noise, and no more than asked for', async () => {
    expect(chunks).toHaveLength(golden.chunks);
    expect(chunks[0]?.noise).toBeDefined();
    expect(await read(2)).toHaveLength(2);
  });

  it('finds a setting that keeps the tolerance and computes less, judged on a part it never saw', async () => {
    const found = await calibrateThreshold(client, chunks, request({ tolerance: 2 }));
    const { calibration, heldOut } = found;
    // Weights are random and move the actions far. Six chunks: four to search on, two held out
    expect([calibration.chunks, heldOut.chunks]).toEqual([4, 2]);
    expect(calibration.deviation).toBeLessThanOrEqual(2);
    expect(calibration.worstChunk).toBeGreaterThanOrEqual(calibration.deviation);
    expect(calibration.stackEvaluations).toBeLessThan(calibration.uncachedEvaluations);
    expect(Object.keys(found.settings ?? {})).toEqual(['error_budget']);
    expect(found.trials.length).toBeLessThanOrEqual(6);
  });

  it('says so where nothing can be saved within the tolerance', async () => {
    const found = await calibrateThreshold(client, chunks, request({ tolerance: 1e-12, trials: 3 }));
    expect(found.settings).toBeUndefined();
    expect(found.calibration.deviation).toBe(0);
  });

  it('refuses what it cannot calibrate, in a sentence', async () => {
    await expect(
      calibrateThreshold(client, chunks, request({ choice: { ...UNCACHED, policy: 'c3ache' } })),
    ).rejects.toThrow(UsageError);
    await expect(
      calibrateThreshold(
        client,
        chunks,
        request({ choice: { ...UNCACHED, policy: 'worldcache_ht', values: { error_budget: 1 } } }),
      ),
    ).rejects.toThrow('--set error_budget: calibrate searches this itself');
    await expect(calibrateThreshold(client, chunks.slice(0, 2), request({}))).rejects.toThrow(InputError);
  });

  it('learns a schedule of bac in the worker, which episodes of the same worker use at once', async () => {
    const budget = { updates: 5, union_blocks: 5, similarity: 'cosine' } as const;
    const feed = (async function* () {
      for (const chunk of chunks) yield await Promise.resolve(chunk);
    })();
    const { record, chunks: count, path } = await learn(client, feed, bacCalibration, budget, SAMPLER);
    const schedule = bacCalibration.parse(record, 'the worker');
    expect([schedule.chunks, count]).toEqual([golden.chunks, golden.chunks]);
    expect(path.startsWith(golden.folder)).toBe(true);
    const episode = await client.createEpisode();
    const { report } = await episode.infer(chunks[0]!.observation, {
      policy: 'bac',
      values: { updates: 5, union_blocks: 5 },
      companions: {},
      ...SAMPLER,
    });
    expect([...report.computed]).toEqual(schedule.computed.flat(2));
  });

  it('asks for one source, and for what it needs to read it', async () => {
    const drain = async (source: Parameters<typeof calibrationChunks>[0]): Promise<void> => {
      for await (const chunk of calibrationChunks(source, golden.bundle)) expect(chunk).toBeDefined();
    };
    await expect(drain({ bags: [] })).rejects.toThrow('one of them');
    await expect(drain({ bags: ['a'], inputs: 'b' })).rejects.toThrow('one of them');
    await expect(drain({ bags: ['a'] })).rejects.toThrow('--params');
    await expect(drain({ bags: [], inputs: golden.inputs })).rejects.toThrow('--instruction');
  });
});
