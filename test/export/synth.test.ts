import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { policyTensors, vaeTensors } from '../../src/bundle/checkpointFiles';
import { dimensionsFromWeights } from '../../src/bundle/layout';
import { UsageError } from '../../src/errors';
import {
  configuredDimensions,
  DEFAULT_PROMPT_TEMPLATE,
  parseModelConfig,
  readModelConfig,
} from '../../src/export/modelConfig';
import { exportBundle } from '../../src/export/exportBundle';
import { synthesise } from '../../src/export/synth';
import { synthesiseLerobot } from '../../src/export/synthLerobot';
import type { SynthReport } from '../../src/export/synth';
import { openDatasetStats } from '../../src/formats/datasetStats';
import { createNormaliser } from '../../src/formats/normaliser';
import { readFloat32 } from '../../src/formats/readTensor';
import { openSafetensors } from '../../src/formats/safetensors';
import { findTextContexts, openTextContext, promptHash } from '../../src/formats/textContext';

const { config } = readModelConfig('test/fixtures/libero_micro/config.json');
/** Large enough for its statistics to be sharp: 1024 x 512 elements in one tensor. */
const wide = parseModelConfig({ ...config, action_hidden: 512, action_ffn: 1024 }, 'wide');

let folder: string;
let made: SynthReport;
const progress: [number, number][] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'synth-'));
  made = synthesise(wide, join(folder, 'a'), {
    seed: 5,
    dtype: 'F32',
    tasks: ['open the drawer', 'close it'],
    onProgress: (done, total) => progress.push([done, total]),
  });
});
afterAll(() => rmSync(folder, { recursive: true }));

const moments = (values: Float32Array): { mean: number; deviation: number } => {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { mean, deviation: Math.sqrt(values.reduce((a, x) => a + (x - mean) ** 2, 0) / values.length) };
};

describe('a synthesised checkpoint', () => {
  it('has exactly the tensors of the original, in the sizes of its own config.json', () => {
    const weights = { policy: policyTensors(made.checkpoint), vae: vaeTensors(made.vae) };
    const stated = readModelConfig(made.config).config;
    expect(dimensionsFromWeights(weights, configuredDimensions(stated, 0))).toEqual(made.dimensions);
    expect(weights.policy.tensors.has('mixtures.video.head.modulation')).toBe(true);
    const elements = [...weights.policy.tensors.values(), ...weights.vae.tensors.values()].reduce(
      (n, t) => n + t.byteLength / 4,
      0,
    );
    expect(made.parameters).toBe(elements);
  });

  it('has observations of three chunks to try it with', () => {
    const { tensors } = openSafetensors(made.episode);
    const { height, width, proprioDim } = made.dimensions;
    expect(tensors.get('images')).toMatchObject({ dtype: 'U8', shape: [3, height, width, 3] });
    expect(tensors.get('proprio')).toMatchObject({ dtype: 'F32', shape: [3, proprioDim] });
    // Uniform in [-1, 1): mean 0 and deviation 1/sqrt(3), within five standard errors of 24 numbers.
    const { mean, deviation } = moments(readFloat32(tensors.get('proprio')!));
    expect(Math.abs(mean)).toBeLessThan((5 * 0.577) / Math.sqrt(3 * proprioDim));
    expect(deviation).toBeGreaterThan(0.3);
  });

  it('has weights on the scales that keep activations near 1', () => {
    const { tensors } = policyTensors(made.checkpoint);
    const of = (name: string): { mean: number; deviation: number } =>
      moments(readFloat32(tensors.get(name)!));
    const matrix = of('mixtures.action.blocks.0.ffn.0.weight');
    // 524,288 elements: their deviation is within 0.1 % * 3 of 1/sqrt(512), and their mean near 0.
    expect(matrix.deviation * Math.sqrt(512)).toBeCloseTo(1, 2);
    expect(matrix.mean).toBeCloseTo(0, 3);
    expect(of('mixtures.action.blocks.0.norm3.weight').mean).toBeCloseTo(1, 1);
    expect(of('mixtures.action.blocks.0.self_attn.norm_q.weight').mean).toBeCloseTo(1, 1);
    expect(of('mixtures.action.blocks.0.norm3.bias').mean).toBeCloseTo(0, 1);
    expect(of('mixtures.action.blocks.0.modulation').deviation * Math.sqrt(512)).toBeCloseTo(1, 1);
  });

  it('has no two tensors alike, so that nothing can share their memory', () => {
    const starts = [...policyTensors(made.checkpoint).tensors.values()].map((t) =>
      readFloat32(t).slice(0, 4).join(),
    );
    expect(new Set(starts).size).toBe(starts.length);
  });

  it('has a text context for every task, with padded rows', () => {
    const files = findTextContexts(made.textEmbeds);
    expect(files.size).toBe(2);
    const prompt = DEFAULT_PROMPT_TEMPLATE.replace('{task}', 'open the drawer');
    const text = openTextContext(files.get(promptHash(prompt))!);
    expect([text.tokens, text.dim]).toEqual([12, 40]);
    expect(readFileSync(made.instructions, 'utf8')).toBe('open the drawer\nclose it\n');
  });

  it('has statistics for every way to normalise', () => {
    const { state, action } = openDatasetStats(made.stats);
    for (const mode of ['min/max', 'q01/q99', 'z-score']) {
      expect(createNormaliser(mode, action.get('default')!).dim).toBe(7);
      expect(createNormaliser(mode, state.get('default')!).dim).toBe(8);
    }
  });

  it('reports progress from nothing to all', () => {
    const total = made.parameters * 4;
    expect(progress.at(-1)).toEqual([total, total]);
    expect(progress.every(([done], i) => i === 0 || done > progress[i - 1]![0])).toBe(true);
  });

  it('is the same for the same seed, and another for another', () => {
    const make = (name: string, seed: number): Buffer =>
      readFileSync(synthesise(config, join(folder, name), { seed, dtype: 'BF16' }).checkpoint);
    const first = make('b', 1);
    expect(make('c', 1).equals(first)).toBe(true);
    expect(make('d', 2).equals(first)).toBe(false);
  });

  it('in bfloat16 has half the bytes of the same weights', () => {
    const half = synthesise(wide, join(folder, 'half'), { seed: 5, dtype: 'BF16' });
    const name = 'mixtures.action.blocks.0.ffn.0.weight';
    const [a, b] = [half, made].map((m) => readFloat32(policyTensors(m.checkpoint).tensors.get(name)!));
    // bfloat16 keeps 8 bits of the mantissa.
    expect(a!.every((x, i) => Math.abs(x - b![i]!) <= Math.abs(b![i]!) * 2 ** -8)).toBe(true);
    expect(statSync(half.checkpoint).size).toBeLessThan(statSync(made.checkpoint).size * 0.55);
  });

  it('of the released size can be laid out as holes in a moment', () => {
    const full = synthesise(readModelConfig('robotwin').config, join(folder, 'full'), {
      seed: 1,
      dtype: 'BF16',
      sparse: true,
    });
    const { size, blocks } = statSync(full.checkpoint);
    expect(full.parameters / 1e9).toBeCloseTo(6.17, 1); // 5.0 B video, 1.0 B action, 0.15 B VAE
    expect(size).toBeGreaterThan(12e9);
    expect(blocks * 512).toBeLessThan(20e6);
    expect(
      policyTensors(full.checkpoint).tensors.get('mixtures.video.blocks.29.ffn.2.weight')?.shape,
    ).toEqual([3072, 14336]);
  });

  it('does not replace one that is there unless told to', () => {
    expect(() => synthesise(config, join(folder, 'a'), { seed: 1, dtype: 'F32' })).toThrow(UsageError);
    const again = join(folder, 'again');
    synthesise(config, again, { seed: 1, dtype: 'F32' });
    expect(() => synthesise(config, again, { seed: 2, dtype: 'F32', overwrite: true })).not.toThrow();
  });

  it('needs all sizes', () => {
    expect(() => synthesise({ height: 32 }, join(folder, 'x'), { seed: 1, dtype: 'F32' })).toThrow(
      /lacks \w+, which weights do not say/,
    );
  });
});

describe('a synthesised checkpoint without proprioception', () => {
  it('has no proprio encoder', () => {
    const bare = synthesise(parseModelConfig({ ...config, proprio_dim: 0 }, 'bare'), join(folder, 'bare'), {
      seed: 1,
      dtype: 'F32',
    });
    expect(
      [...policyTensors(bare.checkpoint).tensors.keys()].filter((name) => name.startsWith('proprio')),
    ).toEqual([]);
  });
});

describe('a synthetic LeRobot policy', () => {
  it('is a policy that exports, of any size', () => {
    const made = synthesiseLerobot(config, join(folder, 'lerobot'), { seed: 3, dtype: 'BF16' });
    const out = join(folder, 'lerobot_bundle');
    const { manifest } = exportBundle({ lerobot: made.policy, vae: made.vae, out });
    expect(manifest.dimensions.layers).toBe(config.layers);
    expect(manifest.sampler.timestep_dtype).toBe('bfloat16');
    expect(manifest.actions.normaliser.mode).toBe('MEAN_STD');
  });

  it('of the released size takes no space as holes, and exports from its headers', () => {
    const released = readModelConfig('libero').config;
    const made = synthesiseLerobot(released, join(folder, 'sparse'), {
      seed: 0,
      dtype: 'BF16',
      sparse: true,
    });
    const { size, blocks } = statSync(made.weights);
    expect(size).toBeGreaterThan(11e9);
    expect(blocks * 512).toBeLessThan(2 ** 22);
    const out = join(folder, 'sparse_bundle');
    const { manifest } = exportBundle({ lerobot: made.policy, vae: made.vae, config: 'libero', out });
    expect(manifest.dimensions.layers).toBe(30);
  }, 120_000);
});
