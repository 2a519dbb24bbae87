import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bundle } from '../../../src/bundle/Bundle';
import { policyName } from '../../../src/bundle/policyNames';
import { bfloat16ToFloats } from '../../../src/formats/halfPrecision';
import { readFloat32 } from '../../../src/formats/readTensor';
import { openSafetensors } from '../../../src/formats/safetensors';
import type { TensorData } from '../../../src/formats/safetensors';
import { ActionTransform, ProprioTransform } from '../../../src/policy/actions';
import { FIXTURES, removeFolders, temporaryFolder } from '../../helpers';
import { MICRO, POLICY, PolicyFolder, golden, runEpisode } from './policyFolder';
import { exportBundle } from '../../../src/export/exportBundle';

afterAll(removeFolders);

const WEIGHTS = 'model.safetensors';

const rename =
  (change: (original: string) => string) =>
  (tensors: TensorData[]): TensorData[] =>
    tensors.map((tensor) => ({ ...tensor, name: change(policyName(tensor.name)!.name) }));

/** The layout of LeRobot's first branch. */
const branchName = (name: string): string =>
  name.startsWith('mixtures.action.')
    ? name.replace('mixtures.action.', 'model.action_expert.')
    : name.startsWith('mixtures.')
      ? `model.dit.${name}`
      : `model.${name}`;

const asFloat32 = (tensors: TensorData[]): TensorData[] =>
  tensors.map(({ name, shape, data }) => {
    const patterns = new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
    return { name, shape, dtype: 'F32', data: bfloat16ToFloats(patterns) };
  });

/** Other weights than the policy's, by which a wrong choice would show. */
const scrambled = (tensors: readonly TensorData[]): TensorData[] =>
  tensors.map((tensor) => ({ ...tensor, data: new Uint8Array(tensor.data.byteLength) }));

describe('a policy gives the same actions, to the last bit', () => {
  let expected: Float32Array;

  beforeAll(async () => {
    const { chunks } = await runEpisode(new PolicyFolder().export(), { chunks: 1 });
    expected = chunks[0]!.actions;
  });

  it.each<[string, () => PolicyFolder]>([
    ['in three files with an index', () => new PolicyFolder().shard(3)],
    [
      'under the original’s names',
      () =>
        new PolicyFolder().tensors(
          WEIGHTS,
          rename((name) => name),
        ),
    ],
    [
      'under the released names',
      () =>
        new PolicyFolder().tensors(
          WEIGHTS,
          rename((name) => `model.mot.${name}`.replace('mot.proprio', 'proprio')),
        ),
    ],
    ['under the first branch’s names', () => new PolicyFolder().tensors(WEIGHTS, rename(branchName))],
    [
      'from a data-parallel training',
      () =>
        new PolicyFolder().tensors(WEIGHTS, (all) => all.map((t) => ({ ...t, name: `module.${t.name}` }))),
    ],
    [
      'compiled, with a wrapper at every block',
      () =>
        new PolicyFolder().tensors(WEIGHTS, (all) =>
          all.map((t) => ({ ...t, name: `_orig_mod.${t.name.replace(/(layers\.\d+\.)/, '$1_orig_mod.')}` })),
        ),
    ],
    [
      'as a moving average alone',
      () =>
        new PolicyFolder().tensors(WEIGHTS, (all) => all.map((t) => ({ ...t, name: `ema_model.${t.name}` }))),
    ],
    ['in float32 files', () => new PolicyFolder().tensors(WEIGHTS, asFloat32)],
    [
      'with buffers beside the weights',
      () =>
        new PolicyFolder().tensors(WEIGHTS, (all) => [
          ...all,
          { name: 'model.mot.mixtures.video.freqs', dtype: 'F32', shape: [4], data: new Float32Array(4) },
          { name: 'model.video_scheduler.sigmas', dtype: 'F32', shape: [2], data: new Float32Array(2) },
        ]),
    ],
  ])('%s', async (_, make) => {
    const { chunks } = await runEpisode(make().export(), { chunks: 1 });
    expect(chunks[0]!.actions).toEqual(expected);
  });

  it('carried into the bundle, shards and all', async () => {
    const out = new PolicyFolder().shard(2).export({ selfContained: true });
    const moved = temporaryFolder();
    cpSync(out, moved, { recursive: true });
    const { chunks, bundle } = await runEpisode(moved, { chunks: 1 });
    expect(bundle.weightFiles().every(({ path }) => path.startsWith(moved))).toBe(true);
    expect(chunks[0]!.actions).toEqual(expected);
  });

  it('from the folders that a training leaves', async () => {
    const training = temporaryFolder();
    const inner = join(training, 'checkpoints', 'last', 'pretrained_model');
    mkdirSync(inner, { recursive: true });
    cpSync(POLICY, inner, { recursive: true });
    const out = temporaryFolder();
    exportBundle({ lerobot: training, vae: MICRO, out });
    const { chunks } = await runEpisode(out, { chunks: 1 });
    expect(chunks[0]!.actions).toEqual(expected);
  });

  it('with either of two sets of weights, once it is said which', async () => {
    const both = new PolicyFolder().tensors(WEIGHTS, (all) => [
      ...all,
      ...scrambled(all).map((t) => ({ ...t, name: `ema.${t.name}` })),
    ]);
    expect(() => both.export()).toThrow(/has the weights twice.*--weights trained or --weights averaged/);
    const { chunks, bundle } = await runEpisode(both.export({ weights: 'trained' }), { chunks: 1 });
    expect(chunks[0]!.actions).toEqual(expected);
    expect(bundle.manifest.weights.policy.set).toBe('trained');
  });
});

describe('what a policy’s configuration says', () => {
  const manifestOf = (folder: PolicyFolder): Bundle['manifest'] => Bundle.open(folder.export()).manifest;

  it('goes into the bundle: steps, shift, seed, actions to execute, prompt, type', () => {
    const manifest = manifestOf(
      new PolicyFolder().config({
        num_inference_steps: 6,
        sigma_shift: 3,
        inference_seed: 7,
        n_action_steps: 4,
        prompt_template: 'do {task}',
        torch_dtype: 'float32',
      }),
    );
    expect(manifest.sampler).toEqual({ steps: 6, shift: 3, seed: 7 });
    expect(manifest.control.replan_steps).toBe(4);
    expect(manifest.prompt_template).toBe('do {task}');
    expect(manifest.image).toEqual({ pipeline: 'lerobot', dtype: 'float32', rounding: 'before' });
    expect(manifestOf(new PolicyFolder()).sampler).toEqual({
      steps: 10,
      shift: 5,
      timestep_dtype: 'bfloat16',
      seed: 42,
    });
  });

  it('names cameras as the policy does, and keeps the dataset’s names beside them', () => {
    const renamed = new PolicyFolder().step('pre', 'rename_observations_processor', {
      rename_map: {
        'observation.images.cam_high': 'observation.images.front',
        'observation.images.cam_hand': 'observation.images.wrist',
      },
    });
    expect(manifestOf(renamed).cameras.map(({ name, source }) => [name, source])).toEqual([
      ['front', 'cam_high'],
      ['wrist', 'cam_hand'],
    ]);
  });

  it('decides how long contexts are, as LeRobot’s tokenizer does, and not by context_len', () => {
    const { dimensions } = Bundle.open(new PolicyFolder().config({ tokenizer_max_len: 48 }).export());
    expect(dimensions.contextLength).toBe(48);
  });

  it('gives every feature its own normalisation', () => {
    const folder = new PolicyFolder()
      .step('pre', 'normalizer_processor', { norm_map: { STATE: 'IDENTITY', ACTION: 'MIN_MAX' } })
      .step('post', 'unnormalizer_processor', { norm_map: { ACTION: 'MIN_MAX' }, features: {} });
    const bundle = Bundle.open(folder.export());
    const state = Float32Array.from({ length: 8 }, (_, i) => 10 * i - 35);
    expect(new ProprioTransform(bundle).apply(state)).toEqual(state);
    const statistics = openSafetensors(join(folder.path, folder.stateFile('post'))).tensors;
    const [min, max] = ['min', 'max'].map((name) => readFloat32(statistics.get(`action.${name}`)!));
    const rows = [-1, 1].flatMap((end) => new Array<number>(7).fill(end));
    const { actions } = new ActionTransform(bundle).apply(
      Float32Array.from({ length: 224 }, (_, i) => rows[i % 14]!),
      state,
    );
    // Without the gripper, which is toggled.
    expect(actions.slice(0, 6)).toEqual(min!.slice(0, 6));
    for (let i = 0; i < 6; i++) expect(actions[7 + i]).toBeCloseTo(max![i]!, 6);
    expect([actions[6], actions[13]].map((value) => Math.abs(value!))).toEqual([1, 1]);
  });

  it('says that actions without a map keep the dataset’s units', () => {
    const folder = new PolicyFolder().step('post', 'unnormalizer_processor', { norm_map: {} });
    const { actions } = manifestOf(folder);
    expect(actions.normaliser.mode).toBe('none');
    expect(new Set(actions.items.map(({ unit }) => unit))).toEqual(new Set(['']));
  });

  it('puts the task in every place that the prompt has for it', () => {
    const folder = new PolicyFolder().config({ prompt_template: '{task}! Please {task}.' });
    const bundle = Bundle.open(folder.export());
    expect(bundle.prompt('wave $&')).toBe('wave $&! Please wave $&.');
  });

  it('puts three cameras side by side where the width does not divide', async () => {
    const shape = [3, 64, 42];
    const inputs = Object.fromEntries(
      ['b', 'c', 'a'].map((name) => [`observation.images.${name}`, { type: 'VISUAL', shape }]),
    );
    const folder = new PolicyFolder().json('config.json', (config) => {
      const state = (config.input_features as Record<string, unknown>)['observation.state'];
      config.input_features = { ...inputs, 'observation.state': state };
    });
    const { chunks, bundle } = await runEpisode(folder.export(), { chunks: 1 });
    expect(bundle.manifest.cameras.map(({ name, x, width }) => [name, x, width])).toEqual([
      ['a', 0, 42],
      ['b', 42, 42],
      ['c', 84, 42],
    ]);
    expect(chunks[0]!.actions.every(Number.isFinite)).toBe(true);
  });

  it('may leave proprioception out', async () => {
    const folder = new PolicyFolder()
      .config({ proprio_dim: null })
      .json('config.json', (config) => {
        delete (config.input_features as Record<string, unknown>)['observation.state'];
      })
      .tensors(WEIGHTS, (all) => all.filter(({ name }) => !name.includes('proprio')));
    const { chunks, bundle } = await runEpisode(folder.export(), { chunks: 1 });
    expect(bundle.dimensions.proprioDim).toBe(0);
    expect(chunks[0]!.actions.every(Number.isFinite)).toBe(true);
  });

  it('composes a mosaic of its parts', async () => {
    const folder = new PolicyFolder().json('config.json', (config) => {
      const state = (config.input_features as Record<string, unknown>)['observation.state'];
      const image = { type: 'VISUAL', shape: [3, 64, 128] };
      config.input_features = { 'observation.images.image': image, 'observation.state': state };
    });
    const { chunks, bundle } = await runEpisode(folder.export({ mosaic: 'head,left,right' }), { chunks: 1 });
    expect(
      bundle.manifest.cameras.map(({ name, x, y, width, height }) => [name, x, y, width, height]),
    ).toEqual([
      ['head', 0, 0, 128, 43],
      ['left', 0, 43, 64, 21],
      ['right', 64, 43, 64, 21],
    ]);
    expect(bundle.manifest.image!.mosaic).toEqual({ width: 128, height: 64 });
    expect(chunks[0]!.actions.every(Number.isFinite)).toBe(true);
    expect(() => new PolicyFolder().export({ mosaic: 'robotwin' })).toThrow(/the policy has 2 cameras/);
  });

  it('adds what is known of a benchmark’s robot', () => {
    const out = new PolicyFolder().export({ config: 'libero' });
    const { manifest } = Bundle.open(out);
    expect(manifest.cameras.every(({ rotate180 }) => rotate180)).toBe(true);
    expect(manifest.actions.items[6]).toEqual({ name: 'gripper', unit: '', group: 'gripper' });
    expect(manifest.actions.gripper).toEqual([{ index: 6, rule: 'libero', binarize: true, threshold: 0 }]);
    expect(manifest.control).toEqual({ rate: 20, replan_steps: 10 });
  });
});

describe('a policy of relative actions', () => {
  const source = join(FIXTURES, 'lerobot', 'processors', 'relative_checkpoint');
  const tensor = (name: string): Float32Array =>
    golden('processors/relative_checkpoint/golden.safetensors', name);

  /** Its processors on the weights of the other fixture, which has the same sizes. */
  function policy(): PolicyFolder {
    const folder = new PolicyFolder(source);
    cpSync(join(POLICY, WEIGHTS), join(folder.path, WEIGHTS));
    return folder;
  }

  it('has its states normalised and its actions made absolute as LeRobot does', () => {
    const bundle = Bundle.open(policy().export());
    expect(bundle.manifest.actions.relative).toEqual([0, 1, 2, 3, 4, 5]);
    expect(bundle.manifest.actions.items.map(({ name }) => name)).toContain('gripper.pos');
    const state = tensor('state');
    const proprio = new ProprioTransform(bundle);
    const actions = new ActionTransform(bundle);
    for (let c = 0; c < 4; c++) {
      const own = state.subarray(8 * c, 8 * c + 8);
      expect(proprio.apply(own)).toEqual(tensor('state_norm').slice(8 * c, 8 * c + 8));
      const given = tensor('action_norm').subarray(224 * c, 224 * (c + 1));
      expect(actions.apply(given, own).actions).toEqual(tensor('action').slice(224 * c, 224 * (c + 1)));
    }
  });

  it('is refused where only one of the two steps is enabled', () => {
    const half = policy().step('post', 'absolute_actions_processor', { enabled: false });
    expect(() => half.export()).toThrow(/no absolute_actions_processor is enabled/);
  });
});
