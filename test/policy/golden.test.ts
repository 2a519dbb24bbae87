import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FastWamModel } from '../../src/model/FastWamModel';
import { DEFAULT_EXECUTION } from '../../src/model/execution';
import { Episode } from '../../src/policy/Episode';
import { RecordedInputs } from '../../src/policy/recordedEpisode';
import type { PolicySettings, Settings } from '../../src/cache/choice';
import type { ActionChunk } from '../../src/policy/types';
import { DEFAULT_SETTINGS, goldenCase, relativeError, removeFolders } from '../helpers';
import type { GoldenCase } from '../helpers';

/** The promise is 1e-4; float32 in another order of operations gives a few 1e-7. */
const TOLERANCE = 5e-6;

const CASES = [
  'libero_micro',
  'robotwin_micro',
  'other_sizes/short_horizon',
  'other_sizes/five_layers',
  'other_sizes/odd_head',
  'other_sizes/bfloat16',
  'other_sizes/no_proprio',
];

async function run(
  golden: GoldenCase,
  model: FastWamModel,
  settings: Partial<PolicySettings>,
): Promise<ActionChunk[]> {
  const inputs = new RecordedInputs(golden.inputs, golden.bundle);
  const episode = new Episode(model);
  const chunks: ActionChunk[] = [];
  for (let c = 0; c < inputs.chunks; c++) {
    const all = { ...DEFAULT_SETTINGS, policy: 'none', ...settings };
    chunks.push(
      await episode.infer(inputs.observation(c, golden.task), all, {
        noise: inputs.noise(c)!,
        recordResiduals: true,
        recordTrace: true,
      }),
    );
  }
  return chunks;
}

/** [heads, V, headDim] -> [V, heads * headDim], as the original keeps keys and values */
function joinHeads({ data, dims }: { data: unknown; dims: readonly number[] }): Float32Array {
  const [heads, tokens, width] = dims as [number, number, number];
  const source = data as Float32Array;
  return Float32Array.from({ length: source.length }, (_, i) => {
    const [token, head, j] = [Math.floor(i / (heads * width)), Math.floor(i / width) % heads, i % width];
    return source[(head * tokens + token) * width + j]!;
  });
}

afterAll(removeFolders);

describe.each(CASES)('the engine against the original PyTorch code: %s', (name) => {
  let golden: GoldenCase;
  let model: FastWamModel;
  let uncached: ActionChunk[];

  beforeAll(async () => {
    golden = goldenCase(name);
    model = await FastWamModel.load(golden.bundle, { ...DEFAULT_EXECUTION, threads: 1 });
    uncached = await run(golden, model, {});
  });
  afterAll(() => model.release());

  it('has the schedule of the original', () => {
    expect(relativeError(model.schedule.timesteps, golden.tensor('timesteps'))).toBeLessThan(1e-7);
    expect(relativeError(model.schedule.delta, golden.tensor('deltas'))).toBeLessThan(1e-7);
  });

  it('computes the latents, velocities, residuals and actions of every chunk', () => {
    const d = golden.bundle.dimensions;
    uncached.forEach((chunk, c) => {
      expect(relativeError(chunk.trace!.latents, golden.tensor(`chunk${c}.latents`))).toBeLessThan(TOLERANCE);
      expect(relativeError(chunk.trace!.velocity, golden.tensor(`chunk${c}.v`))).toBeLessThan(TOLERANCE);
      expect(relativeError(chunk.actions, golden.tensor(`chunk${c}.action`))).toBeLessThan(TOLERANCE);
      const residual = golden.tensor(`chunk${c}.residual`);
      const size = d.horizon * d.actionHidden;
      for (let k = 0; k < d.steps; k++) {
        const expected = residual.subarray(k * size, (k + 1) * size);
        expect(relativeError(chunk.residuals!.get(k)!, expected)).toBeLessThan(TOLERANCE);
      }
    });
  });

  it('computes the video keys and values of every layer', async () => {
    const inputs = new RecordedInputs(golden.inputs, golden.bundle);
    const { proprio } = inputs.observation(0, golden.task);
    const context = golden.bundle.context(golden.task);
    const { feeds } = await model.prefill(uncached[0]!.trace!.latents, Float32Array.from(proprio), context);
    for (let l = 0; l < golden.bundle.dimensions.layers; l++) {
      const key = joinHeads(feeds[`videoKey_${l}`]!);
      const value = joinHeads(feeds[`videoValue_${l}`]!);
      expect(relativeError(key, golden.tensor(`chunk0.k${l}`))).toBeLessThan(TOLERANCE);
      expect(relativeError(value, golden.tensor(`chunk0.v${l}`))).toBeLessThan(TOLERANCE);
    }
  });

  it('gives the actions of C3ache for every R and range of the golden grid, in both forms', async () => {
    const grids = golden.names.flatMap((tensor) => {
      const found = /^c3ache\.R(\d+)\.range(\d+)-(\d+)\.action$/.exec(tensor);
      return found ? [{ tensor, numbers: found.slice(1).map(Number) }] : [];
    });
    expect(grids.length).toBeGreaterThan(2);
    for (const { tensor, numbers } of grids) {
      const [refreshInterval, start, end] = numbers as [number, number, number];
      for (const mode of ['affine', 'residual']) {
        const values: Settings = { refresh_interval: refreshInterval, range: [start, end], mode };
        const chunks = await run(golden, model, { policy: 'c3ache', values });
        const actions = Float32Array.from(chunks.flatMap((c) => [...c.actions]));
        expect(relativeError(actions, golden.tensor(tensor)), `${tensor} ${mode}`).toBeLessThan(TOLERANCE);
      }
    }
  });

  it('is bit-identical to no cache where every chunk refreshes', async () => {
    const chunks = await run(golden, model, { policy: 'c3ache', values: { refresh_interval: 1 } });
    chunks.forEach((chunk, c) => expect(chunk.actions).toEqual(uncached[c]!.actions));
  });
});
