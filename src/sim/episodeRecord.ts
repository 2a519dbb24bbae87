import { z } from 'zod';
import type { Configuration } from '../cache/choice';
import { NOISE_MODES } from '../sampler/types';
import type { EpisodeResult } from './closedLoop';

const settings = z
  .record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.array(z.number()).readonly()]))
  .readonly();

/** A configuration as the file has it. */
const configurationSchema = z.strictObject({
  name: z.string(),
  policy: z.string(),
  settings,
  companions: z.record(z.string(), settings).readonly().exactOptional(),
  /** actions executed of each chunk, where that is not the run's */
  replan_steps: z.int().positive().exactOptional(),
});
export type DefinedConfiguration = Readonly<z.infer<typeof configurationSchema>>;

export function definitionOf(configuration: Configuration): DefinedConfiguration {
  const { name, policy, values, companions, replanSteps } = configuration;
  return {
    name,
    policy,
    settings: values,
    ...(Object.keys(companions).length > 0 && { companions }),
    ...(replanSteps !== undefined && { replan_steps: replanSteps }),
  };
}

/** The configuration of a definition: the other way of {@link definitionOf}. */
export function configurationOfDefinition(definition: DefinedConfiguration): Configuration {
  const { name, policy, settings: values, companions = {}, replan_steps: replanSteps } = definition;
  return { name, policy, values, companions, ...(replanSteps !== undefined && { replanSteps }) };
}

const recordSchema = z.strictObject({
  configuration: z.string(),
  /** number of the episode in its run */
  episode: z.int().nonnegative(),
  task: z.int().nonnegative(),
  suite: z.string(),
  success: z.boolean(),
  /** control steps until success, or until the limit */
  steps: z.int().nonnegative(),
  /** jumps, slips and pushes */
  disturbances: z.int().nonnegative(),
  /** one letter for each chunk: F computed in full, r in part re-used (`FrrrFrrr`) */
  refreshes: z.string().regex(/^[Fr]*$/),
  /** how often each reason of a refresh occurred */
  reasons: z.record(z.string(), z.int()),
  /** work of each chunk, full-stack equivalents */
  stacks: z.array(z.number()),
  /** time of each chunk, milliseconds */
  ms: z.array(z.number()),
});
/** What is kept of one episode: one line of `episodes.jsonl`. */
export type EpisodeRecord = Readonly<z.infer<typeof recordSchema>>;

/** What all episodes of a run share; records of other runs must not be mixed with them. */
const runSchema = z.strictObject({
  format: z.literal('fast-wam-episodes'),
  version: z.literal(1),
  /** fingerprint of the policy's weights */
  model: z.string(),
  /** seed of the episodes */
  seed: z.int().nonnegative(),
  speed: z.enum(['slow', 'fast']),
  condition: z.enum(['clean', 'random']),
  suites: z.array(z.string()),
  /** sha256 of the file of initial states, if one was given */
  initial_states: z.string().optional(),
  noise: z.enum(NOISE_MODES),
  noise_seed: z.int().nonnegative(),
  replan_steps: z.int().positive(),
});
export type RunIdentity = Readonly<z.infer<typeof runSchema>>;

/** Which part of a run a file has, where the run is divided; runs that are not say nothing of it. */
const partSchema = z.strictObject({
  /** which shards, from 1, of how many */
  shards: z.array(z.int().positive()).readonly(),
  of: z.int().positive(),
  /** numbers of the episodes of the whole run */
  episodes: z.array(z.int().nonnegative()).readonly(),
  /** what computes: versions, graphs, number format; what others have computed is not mixed with it */
  engine: z.record(z.string(), z.string()).readonly(),
  /** whose times these are */
  machines: z.array(z.string()).readonly(),
});
export type RunPart = Readonly<z.infer<typeof partSchema>>;

/** A line of `episodes.jsonl`. */
export const lineSchema = z.union([
  recordSchema,
  z.strictObject({ define: configurationSchema }),
  z.strictObject({ part: partSchema }),
  z.strictObject({ run: runSchema }),
]);

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

/** The record of a finished episode. */
export function recordOf(configuration: string, result: EpisodeResult): EpisodeRecord {
  const { index, task, suite, success, steps, disturbances, costs } = result;
  const reasons: Record<string, number> = {};
  for (const { refreshed, reason } of costs) {
    if (refreshed) reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
  return {
    configuration,
    episode: index,
    task,
    suite,
    success,
    steps,
    disturbances,
    refreshes: costs.map(({ reusedSteps }) => (reusedSteps === 0 ? 'F' : 'r')).join(''),
    reasons,
    stacks: costs.map(({ stackEvaluations }) => round(stackEvaluations, 4)),
    ms: costs.map(({ seconds }) => round(1000 * seconds, 3)),
  };
}
