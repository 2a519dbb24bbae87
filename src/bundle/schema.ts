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
  height: positive.describe('of the composed image, pixels'),
  width: positive.describe('of the composed image, pixels'),
  action_dim: positive.describe('numbers in an action'),
  proprio_dim: z.number().int().nonnegative().describe('numbers of the proprioception; 0: it takes none'),
  horizon: positive.describe('actions in a chunk'),
  layers: positive.describe('transformer blocks of the video and the action expert'),
  heads: positive.describe('attention heads'),
  head_dim: positive.describe('width of a head'),
  video_dim: positive.describe('width of the video expert'),
  video_ffn: positive.describe('width of its feed-forward layers'),
  action_hidden: positive.describe('width of the action expert'),
  action_ffn: positive.describe('width of its feed-forward layers'),
  text_dim: positive.describe('width of a text context'),
  freq_dim: positive.describe('width of the sinusoidal embedding of time'),
  vae_dim: positive.describe('base width of the image encoder'),
  context_len: positive.describe('tokens of a text context'),
  eps: z.number().positive().describe('of the layer norms'),
});

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** A file that the bundle refers to: relative to the bundle's folder, with what identifies its content. */
const fileReference = z.strictObject({
  path: z.string().min(1).describe("relative to the bundle's folder"),
  size: z.number().int().nonnegative().describe('bytes'),
  fingerprint: sha256.describe('SHA-256 of its size and of samples over the whole file'),
  sha256: sha256.optional().describe('of the whole file; absent where it was not hashed yet'),
});

/** Weights in one file, or in several. */
const weightsReference = fileReference.extend({
  shards: z.array(fileReference).optional().describe('the other files of a checkpoint in several'),
  set: z
    .enum(WEIGHT_SETS)
    .optional()
    .describe('which weights are meant where a file holds their moving average too'),
});

const camera = z.strictObject({
  name: z.string().min(1),
  x: z.number().int().nonnegative().describe('left edge in the composed image, pixels'),
  y: z.number().int().nonnegative().describe('upper edge, pixels'),
  width: positive.describe('pixels'),
  height: positive.describe('pixels'),
  rotate180: z.boolean().describe('the picture is turned by 180 degrees first'),
  fit: z
    .enum(['cover', 'stretch'])
    .describe('`cover`: scale to cover the box, crop the middle; `stretch`: scale to the box'),
  source: z.string().min(1).optional().describe('what datasets call it, where the policy renames it'),
});

/** How cameras become the VAE's input where it is LeRobot's way and not the original's (PIL in 8 bits, no rounding). */
const image = z.strictObject({
  pipeline: z.literal('lerobot'),
  dtype: z.enum(FLOAT_TYPES),
  rounding: z.enum(['before', 'after']),
  mosaic: z
    .strictObject({ width: positive, height: positive })
    .optional()
    .describe(
      'size of the picture that the cameras are composed to, where the policy knows that picture alone',
    ),
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
  eps: z
    .number()
    .positive()
    .optional()
    .describe('added to a standard deviation, or put in place of a range of 0; absent: 1e-8'),
});

const normaliser = z.union([statisticNormaliser, linearNormaliser]);

const action = z.strictObject({
  name: z.string().min(1),
  unit: z.string().describe('of the physical value'),
  group: z
    .string()
    .min(1)
    .describe(
      'actions of one group are compared and limited together: translation, rotation, gripper, joints ...',
    ),
});

const limits = z.strictObject({
  min: z.array(finite.nullable()).optional(),
  max: z.array(finite.nullable()).optional(),
  max_step: z.array(finite.nullable()).optional().describe('largest change between two control steps'),
  max_velocity: z.array(finite.nullable()).optional().describe('largest rate, unit / s'),
});

const gripper = z.strictObject({
  index: z.number().int().nonnegative(),
  rule: z.enum(['libero', 'none']).describe('`libero`: g <- -(2 g - 1); `none`: as the network gives it'),
  binarize: z.boolean(),
  threshold: finite.describe(
    'physical value at which a gripper decision flips (closed below, open above or the other way round)',
  ),
});

export const bundleSchema = z.strictObject({
  format: z.literal('fast-wam-bundle'),
  version: z.literal(BUNDLE_VERSION),
  name: z.string().min(1),
  created_by: z.string().describe('program and version'),
  dimensions,
  weights: z.strictObject({
    policy: weightsReference,
    vae: weightsReference,
    text_embeds: z.string().min(1).describe('folder of cached T5 contexts, relative to the bundle'),
  }),
  /** ONNX files of the default execution (fp32), relative to the bundle */
  graphs: z.strictObject({
    revision: positive.describe(
      "of the emitter; where it differs from the reader's, the graphs are emitted anew in memory",
    ),
    vae_encoder: z.string().min(1),
    context: z.string().min(1),
    prefill: z.string().min(1),
    expert: z.string().min(1),
    sha256: z.record(z.string(), sha256).optional().describe('of each of the files'),
  }),
  sampler: z.strictObject({
    steps: positive.describe('denoising steps'),
    shift: z.number().positive().describe('of the schedule: 5 in the released checkpoints'),
    timestep_dtype: z
      .enum(FLOAT_TYPES)
      .optional()
      .describe('type in which timesteps and step sizes are rounded; absent: float32'),
    seed: z.number().int().nonnegative().optional().describe('of the noise, where the checkpoint says it'),
  }),
  control: z.strictObject({
    rate: z.number().positive().describe('control steps a second, Hz'),
    replan_steps: positive.describe('actions executed before the next chunk'),
  }),
  prompt_template: z.string().includes('{task}').describe('the prompt; {task} is the instruction'),
  text: z
    .strictObject({
      cleaning: z.enum(CLEANINGS).describe('what is done to a prompt before the tokenizer sees it'),
      encoder: sha256
        .describe(
          'fingerprint of the encoder that `fastwam encode` used; contexts of another one are refused',
        )
        .optional(),
    })
    .describe('how prompts become contexts; absent in bundles that were exported before there was an encoder')
    .optional(),
  instructions: z.array(z.string().min(1)).describe('instructions whose contexts the bundle has'),
  cameras: z.array(camera),
  image: image.optional(),
  proprio: z.strictObject({ names: z.array(z.string().min(1)), units: z.array(z.string()), normaliser }),
  actions: z.strictObject({
    kind: z
      .enum(['joint_position', 'delta_pose', 'other'])
      .describe(
        "what an action means: absolute joint positions, a delta of the end-effector's pose, or anything else",
      ),
    frame: z.string().describe('frame that poses refer to; empty for joints'),
    items: z.array(action).min(1),
    normaliser,
    relative: z
      .array(z.number().int().nonnegative())
      .optional()
      .describe(
        'indices of actions that are relative to the state of the same index; it is added after denormalising',
      ),
    gripper: z.array(gripper),
    limits: z
      .union([limits, z.literal('none'), z.null()])
      .describe('null: not stated, so the node refuses to drive a robot; "none": stated that there are none'),
  }),
});

/** Content of `bundle.json`. */
export type BundleManifest = z.infer<typeof bundleSchema>;
