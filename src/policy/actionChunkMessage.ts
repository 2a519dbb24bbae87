import { z } from 'zod';
import type { BundleManifest } from '../bundle/schema';
import type { ChunkReport, ComputedShape } from '../cache/types';
import { InputError } from '../errors';
import type { SourceAge } from '../observation/guards';
import { nanoseconds, timeMessage } from '../observation/stamp';
import type { RawFrame } from '../observation/RawFrame';
import type { SampledSources } from '../observation/ObservationBuffer';
import type { ChunkConditions } from './ChunkProducer';
import { UNGUIDED_REASONS } from './Continuation';
import type { ActionChunk, StageTimes } from './types';

/**
 * fast_wam_msgs/msg/ActionChunk as plain data: what the node publishes, and what is read back from recordings. Both ways
 * are here, so that they cannot part.
 */
export const ACTION_CHUNK_TYPE = 'fast_wam_msgs/msg/ActionChunk';

const SHAPES = ['steps', 'blocks', 'subblocks'] as const satisfies readonly ComputedShape[];

const whole = z.int().min(0);
const seconds = z.number();
const time = z.object({ sec: z.int(), nanosec: whole });

const cacheSchema = z.object({
  policy: z.string(),
  refresh_interval: whole,
  range_start: whole,
  range_end: whole,
  refreshed: z.boolean(),
  reason: z.string(),
  full_steps: whole,
  reused_steps: whole,
  stack_evaluations: z.number(),
  computed_sub_blocks: whole,
  total_sub_blocks: whole,
  computed: z.instanceof(Uint8Array),
  computed_shape: z.enum(SHAPES),
  gate: seconds,
  signal_names: z.array(z.string()),
  signal_values: z.instanceof(Float64Array),
  fallbacks: whole,
  bytes: z.bigint(),
});

/** Recordings from before there was guidance have none. */
const guidanceSchema = z
  .object({ rows: whole, delay: whole, executed: whole, reason: z.enum([...UNGUIDED_REASONS, '']) })
  .default({ rows: 0, delay: 0, executed: 0, reason: 'off' });

const schema = z.object({
  header: z.object({ stamp: time, frame_id: z.string() }),
  episode: whole,
  chunk: whole,
  instruction: z.string(),
  action_names: z.array(z.string()),
  horizon: whole,
  actions: z.instanceof(Float32Array),
  period: seconds,
  replan_steps: whole,
  cache: cacheSchema,
  guidance: guidanceSchema,
  times: z.object({ decode: seconds, vae: seconds, prefill: seconds, expert: seconds, total: seconds }),
  sources: z.array(z.object({ name: z.string(), age: seconds })),
});

/** The message, field by field as its definition has it. Arrays are fresh ones of exactly the field's type. */
export type ActionChunkMessage = Readonly<z.infer<typeof schema>>;

/** What a message says of a chunk. */
export interface PublishedChunk extends Pick<
  ActionChunk,
  'episode' | 'chunk' | 'instruction' | 'actions' | 'report' | 'guidance'
> {
  /** stamp of the observation, nanoseconds */
  readonly stamp: bigint;
  readonly actionNames: readonly string[];
  /** seconds between actions */
  readonly period: number;
  readonly replanSteps: number;
  readonly times: StageTimes;
  readonly sources: readonly SourceAge[];
}

/** What of a produced chunk the message tells. */
interface ToldChunk {
  readonly chunk: ActionChunk;
  readonly conditions: Pick<ChunkConditions, 'period' | 'replanSteps'>;
  readonly sources: Pick<SampledSources<RawFrame>, 'stamp' | 'ages'>;
}

/** A chunk as the message that the node publishes. */
export function actionChunkMessage(
  { chunk, conditions, sources }: ToldChunk,
  { frame, items }: Pick<BundleManifest['actions'], 'frame' | 'items'>,
): ActionChunkMessage {
  const { times } = chunk;
  return {
    header: { stamp: timeMessage(sources.stamp), frame_id: frame },
    episode: chunk.episode,
    chunk: chunk.chunk,
    instruction: chunk.instruction,
    action_names: items.map(({ name }) => name),
    horizon: chunk.actions.length / items.length,
    actions: Float32Array.from(chunk.actions),
    period: conditions.period,
    replan_steps: conditions.replanSteps,
    cache: cacheMessage(chunk.report),
    guidance: { ...chunk.guidance },
    times: {
      decode: times.decode,
      vae: times.vae,
      prefill: times.prefill,
      expert: times.expert,
      total: times.total,
    },
    sources: sources.ages.map(({ name, age }) => ({ name, age })),
  };
}

function cacheMessage(report: ChunkReport): ActionChunkMessage['cache'] {
  const [rangeStart, rangeEnd] = report.range;
  return {
    policy: report.policy,
    refresh_interval: report.refreshInterval,
    range_start: rangeStart,
    range_end: rangeEnd,
    refreshed: report.refreshed,
    reason: report.reason,
    full_steps: report.fullSteps,
    reused_steps: report.reusedSteps,
    stack_evaluations: report.stackEvaluations,
    computed_sub_blocks: report.computedSubBlocks,
    total_sub_blocks: report.totalSubBlocks,
    computed: Uint8Array.from(report.computed),
    computed_shape: report.computedShape,
    gate: report.gateSeconds,
    signal_names: Object.keys(report.signals),
    signal_values: Float64Array.from(Object.values(report.signals)),
    fallbacks: report.fallbacks,
    bytes: BigInt(Math.trunc(report.bytes)),
  };
}

/**
 * Reads a message of a recording.
 * @param message as its bytes and the definition that came with them say
 * @throws InputError for one that is not complete: recorded with the interfaces of another version
 */
export function readActionChunk(message: unknown): PublishedChunk {
  const parsed = schema.safeParse(message);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new InputError(
      `a message is no ${ACTION_CHUNK_TYPE} of this version: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is missing'}; record the node again`,
    );
  }
  const { header, cache, action_names, replan_steps, ...rest } = parsed.data;
  const { signal_names: names, signal_values: values, computed } = cache;
  return {
    episode: rest.episode,
    chunk: rest.chunk,
    instruction: rest.instruction,
    guidance: rest.guidance,
    actions: rest.actions,
    stamp: nanoseconds(header.stamp),
    actionNames: action_names,
    period: rest.period,
    replanSteps: replan_steps,
    times: rest.times,
    sources: rest.sources,
    report: {
      policy: cache.policy,
      refreshInterval: cache.refresh_interval,
      range: [cache.range_start, cache.range_end],
      refreshed: cache.refreshed,
      reason: cache.reason,
      fullSteps: cache.full_steps,
      reusedSteps: cache.reused_steps,
      stackEvaluations: cache.stack_evaluations,
      computedSubBlocks: cache.computed_sub_blocks,
      totalSubBlocks: cache.total_sub_blocks,
      computed,
      computedShape: cache.computed_shape,
      gateSeconds: cache.gate,
      signals: Object.fromEntries(names.map((name, i) => [name, values[i] ?? Number.NaN])),
      fallbacks: cache.fallbacks,
      bytes: Number(cache.bytes),
    },
  };
}
