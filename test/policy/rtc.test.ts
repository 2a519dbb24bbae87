import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyLinear } from '../../src/cache/linearMap';
import { POLICIES } from '../../src/cache/registry';
import type { PolicySettings, Settings } from '../../src/cache/choice';
import { readFloat32 } from '../../src/formats/readTensor';
import { openSafetensors } from '../../src/formats/safetensors';
import { shiftedTokens } from '../../src/cache/alignment';
import { FastWamModel } from '../../src/model/FastWamModel';
import { DEFAULT_EXECUTION } from '../../src/model/execution';
import type { RtcRequest } from '../../src/policy/Continuation';
import { Episode } from '../../src/policy/Episode';
import { RecordedInputs } from '../../src/policy/recordedEpisode';
import type { ActionChunk } from '../../src/policy/types';
import { guidanceWeight, prefixWeights } from '../../src/sampler/guidance';
import type { GuidanceTarget, PrefixSchedule } from '../../src/sampler/guidance';
import { rtcSettings } from '../../src/settings/rtc';
import { DEFAULT_SETTINGS, FIXTURES, goldenCase, relativeError, removeFolders } from '../helpers';
import type { GoldenCase } from '../helpers';

/** The promise is 1e-4; float32 in another order of operations gives less than 1e-5. */
const TOLERANCE = 1e-5;

interface GoldenSettings {
  readonly schedule: PrefixSchedule;
  readonly delay: number;
  readonly horizon: number;
  readonly max: number;
  readonly executed: number;
}

afterAll(removeFolders);

describe.each(['libero_micro', 'robotwin_micro'])('real-time chunking on %s', (name) => {
  const settings = JSON.parse(readFileSync(join(FIXTURES, name, 'rtc.json'), 'utf8')) as Record<
    string,
    GoldenSettings
  >;
  const results = openSafetensors(join(FIXTURES, name, 'rtc.safetensors'));
  const result = (tensor: string): Float32Array => readFloat32(results.tensors.get(tensor)!);
  let golden: GoldenCase;
  let model: FastWamModel;

  beforeAll(async () => {
    golden = goldenCase(name);
    model = await FastWamModel.load(golden.bundle, { ...DEFAULT_EXECUTION, threads: 1 });
  });
  afterAll(() => model.release());

  const request = (given: GoldenSettings, enabled = true): RtcRequest => ({
    settings: rtcSettings({
      enabled,
      schedule: given.schedule,
      inference_delay: given.delay,
      execution_horizon: given.horizon,
      max_guidance_weight: given.max,
    }),
    executed: given.executed,
  });

  async function run(
    policy: Partial<PolicySettings>,
    rtc: RtcRequest | undefined,
    on = model,
  ): Promise<ActionChunk[]> {
    const inputs = new RecordedInputs(golden.inputs, golden.bundle);
    const episode = new Episode(on);
    const chunks: ActionChunk[] = [];
    for (let c = 0; c < inputs.chunks; c++) {
      const all = { ...DEFAULT_SETTINGS, policy: 'none', ...policy };
      const options = { noise: inputs.noise(c)!, recordResiduals: true, ...(rtc && { rtc }) };
      chunks.push(await episode.infer(inputs.observation(c, golden.task), all, options));
    }
    return chunks;
  }

  /** The target of a chunk after one that gave `previous`. */
  function target(given: GoldenSettings, previous: Float32Array): GuidanceTarget {
    const { horizon, actionDim } = model.shape;
    const y = new Float32Array(horizon * actionDim);
    y.set(previous.subarray(given.executed * actionDim));
    const weights = prefixWeights({
      ...given,
      executionHorizon: given.horizon,
      left: horizon - given.executed,
      horizon,
    });
    return { previous: y, weights, maxGuidanceWeight: given.max };
  }

  /**
   * One chunk step by step in float64, in the words of the paper: clean estimate, error, corrected velocity. Steps for
   * which a residual [T, d] is given are reused by definition, hL = h0 + residual.
   */
  async function byDefinition(
    c: number,
    given: GoldenSettings,
    previous: Float32Array | undefined,
    reused: ReadonlyMap<number, Float32Array>,
  ): Promise<Float64Array> {
    const { steps, horizon, actionDim } = model.shape;
    const { sigma, delta } = model.schedule;
    const inputs = new RecordedInputs(golden.inputs, golden.bundle);
    const observation = inputs.observation(c, golden.task);
    const latents = await model.encode(observation.image!);
    const proprio = Float32Array.from(observation.proprio);
    const expert = model.expert(await model.prefill(latents, proprio, golden.bundle.context(golden.task)));
    const { previous: y, weights } = target(given, previous ?? new Float32Array(horizon * actionDim));
    let x = Float64Array.from(inputs.noise(c)!);
    for (let k = 0; k < steps; k++) {
      const stored = reused.get(k);
      let v: Float64Array;
      if (stored) {
        const h0 = applyLinear(expert.encoder, Float32Array.from(x), horizon);
        v = Float64Array.from(
          applyLinear(
            expert.head,
            h0.map((h, i) => h + stored[i]!),
            horizon,
          ),
        );
      } else {
        v = Float64Array.from((await expert.fullSteps(Float32Array.from(x), [{ index: k }])).vs);
      }
      const g = previous ? guidanceWeight(sigma[k]!, given.max) : 0;
      x = x.map((value, i) => {
        const clean = value - sigma[k]! * v[i]!;
        const error = (y[i]! - clean) * weights[Math.floor(i / actionDim)]!;
        return value + delta[k]! * (v[i]! - g * error);
      });
    }
    return x;
  }

  it.each(Object.keys(settings))('gives what LeRobot gives for %s', async (label) => {
    const given = settings[label]!;
    const { horizon } = model.shape;
    const weights = prefixWeights({
      ...given,
      executionHorizon: given.horizon,
      left: horizon - given.executed,
      horizon,
    });
    expect(relativeError(weights, result(`${label}.weights`))).toBeLessThan(1e-6);
    const chunks = await run({}, request(given));
    const actions = Float32Array.from(chunks.flatMap(({ normalised }) => [...normalised]));
    expect(relativeError(actions, result(`${label}.action`))).toBeLessThan(TOLERANCE);
    const rows = weights.filter((w) => w > 0).length;
    expect(chunks.map(({ guidance }) => guidance)).toEqual([
      { rows: 0, delay: 0, executed: 0, reason: 'first_chunk' },
      ...chunks.slice(1).map(() => ({ rows, delay: given.delay, executed: given.executed, reason: '' })),
    ]);
  });

  const linear: GoldenSettings = { schedule: 'LINEAR', delay: 3, horizon: 10, max: 10, executed: 8 };

  it('changes no bit where it is off, or no row has a weight', async () => {
    for (const policy of ['none', 'c3ache', 'worldcache_ht']) {
      const plain = await run({ policy }, undefined);
      for (const rtc of [
        request(linear, false),
        request({ ...linear, max: 0 }),
        request({ ...linear, schedule: 'ZEROS', delay: 0 }),
      ]) {
        const chunks = await run({ policy }, rtc);
        chunks.forEach((chunk, c) => expect(chunk.normalised).toEqual(plain[c]!.normalised));
      }
    }
  });

  it('changes no bit through the rows of the graph either, where the correction is multiplied by 0', async () => {
    const inputs = new RecordedInputs(golden.inputs, golden.bundle);
    const observation = inputs.observation(0, golden.task);
    const latents = await model.encode(observation.image!);
    const proprio = Float32Array.from(observation.proprio);
    const binding = await model.prefill(latents, proprio, golden.bundle.context(golden.task));
    const noise = inputs.noise(0)!;
    const steps = Array.from({ length: model.shape.steps }, (_, index) => ({ index }));
    const plain = await model.expert(binding).fullSteps(noise, steps);
    const rows = { ...target({ ...linear, max: 0 }, noise), maxGuidanceWeight: 0 };
    expect(await model.expert(binding, rows).fullSteps(noise, steps)).toEqual(plain);
  });

  it.each(['affine', 'residual'])(
    'with C3ache (%s) equals a reference step by step in float64',
    async (mode) => {
      const range = [0, 6] as const;
      const values: Settings = { refresh_interval: 3, range: [...range], mode };
      const chunks = await run({ policy: 'c3ache', values }, request(linear));
      let stored: ReadonlyMap<number, Float32Array> = new Map();
      let most = 0;
      for (const [c, chunk] of chunks.entries()) {
        if (chunk.report.refreshed) stored = new Map();
        const expected = await byDefinition(c, linear, chunks[c - 1]?.normalised, stored);
        most = Math.max(most, relativeError(chunk.normalised, expected));
        if (chunk.report.refreshed) {
          stored = new Map([...chunk.residuals!].filter(([k]) => k >= range[0] && k <= range[1]));
        }
      }
      expect(chunks.some(({ report }) => !report.refreshed)).toBe(true);
      expect(most).toBeLessThan(1e-5);
    },
  );

  it('goes with every cache: guided rows come nearer to the chunk before, and computing all is none to the bit', async () => {
    const full: Record<string, Settings> = {
      c3ache: { refresh_interval: 1 },
      x_cache: { refresh_interval: 1 },
      worldcache_ca: { threshold: 1e-12 },
      worldcache_ht: { error_budget: 0 },
      adaptive: { tolerance: 0 },
    };
    const given: GoldenSettings = { ...linear, schedule: 'ONES', horizon: 12 };
    const block = await FastWamModel.load(golden.bundle, { ...DEFAULT_EXECUTION, threads: 1 }, 'block');
    const width = block.shape.actionDim;
    const reference = await run({}, request(given), block);
    for (const { name: policy } of POLICIES.filter((one) => one.name !== 'bac')) {
      const guided = await run({ policy }, request(given), block);
      const plain = await run({ policy }, undefined, block);
      guided.slice(1).forEach((chunk, i) => {
        if (chunk.guidance.reason === 'plan_reused') {
          // What is left of the plan goes on as it was.
          const later = chunk.report.signals['plan_age']!;
          const plan = guided[i]!.normalised;
          expect(chunk.normalised).toEqual(shiftedTokens(plan, later, block.shape.horizon));
          return;
        }
        const before = guided[i]!.normalised.subarray(given.executed * width);
        const far = (other: Float32Array) =>
          relativeError(other.subarray(0, given.horizon * width), before.subarray(0, given.horizon * width));
        expect(far(chunk.normalised), policy).toBeLessThan(0.5 * far(plain[i + 1]!.normalised));
      });
      const values = full[policy];
      if (!values) continue;
      const all = await run({ policy, values }, request(given), block);
      all.forEach((chunk, c) => expect(chunk.normalised, policy).toEqual(reference[c]!.normalised));
    }
    await block.release();
  });

  it('follows the same rule in int8', async () => {
    const execution = { ...DEFAULT_EXECUTION, precision: 'int8', threads: 1 } as const;
    const other = await FastWamModel.load(golden.bundle, execution);
    const chunks = await run({}, request(linear), other);
    const wanted = result('linear.d3.action');
    const actions = Float32Array.from(chunks.flatMap(({ normalised }) => [...normalised]));
    const plain = await run({}, undefined, other);
    const unguided = await run({}, undefined);
    // Guidance adds no error of its own to that of the weights.
    const flat = (all: ActionChunk[]) => Float32Array.from(all.flatMap(({ normalised }) => [...normalised]));
    expect(relativeError(actions, wanted)).toBeLessThan(1.5 * relativeError(flat(plain), flat(unguided)));
    await other.release();
  });
});

describe('what a chunk continues', () => {
  it('is told by the stamps, and there are reasons not to', async () => {
    const golden = goldenCase('libero_micro');
    const model = await FastWamModel.load(golden.bundle, { ...DEFAULT_EXECUTION, threads: 1 });
    const inputs = new RecordedInputs(golden.inputs, golden.bundle);
    const episode = new Episode(model);
    const settings = { ...DEFAULT_SETTINGS, policy: 'none' };
    const rtc = (more: Partial<RtcRequest> = {}, given: Record<string, unknown> = {}): RtcRequest => ({
      settings: rtcSettings({ enabled: true, inference_delay: 2, ...given }),
      ...more,
    });
    const at = async (
      stamp: number,
      request?: RtcRequest,
      period = 0.1,
    ): Promise<ActionChunk['guidance']> => {
      const observation = { ...inputs.observation(0, golden.task), stamp };
      return (await episode.infer(observation, settings, { period, ...(request && { rtc: request }) }))
        .guidance;
    };
    const none = { rows: 0, delay: 0, executed: 0 };
    expect(await at(10, rtc())).toEqual({ ...none, reason: 'first_chunk' });
    // 0.83 s are 8 periods
    expect(await at(10.83, rtc())).toEqual({ rows: 10, delay: 2, executed: 8, reason: '' });
    // 27 rows executed leave 5 of 32
    expect(await at(13.53, rtc())).toEqual({ rows: 5, delay: 2, executed: 27, reason: '' });
    expect(await at(16.73, rtc())).toEqual({ ...none, reason: 'spent' });
    expect(await at(16.5, rtc())).toEqual({ ...none, reason: 'outdated' });
    expect(await at(17, rtc({ heldSince: 16.7 }))).toEqual({ ...none, reason: 'held' });
    expect(await at(17.5, rtc({ heldSince: 16.7 }))).toMatchObject({ executed: 5, reason: '' });
    expect(await at(17.6, rtc({}, { inference_delay: -1 }))).toEqual({ ...none, reason: 'unmeasured' });
    expect(await at(17.7, rtc({ measuredDelay: 4 }, { inference_delay: -1 }))).toMatchObject({
      delay: 4,
      rows: 10,
    });
    expect(await at(17.8, rtc(), 0.05)).toEqual({ ...none, reason: 'rate_changed' });
    expect(await at(17.9)).toEqual({ ...none, reason: 'off' });
    episode.reset();
    expect(await at(18, rtc())).toEqual({ ...none, reason: 'first_chunk' });
    await model.release();
  });
});
