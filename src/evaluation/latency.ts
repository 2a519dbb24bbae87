import { distributionOf, type Distribution } from './distribution';
import type { ChunkResult, Stage } from './types';

/** Latency of each stage, seconds. */
export type StageLatency = Readonly<Record<Stage, Distribution>>;

/**
 * Latency of each stage over measured chunks, seconds. Warm-up is not in here because it never becomes a chunk:
 * `replay` and `bench` compute the first observation with every configuration, throw the results away and reset
 * before they measure.
 */
export function stageLatency(chunks: readonly ChunkResult[]): StageLatency {
  const of = (stage: Stage): Distribution => distributionOf(chunks.map((chunk) => chunk.times[stage]));
  return {
    decode: of('decode'),
    vae: of('vae'),
    prefill: of('prefill'),
    expert: of('expert'),
    total: of('total'),
  };
}

/** Whether a chunk reused nothing, by its own choice or because it refreshed. */
export function computedInFull({ report }: ChunkResult): boolean {
  return report.computed.every((flag) => flag === 1);
}
