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
  height: size,
  width: size,
  action_dim: size,
  /** null or 0: the model takes no proprioception */
  proprio_dim: z
    .number()
    .int()
    .nonnegative()
    .nullable()
    .transform((dim) => dim ?? 0),
  horizon: size,
  layers: size,
  heads: size,
  head_dim: size,
  video_dim: size,
  video_ffn: size,
  action_hidden: size,
  action_ffn: size,
  text_dim: size,
  freq_dim: size,
  vae_dim: size,
  context_len: size,
  steps: size,
  shift: z.number().positive(),
  eps: z.number().positive(),
  patch_size: z.tuple([z.literal(1), z.literal(2), z.literal(2)]),
  latent_channels: z.literal(48),
  vae_spatial_factor: z.literal(16),
};

const bundleEntries = {
  normalisation: z.string().min(1),
  replan_steps: size,
  control_rate: z.number().positive(),
  prompt_template: z.string().includes('{task}'),
};

/** Keys of training runs and golden vectors that say nothing about the model. */
const IGNORED = ['seed', 'chunks', 'drift', 'dprop', 'prompt', 'name'] as const;

const schema = z.strictObject({ ...sizes, ...bundleEntries }).partial();

export type ModelConfig = z.infer<typeof schema>;

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
  const parsed = schema.safeParse(kept);
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
