import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FastWamError } from '../../../src/errors';
import type { ExportOptions } from '../../../src/export/exportBundle';
import type { TensorData } from '../../../src/formats/safetensors';
import { removeFolders } from '../../helpers';
import { MICRO, PolicyFolder } from './policyFolder';

afterAll(removeFolders);

const WEIGHTS = 'model.safetensors';
type Json = Record<string, unknown>;

const policy = (): PolicyFolder => new PolicyFolder();
const without =
  (pattern: RegExp) =>
  (tensors: TensorData[]): TensorData[] =>
    tensors.filter(({ name }) => !pattern.test(name));
const section = (key: string, change: Json) => (config: Json) =>
  void Object.assign(config[key] as Json, change);
/** A statistic with other numbers. */
const statistic =
  (name: string, change: (values: Float32Array) => Float32Array) =>
  (tensors: TensorData[]): TensorData[] =>
    tensors.map((tensor) => {
      if (tensor.name !== name) return tensor;
      const { data } = tensor;
      const values = change(
        new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)),
      );
      return { ...tensor, shape: [values.length], data: values };
    });
const withStatistics = (
  pipeline: 'pre' | 'post',
  change: (tensors: TensorData[]) => TensorData[],
): PolicyFolder => {
  const folder = policy();
  return folder.tensors(folder.stateFile(pipeline), change);
};

describe('a policy with one thing wrong in it is refused with a sentence that names it:', () => {
  it.each<[string, () => PolicyFolder, RegExp, Partial<ExportOptions>?]>([
    ['adapters by configuration', () => policy().config({ use_peft: true }), /use_peft is true.*merge/],
    [
      'adapters beside it',
      () => {
        const folder = policy();
        writeFileSync(join(folder.path, 'adapter_config.json'), '{}');
        return folder;
      },
      /adapters \(PEFT, LoRA\)/,
    ],
    [
      'CAE-FastWAM',
      () => policy().config({ type: 'cae_fastwam' }),
      /"cae_fastwam": CAE-FastWAM.*another architecture/,
    ],
    ['Faster-WAM', () => policy().config({ type: 'fasterwam' }), /Faster-WAM/],
    [
      'π0',
      () => policy().config({ type: 'pi0' }),
      /is a policy of type "pi0"; this program runs "fastwam" alone/,
    ],
    [
      'the base to train from',
      () => policy().tensors(WEIGHTS, without(/action_encoder|action\.head|proprio/)),
      /is a base checkpoint to train from .*lacks mixtures\.action\.action_encoder\.weight/,
    ],
    [
      'a missing tensor',
      () => policy().tensors(WEIGHTS, without(/layers\.1\.blocks\.action\.ffn\.2\.weight/)),
      /lacks tensor mixtures\.action\.blocks\.1\.ffn\.2\.weight \[32, 64\]/,
    ],
    [
      'a tensor that nobody knows',
      () =>
        policy().tensors(WEIGHTS, (all) => [
          ...all,
          {
            name: 'model.mot.mixtures.action.gate.weight',
            dtype: 'F32',
            shape: [2],
            data: new Float32Array(2),
          },
        ]),
      /has tensor "mixtures\.action\.gate\.weight" \[2\], which is not part of a Fast-WAM/,
    ],
    [
      'adapters between the weights',
      () =>
        policy().tensors(WEIGHTS, (all) => [
          ...all,
          {
            name: 'model.mot.layers.0.blocks.action.self_attn.q.lora_A.weight',
            dtype: 'F32',
            shape: [1, 32],
            data: new Float32Array(32),
          },
        ]),
      /holds adapters \(LoRA\)/,
    ],
    ['no weights', () => policy().remove(WEIGHTS), /has no model\.safetensors, nor its index/],
    [
      'a shard that was not fetched',
      () => policy().shard(2).remove('model-00002-of-00002.safetensors'),
      /names the shard "model-00002-of-00002\.safetensors", which is not there/,
    ],
    [
      'an index that names files elsewhere',
      () =>
        policy()
          .shard(2)
          .json('model.safetensors.index.json', section('weight_map', { x: '../other' })),
      /weight_map names "\.\.\/other" for tensor "x"/,
    ],
    [
      'other sizes than the weights',
      () => policy().json('config.json', section('video_dit_config', { hidden_dim: 64 })),
      /has video_dim 48, but the configuration says 64/,
    ],
    [
      'experts that do not fit',
      () => policy().json('config.json', section('action_dit_config', { num_heads: 3 })),
      /video_dit_config\.num_heads is 2 and action_dit_config\.num_heads 3/,
    ],
    [
      'another attention mask',
      () =>
        policy().json(
          'config.json',
          section('video_dit_config', { video_attention_mask_mode: 'bidirectional' }),
        ),
      /video_attention_mask_mode is "bidirectional", expected "first_frame_causal"/,
    ],
    [
      'an action-conditioned video',
      () => policy().json('config.json', section('video_dit_config', { action_conditioned: true })),
      /action_conditioned is true/,
    ],
    ['several observations', () => policy().config({ n_obs_steps: 2 }), /n_obs_steps is 2, expected 1/],
    [
      'more steps than the horizon',
      () => policy().config({ n_action_steps: 40 }),
      /n_action_steps is 40, more than action_horizon 32/,
    ],
    [
      'no shift',
      () => policy().json('config.json', section('action_scheduler', { infer_shift: undefined })),
      /says neither sigma_shift nor action_scheduler\.infer_shift/,
    ],
    [
      'a type that is none',
      () => policy().config({ torch_dtype: 'int8' }),
      /torch_dtype: expected one of float32, bfloat16, float16/,
    ],
    [
      'a prompt without the task',
      () => policy().config({ prompt_template: 'go' }),
      /prompt_template has no \{task\}/,
    ],
    [
      'no cameras',
      () =>
        policy().json('config.json', (config) => {
          config.input_features = { 'observation.state': { type: 'STATE', shape: [8] } };
        }),
      /input_features names no camera/,
    ],
    [
      'no state in the features',
      () =>
        policy().json('config.json', (config) => {
          delete (config.input_features as Json)['observation.state'];
        }),
      /input_features lacks observation\.state, but proprio_dim is 8/,
    ],
    [
      'a state of another size',
      () => policy().config({ proprio_dim: 7 }),
      /observation\.state has 8 numbers, but proprio_dim is 7/,
    ],
    [
      'no processors',
      () => policy().remove('policy_postprocessor.json'),
      /lacks policy_preprocessor\.json or policy_postprocessor\.json/,
    ],
    [
      'a step that nobody knows',
      () =>
        policy().json('policy_preprocessor.json', (pipeline) => {
          (pipeline.steps as Json[]).push({ registry_name: 'blur_processor', config: {} });
        }),
      /steps\.4 is "blur_processor", whose effect is not known here/,
    ],
    [
      'no normaliser',
      () => policy().step('pre', 'normalizer_processor', null),
      /has no normalizer_processor/,
    ],
    [
      'a mode that nobody knows',
      () => policy().step('post', 'unnormalizer_processor', { norm_map: { ACTION: 'LOG' } }),
      /norm_map\.ACTION is "LOG"/,
    ],
    [
      'a state file that was not fetched',
      () => {
        const folder = policy();
        return folder.remove(folder.stateFile('post'));
      },
      /policy_postprocessor_step_0.*does not exist, but .*steps\.0 names it/,
    ],
    [
      'a missing statistic',
      () => withStatistics('post', without(/^action\.std$/)),
      /lacks "action\.std", which MEAN_STD needs/,
    ],
    [
      'statistics of another robot',
      () =>
        withStatistics(
          'pre',
          statistic('observation.state.mean', (v) => v.slice(0, 6)),
        ),
      /"observation\.state\.mean" has 6 numbers, expected 8/,
    ],
    [
      'a negative deviation',
      () =>
        withStatistics(
          'post',
          statistic('action.std', (v) => v.map((x, i) => (i === 2 ? -x : x))),
        ),
      /"action\.std" \[2\] is -0\.4.*at least 0/,
    ],
    [
      'a number that is none',
      () =>
        withStatistics(
          'post',
          statistic('action.mean', (v) => v.map((x, i) => (i === 1 ? NaN : x))),
        ),
      /"action\.mean" \[1\] is NaN/,
    ],
    [
      'a toggle out of range',
      () => policy().step('post', 'fastwam_action_toggle_processor', { toggle_dimensions: [-8] }),
      /toggles action dimension -8, but there are 7/,
    ],
    [
      'a crop',
      () =>
        new PolicyFolder(join(MICRO, '..', 'legacy', 'mean_std')).step(
          'pre',
          'fastwam_image_crop_resize_processor',
          { crop_params_dict: { 'observation.images.front': [0, 0, 10, 10] } },
        ),
      /crop_params_dict cuts the pictures/,
    ],
    [
      'a configuration that is no JSON',
      () => {
        const folder = policy();
        writeFileSync(join(folder.path, 'config.json'), '{"type": "fastwam",');
        return folder;
      },
      /config\.json: is not JSON/,
    ],
    ['the VAE of Wan 2.1', policy, /has 16 latent channels \(z_dim\), expected 48/, { vae: 'wan21' }],
    ['a policy as VAE', policy, /is not the VAE of Wan 2\.2/, { vae: 'policy' }],
    [
      'statistics besides',
      policy,
      /--stats: a LeRobot policy has its statistics with it/,
      { stats: 'x.json' },
    ],
    [
      'cameras that it does not have',
      policy,
      /the policy has no camera top; its cameras are front, wrist/,
      { robot: 'cameras' },
    ],
  ])('%s', (_, make, sentence, options = {}) => {
    const folder = make();
    const given: Partial<ExportOptions> = { ...options };
    const beside = join(folder.path, 'beside');
    mkdirSync(beside);
    if (options.vae === 'policy') Object.assign(given, { vae: join(folder.path, WEIGHTS) });
    if (options.vae === 'wan21') {
      writeFileSync(join(beside, 'config.json'), '{"_class_name": "AutoencoderKLWan", "z_dim": 16}');
      Object.assign(given, { vae: beside });
    }
    if (options.robot !== undefined) {
      writeFileSync(join(beside, 'robot.yaml'), 'cameras: [{ name: top, x: 0, y: 0, width: 1, height: 1 }]');
      Object.assign(given, { robot: join(beside, 'robot.yaml') });
    }
    const run = (): string => folder.export(given);
    expect(run).toThrow(sentence);
    expect(run).toThrow(FastWamError);
    expect(run).not.toThrow(/\n/);
  });
});
