import { existsSync } from 'node:fs';
import { z } from 'zod';
import { CONFIG_KEYS } from '../bundle/layout';
import type { ModelDimensions } from '../bundle/layout';
import { UsageError } from '../errors';
import { nearestName } from '../words/nearestName';
import { BUILTIN_CONFIGS } from './builtinConfigs';
import { readYaml } from './robot';
import type { RobotDescription } from './robot';

const size = z.number().int().positive();

/** The sizes of a model; those that the weights say too are checked against them. */
const sizes = {
  height: size.describe('of the composed image, pixels'),
  width: size.describe('of the composed image, pixels'),
  action_dim: size.describe('numbers in an action'),
  proprio_dim: z
    .number()
    .int()
    .nonnegative()
    .nullable()
    .transform((dim) => dim ?? 0)
    .describe('numbers of the proprioception; null or 0: the model takes none'),
  horizon: size.describe('actions in a chunk; else 32'),
  layers: size.describe('transformer blocks'),
  heads: size.describe('attention heads'),
  head_dim: size.describe('width of a head'),
  video_dim: size.describe('width of the video expert'),
  video_ffn: size.describe('width of its feed-forward layers'),
  action_hidden: size.describe('width of the action expert'),
  action_ffn: size.describe('width of its feed-forward layers'),
  text_dim: size.describe('width of a text context'),
  freq_dim: size.describe('width of the sinusoidal embedding of time'),
  vae_dim: size.describe('base width of the image encoder'),
  context_len: size.describe('tokens of a text context'),
  steps: size.describe('denoising steps; else 10'),
  shift: z.number().positive().describe('of the schedule; else 5'),
  eps: z.number().positive().describe('of the layer norms'),
  patch_size: z.tuple([z.literal(1), z.literal(2), z.literal(2)]).describe('no other is known'),
  latent_channels: z.literal(48).describe('no other is known'),
  vae_spatial_factor: z.literal(16).describe('no other is known'),
};

const bundleEntries = {
  normalisation: z
    .string()
    .min(1)
    .describe('which statistics make the normaliser: min/max, q01/q99 or z-score'),
  replan_steps: size.describe('actions executed before the next chunk'),
  control_rate: z.number().positive().describe('control steps a second, Hz, where the robot does not say'),
  prompt_template: z.string().includes('{task}').describe('the prompt; {task} is the instruction'),
};

/** Keys of training runs and golden vectors that say nothing about the model. */
const IGNORED = ['seed', 'chunks', 'drift', 'dprop', 'prompt', 'name'] as const;

/** Content of a `--config` file. */
export const modelConfigSchema = z.strictObject({ ...sizes, ...bundleEntries }).partial();

export type ModelConfig = z.infer<typeof modelConfigSchema>;

/** The original's prompt. Source: `DEFAULT_PROMPT` in `robot_video_dataset.py`. */
export const DEFAULT_PROMPT_TEMPLATE =
  "A video recorded from a robot's point of view executing the following instruction: {task}";

/**
 * `--config`: `libero`, `robotwin`, or a JSON or YAML file.
 * @throws UsageError naming the key, and the nearest known one
 */
export function readModelConfig(source: string): { config: ModelConfig; robot?: RobotDescription } {
  const builtin = BUILTIN_CONFIGS[source];
  if (builtin) return { config: parseModelConfig(builtin.config, source), robot: builtin.robot };
  if (!existsSync(source)) {
    const names = Object.keys(BUILTIN_CONFIGS);
    const near = nearestName(source, names);
    throw new UsageError(
      `--config ${source}: no such file, and no configuration of that name${near ? `; did you mean ${near}?` : ''} (built in are ${names.join(', ')})`,
    );
  }
  return { config: parseModelConfig(readYaml(source), source) };
}

/** Checks the content of a configuration; `source` is for messages. */
export function parseModelConfig(value: unknown, source: string): ModelConfig {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(`${source}: expected a mapping of model sizes (see --config libero)`);
  }
  const known = [...Object.keys(sizes), ...Object.keys(bundleEntries)];
  const kept: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries(value)) {
    if ((IGNORED as readonly string[]).includes(key)) continue;
    if (!known.includes(key)) {
      const near = nearestName(key, known);
      throw new UsageError(`${source}: unknown key ${key}${near ? `; did you mean ${near}?` : ''}`);
    }
    kept[key] = entry;
  }
  const parsed = modelConfigSchema.safeParse(kept);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new UsageError(`${source}: ${issue?.path.map(String).join('.')}: ${issue?.message}`);
}

/** The sizes that a configuration states, in the names used in code; the defaults are the public evaluation's. */
export function configuredDimensions(config: ModelConfig, contextLength: number): Partial<ModelDimensions> {
  const stated: Readonly<Record<string, unknown>> = {
    steps: 10,
    shift: 5,
    horizon: 32,
    context_len: contextLength,
    ...config,
  };
  const pairs = Object.entries(CONFIG_KEYS).map(([name, key]) => [name, stated[key]] as const);
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined));
}
