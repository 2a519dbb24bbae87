import type { Configuration } from '../cache/choice';
import { InputError } from '../errors';
import { distributionOf, scaled, type Distribution } from './distribution';
import { computedInFull, stageLatency } from './latency';
import { speedUp } from './speedUp';
import type { ChunkResult, Stage } from './types';

const MILLISECONDS = 1000;

/** p50, p95 and mean in milliseconds. */
export interface Milliseconds {
  readonly p50: number;
  readonly p95: number;
  readonly mean: number;
}

/** One configuration in the output of `fastwam bench --json`. */
export interface BenchEntry {
  readonly policy: string;
  readonly settings: Configuration['values'];
  readonly chunks: number;
  readonly refreshes: number;
  readonly total_ms: Milliseconds;
  readonly stages: Readonly<Record<Exclude<Stage, 'total'>, Milliseconds>>;
  /** expert time of chunks computed in full, and of those that reuse; null where there are none */
  readonly expert_full_ms: Milliseconds | null;
  readonly expert_reuse_ms: Milliseconds | null;
  /** whole time of chunks that compute nothing at all, not even what they see; null where there are none */
  readonly total_unseen_ms: Milliseconds | null;
  readonly stack_evaluations: number;
  /** against the first configuration */
  readonly speed_up: number;
  readonly bound: number;
  readonly share_of_bound: number;
  readonly expert_share: number;
  readonly saved_share: number;
  /** first configuration's time / this one's, chunk by chunk */
  readonly pair_ratio: { readonly p50: number; readonly min: number; readonly max: number };
}

/** The object behind the JSON line: one entry for each configuration, by name. */
export type BenchResult = Readonly<Record<string, BenchEntry>>;

export interface BenchRun {
  readonly configuration: Configuration;
  /** measured chunks only, in the order of measurement */
  readonly chunks: readonly ChunkResult[];
}

/**
 * Figures of interleaved runs: chunk i of every run was computed from the same observation, one right after the
 * other, so that what slows the machine down for a while slows all of them. Ratios are against the first run.
 *
 * @throws InputError where there is no run, or the runs do not have the same number of chunks
 */
export function benchResult(runs: readonly BenchRun[]): BenchResult {
  const [first] = runs;
  if (!first) throw new InputError('a bench needs at least one configuration');
  return Object.fromEntries(
    runs.map(({ configuration, chunks }) => [configuration.name, benchEntry(configuration, chunks, first)]),
  );
}

function benchEntry(
  configuration: Configuration,
  chunks: readonly ChunkResult[],
  first: BenchRun,
): BenchEntry {
  const latency = stageLatency(chunks);
  const gain = speedUp(first.chunks, chunks);
  const expert = (inFull: boolean): Milliseconds | null => {
    const times = chunks.filter((chunk) => computedInFull(chunk) === inFull);
    return times.length === 0 ? null : milliseconds(distributionOf(times.map((chunk) => chunk.times.expert)));
  };
  const unseen = chunks.flatMap(({ times }) => (times.prefill === 0 ? [times.total] : []));
  return {
    policy: configuration.policy,
    settings: configuration.values,
    chunks: chunks.length,
    refreshes: chunks.filter((chunk) => chunk.report.refreshed).length,
    total_ms: milliseconds(latency.total),
    stages: {
      decode: milliseconds(latency.decode),
      vae: milliseconds(latency.vae),
      prefill: milliseconds(latency.prefill),
      expert: milliseconds(latency.expert),
    },
    expert_full_ms: expert(true),
    expert_reuse_ms: expert(false),
    total_unseen_ms: unseen.length === 0 ? null : milliseconds(distributionOf(unseen)),
    stack_evaluations: chunks.reduce((sum, chunk) => sum + chunk.report.stackEvaluations, 0),
    speed_up: rounded(gain.ratio),
    bound: rounded(gain.bound),
    share_of_bound: rounded(gain.shareOfBound),
    expert_share: rounded(gain.expertShare),
    saved_share: rounded(gain.savedShare),
    pair_ratio: {
      p50: rounded(gain.pairs.p50),
      min: rounded(gain.pairs.min),
      max: rounded(gain.pairs.max),
    },
  };
}

/** Seconds to milliseconds, in microsecond resolution. */
function milliseconds(seconds: Distribution): Milliseconds {
  const { p50, p95, mean } = scaled(seconds, MILLISECONDS);
  return { p50: thousandths(p50), p95: thousandths(p95), mean: thousandths(mean) };
}

const thousandths = (value: number): number => Math.round(value * 1e3) / 1e3;
const rounded = (value: number): number => Math.round(value * 1e4) / 1e4;
