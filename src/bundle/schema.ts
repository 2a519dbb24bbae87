import { z } from 'zod';
import { FLOAT_TYPES } from '../formats/halfPrecision';
import { STATISTIC_MODES } from '../formats/statisticNormaliser';

/** Which of several sets of weights in one file is meant: the trained ones, or their moving average. */
export const WEIGHT_SETS = ['trained', 'averaged'] as const;
export type WeightSet = (typeof WEIGHT_SETS)[number];

/**
 * What is done to a prompt before the tokenizer sees it, a fact of how the checkpoint was trained. `upstream`: the
 * original's (ftfy, HTML entities, white space); `none`: LeRobot's.
 */
export const CLEANINGS = ['upstream', 'none'] as const;
export type Cleaning = (typeof CLEANINGS)[number];

/** Version of `bundle.json`; a reader refuses others in one sentence. */
export const BUNDLE_VERSION = 1;

const positive = z.number().int().positive();
const finite = z.number();

const dimensions = z.strictObject({
  height: positive,
  width: positive,
  action_dim: positive,
  proprio_dim: z.number().int().nonnegative(),
  horizon: positive,
  layers: positive,
  heads: positive,
  head_dim: positive,
  video_dim: positive,
  video_ffn: positive,
  action_hidden: positive,
  action_ffn: positive,
  text_dim: positive,
  freq_dim: positive,
  vae_dim: positive,
  context_len: positive,
  eps: z.number().positive(),
});

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** A file that the bundle refers to: relative to the bundle's folder, with what identifies its content. */
const fileReference = z.strictObject({
  path: z.string().min(1),
  size: z.number().int().nonnegative(),
  fingerprint: sha256,
  /** of the whole file; absent where it was not hashed yet */
  sha256: sha256.optional(),
});

/** Weights in one file, or in several. */
const weightsReference = fileReference.extend({
  /** the other files of a checkpoint in several */
  shards: z.array(fileReference).optional(),
  /** which weights are meant where a file holds their moving average too */
  set: z.enum(WEIGHT_SETS).optional(),
});

const camera = z.strictObject({
  name: z.string().min(1),
  /** where it lies in the composed image, pixels */
  x: z.number().int().nonnegative(),
  y: z.number().int().nonnegative(),
  width: positive,
  height: positive,
  rotate180: z.boolean(),
  /** `cover`: scale to cover the box, crop the middle; `stretch`: scale to the box */
  fit: z.enum(['cover', 'stretch']),
  /** what datasets call it, where the policy renames it */
  source: z.string().min(1).optional(),
});

/** How cameras become the VAE's input where it is LeRobot's way and not the original's (PIL in 8 bits, no rounding). */
const image = z.strictObject({
  pipeline: z.literal('lerobot'),
  dtype: z.enum(FLOAT_TYPES),
  rounding: z.enum(['before', 'after']),
  /** size of the picture that the cameras are composed to, where the policy knows that picture alone */
  mosaic: z.strictObject({ width: positive, height: positive }).optional(),
});

/** y = x * scale + offset, clamped to [-5, 5] where a value is normalised: the original's. */
const linearNormaliser = z.strictObject({
  mode: z.string().min(1),
  scale: z.array(finite),
  offset: z.array(finite),
});

/** LeRobot's, from two statistics: mean and standard deviation, or the values that become -1 and 1. Nothing is clamped. */
const statisticNormaliser = z.strictObject({
  mode: z.enum(STATISTIC_MODES),
  statistics: z.tuple([z.array(finite), z.array(finite)]),
  /** added to a standard deviation, or put in place of a range of 0; absent: 1e-8 */
  eps: z.number().positive().optional(),
});

const normaliser = z.union([statisticNormaliser, linearNormaliser]);

const action = z.strictObject({
  name: z.string().min(1),
  unit: z.string(),
  /** actions of one group are compared and limited together: translation, rotation, gripper, joints ... */
  group: z.string().min(1),
});

const limits = z.strictObject({
  min: z.array(finite.nullable()).optional(),
  max: z.array(finite.nullable()).optional(),
  /** largest change between two control steps */
  max_step: z.array(finite.nullable()).optional(),
  /** largest rate, unit / s */
  max_velocity: z.array(finite.nullable()).optional(),
});

const gripper = z.strictObject({
  index: z.number().int().nonnegative(),
  /** `libero`: g <- -(2 g - 1); `none`: as the network gives it */
  rule: z.enum(['libero', 'none']),
  binarize: z.boolean(),
  /** physical value at which a gripper decision flips (closed below, open above or the other way round) */
  threshold: finite,
});

export const bundleSchema = z.strictObject({
  format: z.literal('fast-wam-bundle'),
  version: z.literal(BUNDLE_VERSION),
  name: z.string().min(1),
  created_by: z.string(),
  dimensions,
  weights: z.strictObject({
    policy: weightsReference,
    vae: weightsReference,
    /** folder of cached T5 contexts, relative to the bundle */
    text_embeds: z.string().min(1),
  }),
  /** ONNX files of the default execution (fp32), relative to the bundle */
  graphs: z.strictObject({
    /** of the emitter; where it differs from the reader's, the graphs are emitted anew in memory */
    revision: positive,
    vae_encoder: z.string().min(1),
    context: z.string().min(1),
    prefill: z.string().min(1),
    expert: z.string().min(1),
    /** of each of the files */
    sha256: z.record(z.string(), sha256).optional(),
  }),
  sampler: z.strictObject({
    steps: positive,
    shift: z.number().positive(),
    /** type in which timesteps and step sizes are rounded; absent: float32 */
    timestep_dtype: z.enum(FLOAT_TYPES).optional(),
    /** of the noise, where the checkpoint says it */
    seed: z.number().int().nonnegative().optional(),
  }),
  control: z.strictObject({ rate: z.number().positive(), replan_steps: positive }),
  prompt_template: z.string().includes('{task}'),
  /** how prompts become contexts; absent in bundles that were exported before there was an encoder */
  text: z
    .strictObject({
      cleaning: z.enum(CLEANINGS),
      /** fingerprint of the encoder that `fastwam encode` used; contexts of another one are refused */
      encoder: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .optional(),
    })
    .optional(),
  instructions: z.array(z.string().min(1)),
  cameras: z.array(camera),
  image: image.optional(),
  proprio: z.strictObject({ names: z.array(z.string().min(1)), units: z.array(z.string()), normaliser }),
  actions: z.strictObject({
    /** what an action means: absolute joint positions, a delta of the end-effector's pose, or anything else */
    kind: z.enum(['joint_position', 'delta_pose', 'other']),
    /** frame that poses refer to; empty for joints */
    frame: z.string(),
    items: z.array(action).min(1),
    normaliser,
    /** indices of actions that are relative to the state of the same index; it is added after denormalising */
    relative: z.array(z.number().int().nonnegative()).optional(),
    gripper: z.array(gripper),
    /** null: not stated, so the node refuses to drive a robot; "none": stated that there are none */
    limits: z.union([limits, z.literal('none'), z.null()]),
  }),
});

/** Content of `bundle.json`. */
export type BundleManifest = z.infer<typeof bundleSchema>;
