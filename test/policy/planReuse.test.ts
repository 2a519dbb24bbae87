import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shiftedTokens } from '../../src/cache/alignment';
import { DEFAULT_EXECUTION } from '../../src/model/execution';
import { FastWamModel } from '../../src/model/FastWamModel';
import { Episode } from '../../src/policy/Episode';
import { RecordedInputs } from '../../src/policy/recordedEpisode';
import type { Observation } from '../../src/policy/types';
import { DEFAULT_SETTINGS, goldenCase, removeFolders } from '../helpers';
import type { GoldenCase } from '../helpers';

const SETTINGS = { ...DEFAULT_SETTINGS, policy: 'plan_reuse' };

describe('plan_reuse in the engine', () => {
  let golden: GoldenCase;
  let model: FastWamModel;
  let observation: (chunk: number) => Observation;

  beforeAll(async () => {
    golden = goldenCase('libero_micro');
    model = await FastWamModel.load(golden.bundle, { ...DEFAULT_EXECUTION, threads: 1 });
    const inputs = new RecordedInputs(golden.inputs, golden.bundle);
    observation = (chunk) => inputs.observation(chunk, golden.task);
  });
  afterAll(async () => {
    await model.release();
    removeFolders();
  });

  /** An observation whose image nobody can perceive. */
  const blind = (chunk: number): Observation => ({ ...observation(chunk), image: new Uint8Array(3) });

  it('goes on with the plan before the image is looked at, and reports that nothing ran', async () => {
    const episode = new Episode(model);
    const made = await episode.infer(observation(0), SETTINGS);
    expect(made.report).toMatchObject({ policy: 'plan_reuse', reason: 'first_chunk', stackEvaluations: 10 });
    const chunk = await episode.infer(blind(1), SETTINGS, { recordTrace: true });
    const { replan_steps } = golden.bundle.manifest.control;
    expect(chunk.normalised).toEqual(shiftedTokens(made.normalised, replan_steps, model.shape.horizon));
    expect(chunk.report).toMatchObject({ refreshed: false, reason: '', stackEvaluations: 0, fullSteps: 0 });
    expect(chunk.times).toMatchObject({ decode: 0, vae: 0, prefill: 0, expert: 0 });
    expect(chunk.trace!.latents.every(Number.isNaN)).toBe(true);
    // the third is computed again, and so has to look
    await expect(episode.infer(blind(1), SETTINGS)).rejects.toThrow(/image/);
    expect((await episode.infer(observation(2), SETTINGS)).report.reason).toBe('max_consecutive');
  });

  it('still refuses a proprioception that is not finite, and computes in a new episode and for a new sampler', async () => {
    const episode = new Episode(model);
    await episode.infer(observation(0), SETTINGS);
    const broken = { ...observation(1), proprio: Array.from(observation(1).proprio, () => Number.NaN) };
    await expect(episode.infer(broken, SETTINGS)).rejects.toThrow(/proprioception/);
    await expect(episode.infer(blind(1), { ...SETTINGS, seed: 7 })).rejects.toThrow(/image/);
    episode.reset();
    expect((await episode.infer(observation(1), SETTINGS)).report.reason).toBe('first_chunk');
  });

  it('with max_consecutive 0 is the run without a cache bit for bit', async () => {
    const [plain, own] = [new Episode(model), new Episode(model)];
    for (let chunk = 0; chunk < 3; chunk++) {
      const expected = await plain.infer(observation(chunk), { ...DEFAULT_SETTINGS, policy: 'none' });
      const found = await own.infer(observation(chunk), { ...SETTINGS, values: { max_consecutive: 0 } });
      expect(found.normalised).toEqual(expected.normalised);
      expect(found.actions).toEqual(expected.actions);
    }
  });
});
