import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { ModelDimensions } from '../../bundle/layout';
import { FileFormatError, UsageError } from '../../errors';
import { FLOAT_TYPES } from '../../formats/halfPrecision';
import { quoted } from '../../words/quoted';
import { readJson } from './readJson';

const CONFIG_FILE = 'config.json';
/** Where LeRobot's training puts a policy inside a step's folder. */
const INNER_FOLDER = 'pretrained_model';

const size = z.number().int().positive();
const feature = z.object({ type: z.string(), shape: z.array(z.number().int().nonnegative()) });

/** Sizes of an expert, as far as they matter here. */
const expert = z.object({
  hidden_dim: size.optional(),
  ffn_dim: size.optional(),
  num_heads: size,
  attn_head_dim: size,
  num_layers: size.optional(),
  text_dim: size.optional(),
  freq_dim: size.optional(),
  eps: z.number().positive().optional(),
});

const schema = z.object({
  type: z.string().optional(),
  n_obs_steps: z.number().int().default(1),
  input_features: z.record(z.string(), feature).nullish(),
  output_features: z.record(z.string(), feature).nullish(),
  use_peft: z.boolean().nullish(),
  action_dim: size,
  proprio_dim: z
    .number()
    .int()
    .positive({ error: 'expected a size, or null for a policy without a state' })
    .nullable(),
  action_horizon: size,
  n_action_steps: size,
  image_size: z.tuple([size, size]),
  context_len: size.default(128),
  tokenizer_max_len: size.nullish(),
  torch_dtype: z.enum(FLOAT_TYPES, {
    error: `expected one of ${FLOAT_TYPES.join(', ')}, in which the policy was run`,
  }),
  prompt_template: z.string(),
  num_inference_steps: size,
  inference_seed: z.number().int().nonnegative().nullish(),
  rand_device: z.string().default('cpu'),
  sigma_shift: z.number().positive().nullish(),
  action_scheduler: z
    .object({
      infer_shift: z.number().positive().optional(),
      num_train_timesteps: z.number().optional(),
    })
    .nullish(),
  toggle_action_dimensions: z.array(z.number().int()).default([]),
  use_relative_actions: z.boolean().default(false),
  relative_exclude_joints: z.array(z.string()).nullish(),
  action_feature_names: z.array(z.string()).nullish(),
  normalization_mapping: z.record(z.string(), z.string()).default({}),
  video_dit_config: expert
    .extend({
      in_dim: z.number().optional(),
      patch_size: z.array(z.number()).optional(),
      seperated_timestep: z.boolean().optional(),
      video_attention_mask_mode: z.string().optional(),
      action_conditioned: z.boolean().optional(),
    })
    .nullish(),
  action_dit_config: expert.extend({ action_dim: size.optional() }).nullish(),
});

/** What a policy's `config.json` says, as far as it matters here. */
export type LerobotConfig = z.infer<typeof schema>;

/** The default sizes of both experts. Source: `default_video_dit_config` of LeRobot's `configuration_fastwam.py`. */
const DEFAULT_EXPERT = { num_heads: 24, attn_head_dim: 128 } as const;

/**
 * The folder of a policy: itself, its `pretrained_model`, or the same of a training's last step.
 * @throws UsageError that says what was looked for
 */
export function policyFolder(path: string): string {
  const places = [
    path,
    join(path, INNER_FOLDER),
    join(path, 'checkpoints', 'last', INNER_FOLDER),
    join(path, 'last', INNER_FOLDER),
  ];
  const found = places.find((place) => existsSync(join(place, CONFIG_FILE)));
  if (found !== undefined) return found;
  if (existsSync(join(path, 'adapter_config.json'))) throw new FileFormatError(path, ADAPTERS);
  throw new UsageError(
    `--lerobot ${path}: no ${CONFIG_FILE} in it, nor in ${INNER_FOLDER}; expected a folder that LeRobot's save_pretrained wrote`,
  );
}

const ADAPTERS =
  'holds adapters (PEFT, LoRA) that belong to another policy; merge them into it (merge_and_unload) and save the whole';

/** Other policies whose names begin alike, and what is different about them. */
const OTHER_ARCHITECTURES: Readonly<Record<string, string>> = {
  cae_fastwam: 'CAE-FastWAM, whose small action expert with its own decoder is another architecture',
  fasterwam: 'Faster-WAM, whose single-layer action expert is another architecture',
  faster_wam: 'Faster-WAM, whose single-layer action expert is another architecture',
  lawam: 'LaWAM, a latent world action model, which is another architecture',
};

/**
 * Reads a policy's `config.json`.
 * @throws FileFormatError naming the key, or the architecture that this is not
 */
export function readLerobotConfig(folder: string): LerobotConfig {
  const path = join(folder, CONFIG_FILE);
  const { type } = readJson(path, z.object({ type: z.string().optional() }));
  if (type !== 'fastwam') {
    const known = type === undefined ? undefined : OTHER_ARCHITECTURES[type.toLowerCase()];
    const what =
      type === undefined
        ? 'names no policy type'
        : `is a policy of type ${quoted(type)}${known ? `: ${known}` : ''}`;
    throw new FileFormatError(path, `${what}; this program runs "fastwam" alone`);
  }
  const config = readJson(path, schema);
  const refuse = (problem: string): never => {
    throw new FileFormatError(path, problem);
  };
  if (config.use_peft === true) refuse(`use_peft is true: the folder ${ADAPTERS}`);
  if (existsSync(join(folder, 'adapter_config.json'))) throw new FileFormatError(folder, ADAPTERS);
  if (config.n_obs_steps !== 1) {
    refuse(`n_obs_steps is ${config.n_obs_steps}, expected 1: Fast-WAM sees one observation`);
  }
  if (config.n_action_steps > config.action_horizon) {
    refuse(
      `n_action_steps is ${config.n_action_steps}, more than action_horizon ${config.action_horizon}: a chunk has not so many actions`,
    );
  }
  if (!config.prompt_template.includes('{task}')) refuse('prompt_template has no {task} in it');
  const field = /\{(?!task\})[^}]*\}?|\}\}/.exec(config.prompt_template)?.[0];
  if (field !== undefined) {
    refuse(`prompt_template has ${quoted(field)}, which Python would format; expected {task} alone`);
  }
  const trained = config.action_scheduler?.num_train_timesteps;
  if (trained !== undefined && trained !== 1000) {
    refuse(`action_scheduler.num_train_timesteps is ${trained}, expected 1000`);
  }
  checkVideo(config, refuse);
  checkExperts(config, refuse);
  checkFeatures(config, refuse);
  return config;
}

type Refuse = (problem: string) => never;

/** Settings of the video expert that this model has: key, value, why, and what `WanVideoDiT` of LeRobot takes where it is absent. */
const VIDEO_SETTINGS = [
  [
    'video_attention_mask_mode',
    'first_frame_causal',
    'the first frame may not see the others',
    'bidirectional',
  ],
  ['seperated_timestep', true, 'the first frame has a timestep of its own, 0', false],
  ['action_conditioned', false, 'actions condition nothing here', false],
  ['in_dim', 48, 'the latents of Wan 2.2', 48],
] as const;

function checkVideo({ video_dit_config: video }: LerobotConfig, refuse: Refuse): void {
  if (!video) return;
  for (const [key, wanted, why, absent] of VIDEO_SETTINGS) {
    const found = video[key] ?? absent;
    if (found === wanted) continue;
    const given = video[key] === undefined ? 'is left out, which LeRobot takes for' : 'is';
    refuse(
      `video_dit_config.${key} ${given} ${JSON.stringify(found)}, expected ${JSON.stringify(wanted)} (${why})`,
    );
  }
  if (video.patch_size && video.patch_size.join() !== '1,2,2') {
    refuse(`video_dit_config.patch_size is [${video.patch_size.join(', ')}], expected [1, 2, 2]`);
  }
}

/** Both experts attend to one another, so these sizes must be the same. */
function checkExperts(config: LerobotConfig, refuse: Refuse): void {
  const { video_dit_config: video, action_dit_config: action } = config;
  if (video && action) {
    for (const key of ['num_heads', 'attn_head_dim', 'num_layers', 'text_dim', 'freq_dim', 'eps'] as const) {
      if (video[key] !== undefined && action[key] !== undefined && video[key] !== action[key]) {
        refuse(
          `video_dit_config.${key} is ${video[key]} and action_dit_config.${key} ${action[key]}, expected the same`,
        );
      }
    }
  }
  if (action?.action_dim !== undefined && action.action_dim !== config.action_dim) {
    refuse(
      `action_dit_config.action_dim is ${action.action_dim} and action_dim ${config.action_dim}, expected the same`,
    );
  }
}

const CAMERA_PREFIX = 'observation.images.';
const STATE = 'observation.state';

function checkFeatures(config: LerobotConfig, refuse: Refuse): void {
  const inputs = config.input_features ?? {};
  if (cameraKeys(config).length === 0) {
    refuse(
      `input_features names no camera (${CAMERA_PREFIX}<name>, type VISUAL); without them nobody knows which pictures the policy sees, and in which order`,
    );
  }
  const stray = Object.entries(inputs).find(
    ([key, { type }]) => type.toUpperCase() === 'VISUAL' && !key.startsWith(CAMERA_PREFIX),
  );
  if (stray)
    refuse(
      `input_features has the camera ${quoted(stray[0])}, expected names that begin with ${CAMERA_PREFIX}`,
    );
  const state = inputs[STATE];
  if (config.proprio_dim !== null && !state) {
    refuse(
      `input_features lacks ${STATE}, but proprio_dim is ${config.proprio_dim}; LeRobot would run without it, silently`,
    );
  }
  if (state && config.proprio_dim !== null && state.shape[0] !== config.proprio_dim) {
    refuse(`input_features.${STATE} has ${state.shape[0]} numbers, but proprio_dim is ${config.proprio_dim}`);
  }
  const action = config.output_features?.action;
  if (action && action.shape[0] !== config.action_dim) {
    refuse(`output_features.action has ${action.shape[0]} numbers, but action_dim is ${config.action_dim}`);
  }
}

/** The cameras' full keys, in the order in which the policy puts them side by side: that of their names. */
export function cameraKeys({ input_features: inputs }: Pick<LerobotConfig, 'input_features'>): string[] {
  return Object.keys(inputs ?? {})
    .filter((key) => key.startsWith(CAMERA_PREFIX) && !key.endsWith('_is_pad'))
    .sort();
}

/** A camera's name without the prefix that LeRobot's keys have. */
export function cameraName(key: string): string {
  return key.startsWith(CAMERA_PREFIX) ? key.slice(CAMERA_PREFIX.length) : key;
}

/**
 * The shift of the schedule that the policy runs with, and where it is said.
 * @throws FileFormatError where it is not said: 1 and 5 both occur, and the wrong one gives wrong actions
 */
export function effectiveShift(config: LerobotConfig, folder: string): { shift: number; where: string } {
  if (config.sigma_shift != null) return { shift: config.sigma_shift, where: 'sigma_shift' };
  const shift = config.action_scheduler?.infer_shift;
  if (shift !== undefined) return { shift, where: 'action_scheduler.infer_shift' };
  throw new FileFormatError(
    join(folder, CONFIG_FILE),
    'says neither sigma_shift nor action_scheduler.infer_shift; add the one the policy was trained with (the first released ones: 5.0)',
  );
}

/** The sizes that `config.json` states; what the weights say too is checked against them. */
export function lerobotDimensions(config: LerobotConfig, shift: number): Partial<ModelDimensions> {
  const { video_dit_config: video, action_dit_config: action } = config;
  const [height, width] = config.image_size;
  const shared = action ?? video ?? DEFAULT_EXPERT;
  const stated: { [K in keyof ModelDimensions]?: ModelDimensions[K] | undefined } = {
    height,
    width,
    actionDim: config.action_dim,
    proprioDim: config.proprio_dim ?? 0,
    horizon: config.action_horizon,
    heads: shared.num_heads,
    headDim: shared.attn_head_dim,
    layers: action?.num_layers ?? video?.num_layers,
    videoDim: video?.hidden_dim,
    videoFfn: video?.ffn_dim,
    actionHidden: action?.hidden_dim,
    actionFfn: action?.ffn_dim,
    textDim: action?.text_dim ?? video?.text_dim,
    freqDim: action?.freq_dim ?? video?.freq_dim,
    eps: action?.eps ?? video?.eps,
    // LeRobot pads and cuts prompts to this one, and never reads context_len.
    contextLength: config.tokenizer_max_len ?? config.context_len,
    steps: config.num_inference_steps,
    shift,
  };
  return Object.fromEntries(Object.entries(stated).filter(([, value]) => value !== undefined));
}
