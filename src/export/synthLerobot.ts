import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { completeDimensions, expectedTensors } from '../bundle/layout';
import type { ModelDimensions, TensorShapes } from '../bundle/layout';
import { lerobotName } from '../bundle/policyNames';
import { UsageError } from '../errors';
import { makeOutputFolder } from '../formats/outputFolder';
import { headerBytes, writeSafetensors } from '../formats/safetensors';
import { TensorContent, writeTorchFile } from '../formats/torchWriter';
import { writeAtomically } from '../formats/writeAtomically';
import { POSTPROCESSOR_FILE, PREPROCESSOR_FILE } from './lerobot/processors';
import { DEFAULT_PROMPT_TEMPLATE, configuredDimensions } from './modelConfig';
import type { ModelConfig } from './modelConfig';
import { RandomTensors } from './RandomTensors';
import { randomWeight } from './synth';
import type { SynthOptions } from './synth';

const DEFAULT_CONTEXT_LENGTH = 128;
const STATE_FILES = {
  pre: 'policy_preprocessor_step_3_normalizer_processor.safetensors',
  post: 'policy_postprocessor_step_0_unnormalizer_processor.safetensors',
} as const;
/** Two cameras side by side. */
const CAMERAS = ['observation.images.image', 'observation.images.wrist_image'];

/** What was written where. */
export interface LerobotSynthReport {
  readonly dimensions: ModelDimensions;
  readonly policy: string;
  readonly weights: string;
  readonly vae: string;
  readonly parameters: number;
}

/**
 * Writes a LeRobot policy of any size with random weights in today's layout (`config.json`, `model.safetensors`, processors with
 * statistics) and a VAE beside it. Weights are streamed; sparse ones are holes.
 * @throws UsageError for a configuration that lacks a size, and for a folder that already has a policy
 */
export function synthesiseLerobot(
  config: ModelConfig,
  folder: string,
  options: Omit<SynthOptions, 'tasks'>,
): LerobotSynthReport {
  const given = configuredDimensions(config, config.context_len ?? DEFAULT_CONTEXT_LENGTH);
  const dims = completeDimensions({ proprioDim: 0, ...given });
  const policy = join(folder, 'policy');
  const weights = join(policy, 'model.safetensors');
  const vae = join(folder, 'vae_encoder.pth');
  if (existsSync(weights) && options.overwrite !== true) {
    throw new UsageError(`${weights} exists already; choose another folder, or remove it first`);
  }
  makeOutputFolder(policy);
  const random = new RandomTensors(options.seed);
  const expected = expectedTensors(dims);
  const make = (shapes: TensorShapes, rename: (name: string) => string): Map<string, TensorContent> =>
    new Map(
      [...shapes].map(([name, shape]) => [rename(name), randomWeight(random, name, shape, options.dtype)]),
    );
  const tensors = make(
    new Map([...expected.mot, ...expected.unneeded.mot, ...expected.proprioEncoder]),
    lerobotName,
  );
  const encoder = make(new Map([...expected.vae, ...expected.unneeded.vae]), (name) => name);
  const policyBytes = bytesOf(tensors);
  const total = policyBytes + bytesOf(encoder);
  streamSafetensors(weights, tensors, options, (done) => options.onProgress?.(done, total));
  writeTorchFile(vae, encoder, {
    ...(options.sparse === undefined ? {} : { sparse: options.sparse }),
    onProgress: (done) => options.onProgress?.(policyBytes + done, total),
  });
  writeJson(join(policy, 'config.json'), policyConfig(config, dims, options.dtype));
  writeProcessors(policy, dims);
  return { dimensions: dims, policy, weights, vae, parameters: total / (options.dtype === 'F32' ? 4 : 2) };
}

function bytesOf(tensors: ReadonlyMap<string, TensorContent>): number {
  return [...tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** Writes a safetensors file whose tensors are made when their turn comes, or left as holes. */
function streamSafetensors(
  path: string,
  tensors: ReadonlyMap<string, TensorContent>,
  { sparse }: Pick<SynthOptions, 'sparse'>,
  onProgress: (done: number) => void,
): void {
  const entries = [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  writeAtomically(path, (sink) => {
    sink.write(headerBytes(entries, { format: 'pt' }));
    let done = 0;
    for (const content of tensors.values()) {
      if (sparse === true) sink.skip(content.byteLength);
      else {
        for (const view of content.data()) {
          sink.write(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
        }
      }
      done += content.byteLength;
      onProgress(done);
    }
  });
}

function features(dims: ModelDimensions): Record<string, { type: string; shape: number[] }> {
  const shape = [3, dims.height, Math.floor(dims.width / CAMERAS.length)];
  return {
    ...Object.fromEntries(CAMERAS.map((key) => [key, { type: 'VISUAL', shape }])),
    ...(dims.proprioDim > 0 && { 'observation.state': { type: 'STATE', shape: [dims.proprioDim] } }),
  };
}

const NORMALISATION = { VISUAL: 'IDENTITY', STATE: 'MEAN_STD', ACTION: 'MEAN_STD' } as const;

function policyConfig(config: ModelConfig, dims: ModelDimensions, dtype: 'F32' | 'BF16'): unknown {
  const shared = {
    num_heads: dims.heads,
    attn_head_dim: dims.headDim,
    num_layers: dims.layers,
    text_dim: dims.textDim,
    freq_dim: dims.freqDim,
    eps: dims.eps,
  };
  return {
    type: 'fastwam',
    n_obs_steps: 1,
    input_features: features(dims),
    output_features: { action: { type: 'ACTION', shape: [dims.actionDim] } },
    use_peft: false,
    action_dim: dims.actionDim,
    proprio_dim: dims.proprioDim === 0 ? null : dims.proprioDim,
    action_horizon: dims.horizon,
    n_action_steps: config.replan_steps ?? Math.min(10, dims.horizon),
    image_size: [dims.height, dims.width],
    context_len: dims.contextLength,
    tokenizer_max_len: dims.contextLength,
    torch_dtype: dtype === 'F32' ? 'float32' : 'bfloat16',
    prompt_template: config.prompt_template ?? DEFAULT_PROMPT_TEMPLATE,
    num_inference_steps: dims.steps,
    inference_seed: 42,
    rand_device: 'cpu',
    sigma_shift: null,
    toggle_action_dimensions: [],
    action_scheduler: { train_shift: dims.shift, infer_shift: dims.shift, num_train_timesteps: 1000 },
    video_dit_config: {
      ...shared,
      patch_size: [1, 2, 2],
      in_dim: 48,
      hidden_dim: dims.videoDim,
      ffn_dim: dims.videoFfn,
      seperated_timestep: true,
      video_attention_mask_mode: 'first_frame_causal',
      action_conditioned: false,
    },
    action_dit_config: {
      ...shared,
      action_dim: dims.actionDim,
      hidden_dim: dims.actionHidden,
      ffn_dim: dims.actionFfn,
    },
    normalization_mapping: NORMALISATION,
  };
}

function writeProcessors(policy: string, dims: ModelDimensions): void {
  const action = { action: { type: 'ACTION', shape: [dims.actionDim] } };
  const device = { registry_name: 'device_processor', config: { device: 'cpu', float_dtype: null } };
  const normaliser = (name: string, shapes: unknown, file: string): unknown => ({
    registry_name: name,
    config: { eps: 1e-8, features: shapes, norm_map: NORMALISATION },
    state_file: file,
  });
  writeJson(join(policy, PREPROCESSOR_FILE), {
    name: 'policy_preprocessor',
    steps: [
      { registry_name: 'rename_observations_processor', config: { rename_map: {} } },
      { registry_name: 'to_batch_processor', config: {} },
      device,
      normaliser('normalizer_processor', { ...features(dims), ...action }, STATE_FILES.pre),
    ],
  });
  writeJson(join(policy, POSTPROCESSOR_FILE), {
    name: 'policy_postprocessor',
    steps: [normaliser('unnormalizer_processor', action, STATE_FILES.post), device],
  });
  const field = (name: string, dim: number): [string, Float32Array][] => [
    [`${name}.mean`, new Float32Array(dim)],
    [`${name}.std`, new Float32Array(dim).fill(0.5)],
  ];
  const statistics = [
    ...field('action', dims.actionDim),
    ...(dims.proprioDim > 0 ? field('observation.state', dims.proprioDim) : []),
  ].map(([name, data]) => ({ name, dtype: 'F32' as const, shape: [data.length], data }));
  for (const file of Object.values(STATE_FILES)) writeSafetensors(join(policy, file), statistics);
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}
