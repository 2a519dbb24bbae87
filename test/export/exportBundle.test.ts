import { cpSync, existsSync, linkSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Bundle } from '../../src/bundle/Bundle';
import type { BundleManifest } from '../../src/bundle/schema';
import { FastWamError, FileFormatError, UsageError } from '../../src/errors';
import { DEFAULT_EXECUTION } from '../../src/model/execution';
import { FastWamModel } from '../../src/model/FastWamModel';
import { tryWeights } from '../../src/model/tryWeights';
import { exportBundle } from '../../src/export/exportBundle';
import type { ExportOptions } from '../../src/export/exportBundle';
import { readModelConfig } from '../../src/export/modelConfig';
import { synthesise } from '../../src/export/synth';
import { openTensors } from '../../src/formats/torchFile';
import { readBytes } from '../../src/formats/readTensor';
import { writeSafetensors } from '../../src/formats/safetensors';
import type { StoredTensor } from '../../src/formats/StoredTensor';
import { policyTensors } from '../../src/bundle/checkpointFiles';
import { FIXTURES, removeFolders, temporaryFolder } from '../helpers';

const SOURCE = join(FIXTURES, 'libero_micro');
const OPTIONS = {
  checkpoint: join(SOURCE, 'fastwam.pt'),
  vae: join(SOURCE, 'vae_encoder.pth'),
  textEmbeds: join(SOURCE, 'text_embeds'),
  config: join(SOURCE, 'config.json'),
};
const exported = (more: Partial<ExportOptions> = {}): string => {
  const out = temporaryFolder();
  exportBundle({ ...OPTIONS, ...more, out });
  return out;
};

/** The checkpoint as safetensors, with its tensors changed. */
function checkpointWith(change: (tensors: Map<string, StoredTensor>) => void): string {
  const tensors = new Map(policyTensors(OPTIONS.checkpoint).tensors);
  const data = new Map([...tensors].map(([name, t]) => [name, readBytes(t)]));
  change(tensors);
  const path = join(temporaryFolder(), 'model.safetensors');
  writeSafetensors(
    path,
    [...tensors].map(([name, { dtype, shape }]) => {
      const bytes = shape.reduce((n, d) => n * d, 1) * 4;
      return { name, dtype, shape, data: (data.get(name) ?? new Uint8Array(bytes)).subarray(0, bytes) };
    }),
  );
  return path;
}

afterAll(removeFolders);

describe('export', () => {
  it('refers to the weights where they lie and writes no copy of them', () => {
    const out = exported();
    expect(readdirSync(out).sort()).toEqual([
      'bundle.json',
      'context.onnx',
      'expert.onnx',
      'prefill.onnx',
      'vae_encoder.onnx',
    ]);
    expect(Bundle.open(out).policyWeights.path).toBe(OPTIONS.checkpoint);
  });

  it('carries everything where it is asked to, so that the folder can be moved and loaded', async () => {
    const out = exported({ selfContained: true });
    const moved = temporaryFolder();
    cpSync(out, moved, { recursive: true });
    const bundle = Bundle.open(moved);
    expect(bundle.policyWeights.path.startsWith(moved)).toBe(true);
    expect(bundle.knows('pick up the red block')).toBe(true);
    const model = await FastWamModel.load(bundle, { ...DEFAULT_EXECUTION, threads: 1 });
    await model.release();
    // One file under two names: onnxruntime takes it for an attack. Of small weights a model loads a copy.
    linkSync(bundle.policyWeights.path, join(moved, 'second_name.pt'));
    await expect(tryWeights(bundle)).rejects.toThrow(/several hard links/);
    await (await FastWamModel.load(bundle, DEFAULT_EXECUTION)).release();
  });

  it('reads a safetensors checkpoint as well', () => {
    const out = exported({ checkpoint: checkpointWith(() => undefined) });
    expect(Bundle.open(out).dimensions.layers).toBe(3);
  });

  it('names the unknown key of a robot description, and the one that was meant', () => {
    const robot = join(temporaryFolder(), 'robot.yaml');
    writeFileSync(robot, 'actions:\n  limits: { mim: [0] }\n');
    expect(() => exported({ robot })).toThrow(
      'robot.yaml: unknown key actions.limits.mim; did you mean min?',
    );
    writeFileSync(robot, 'actions:\n  limits: nothing\n');
    expect(() => exported({ robot })).toThrow(/robot\.yaml: actions\.limits: expected none, or some of min/);
    writeFileSync(robot, 'control:\n  replan_stps: 8\n');
    expect(() => exported({ robot })).toThrow(
      'robot.yaml: unknown key control.replan_stps; did you mean replan_steps?',
    );
  });

  it('says at once that there is no folder to write into', () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    expect(() => exportBundle({ ...OPTIONS, out: join(file, 'bundle') })).toThrow(
      /file\/bundle: no folder to write into: .*; name one in a place that you may write to/,
    );
  });

  const name = 'mixtures.action.blocks.1.ffn.0.weight';
  it.each<[string, (t: Map<string, StoredTensor>) => void, RegExp]>([
    ['a missing tensor', (t) => t.delete(name), /mixtures\.action\.blocks\.1\.ffn\.0\.weight.*\[64, 32\]/],
    [
      'a wrongly shaped tensor',
      (t) => t.set(name, { ...t.get(name)!, shape: [64, 30] }),
      /mixtures\.action\.blocks\.1\.ffn\.0\.weight.*\[64, 30\].*\[64, 32\]/,
    ],
    [
      'an extra tensor',
      (t) => t.set('mixtures.action.surprise', { ...t.get(name)!, shape: [1] }),
      /mixtures\.action\.surprise/,
    ],
  ])('names %s with the expected shape', (_, change, message) => {
    expect(() => exported({ checkpoint: checkpointWith(change) })).toThrow(message);
  });

  it.each<[string, Partial<ExportOptions>, RegExp]>([
    [
      'a checkpoint that is not there',
      { checkpoint: '/nowhere/f.pt' },
      /--checkpoint \/nowhere\/f\.pt: no such file/,
    ],
    [
      'a VAE as checkpoint',
      { checkpoint: OPTIONS.vae },
      /vae_encoder\.pth: is a VAE, not a policy; give it as --vae/,
    ],
    ['the sizes of another model', { config: 'robotwin' }, /head|configuration says/],
    ['a folder without contexts', { textEmbeds: FIXTURES }, /no file named <sha256>/],
  ])('answers %s in one sentence', (_, options, message) => {
    expect(() => exported(options)).toThrow(message);
    expect(() => exported(options)).toThrow(FastWamError);
  });

  it('names an unknown key of the configuration and the nearest known one', () => {
    const config = join(temporaryFolder(), 'config.json');
    const known = JSON.parse(readFileSync(OPTIONS.config, 'utf8')) as Record<string, unknown>;
    writeFileSync(config, JSON.stringify({ ...known, head_dims: 24 }));
    expect(() => exported({ config })).toThrow(/unknown key head_dims; did you mean head_dim\?/);
  });

  it.each(['libero', 'robotwin'])(
    'exports a checkpoint of the released size (%s, 6 B parameters) from its headers',
    (config) => {
      // A sparse file of the full size, about 12 GB, which reads as zeros and takes no space.
      const folder = temporaryFolder();
      const made = synthesise(readModelConfig(config).config, folder, {
        seed: 0,
        dtype: 'BF16',
        sparse: true,
      });
      expect(statSync(made.checkpoint).size).toBeGreaterThan(11e9);
      const { manifest } = exportBundle({ ...made, stats: made.stats, config, out: join(folder, 'bundle') });
      expect(manifest.dimensions.layers).toBe(30);
      expect(statSync(join(folder, 'bundle', 'expert.onnx')).size).toBeLessThan(20e6);
      expect(manifest.cameras.length).toBe(config === 'libero' ? 2 : 3);
    },
    120_000,
  );
});

describe('a bundle', () => {
  const manifestOf = (out: string): BundleManifest =>
    JSON.parse(readFileSync(join(out, 'bundle.json'), 'utf8')) as BundleManifest;

  it.each<[string, (m: BundleManifest) => unknown, RegExp]>([
    ['another version', (m) => ({ ...m, version: 99 }), /bundle version 99, this program reads 1/],
    ['an unknown key', (m) => ({ ...m, colour: 'red' }), /colour/],
    [
      'a text folder that leaves it',
      (m) => ({ ...m, weights: { ...m.weights, text_embeds: '../..' } }),
      /leaves the folders/,
    ],
    [
      'a graph that leaves it',
      (m) => ({ ...m, graphs: { ...m.graphs, expert: '../expert.onnx' } }),
      /graphs\.expert leaves the bundle/,
    ],
    [
      'weights that changed',
      (m) => ({
        ...m,
        weights: { ...m.weights, policy: { ...m.weights.policy, fingerprint: 'a'.repeat(64) } },
      }),
      /is not the file that .*bundle\.json was exported from/,
    ],
    [
      'a size that no model has',
      (m) => ({ ...m, dimensions: { ...m.dimensions, layers: 10 ** 9 } }),
      /bundle\.json: layers is 1000000000, expected a whole number from 1 to 1000000/,
    ],
    [
      'a normaliser of another size',
      (m) => ({ ...m, actions: { ...m.actions, normaliser: { mode: 'none', scale: [1], offset: [0] } } }),
      /actions\.normaliser\.scale: expected 7 entries, found 1/,
    ],
  ])('with %s is refused', (_, change, message) => {
    const out = exported();
    writeFileSync(join(out, 'bundle.json'), JSON.stringify(change(manifestOf(out))));
    expect(() => {
      const bundle = Bundle.open(out);
      bundle.graphPath('expert');
    }).toThrow(message);
  });

  it('that is not there is answered with how to make one', () => {
    expect(() => Bundle.open('/nowhere')).toThrow(
      /does not exist; a bundle is a folder made by `fastwam export`/,
    );
    const file = join(SOURCE, 'fastwam.pt');
    expect(() => Bundle.open(file)).toThrow(
      `${file}: is a file; a bundle is a folder made by \`fastwam export\``,
    );
  });

  it('with a damaged bundle.json always ends in a named error or opens', () => {
    const out = exported();
    const path = join(out, 'bundle.json');
    const original = readFileSync(path);
    fc.assert(
      fc.property(fc.nat(original.length - 1), fc.nat(255), fc.boolean(), (position, byte, truncate) => {
        const damaged = truncate ? original.subarray(0, position) : Buffer.from(original);
        if (!truncate) damaged[position] = byte;
        writeFileSync(path, damaged);
        try {
          Bundle.open(out);
        } catch (error) {
          expect(error).toBeInstanceOf(FastWamError);
        }
      }),
      { numRuns: 150 },
    );
    writeFileSync(path, original);
    expect(() => Bundle.open(out)).not.toThrow();
    expect(existsSync(path)).toBe(true);
    expect(() => openTensors(join(out, 'bundle.json'))).toThrow(FileFormatError);
    expect(new UsageError('x')).toBeInstanceOf(FastWamError);
  });
});

describe('a bundle whose instructions are not recorded', () => {
  it('knows a context by the hash of its prompt', () => {
    const bundle = Bundle.open(exported());
    expect(bundle.manifest.instructions).toEqual([]);
    const task = bundle.anyTask();
    expect(task).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(bundle.context(task)).toEqual(bundle.context('pick up the red block'));
    expect(() => bundle.context(`sha256:${'0'.repeat(64)}`)).toThrow(/no cached text context/);
  });
});
