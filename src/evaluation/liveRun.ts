import type { LiveChunk } from '../bag/liveChunks';
import type { Bundle } from '../bundle/Bundle';
import type { ChunkReport } from '../cache/types';
import { scalingOf } from '../formats/scaling';
import type { ChunkResult, ConfigurationRun } from './types';

/** The name under which a report shows what the node did. */
export const LIVE = 'live';

/** What a node did, as a run among those of a replay. */
export function liveRun(chunks: readonly LiveChunk[], bundle: Bundle): ConfigurationRun {
  return {
    configuration: { name: LIVE, policy: LIVE, values: {}, companions: {} },
    chunks: chunks.map((chunk) => liveResult(chunk, bundle)),
  };
}

function liveResult({ actions, times, cache }: LiveChunk, bundle: Bundle): ChunkResult {
  const report: ChunkReport = {
    policy: cache.policy,
    refreshInterval: cache.refresh_interval,
    range: [cache.range_start, cache.range_end],
    refreshed: cache.refreshed,
    reason: cache.reason,
    fullSteps: cache.full_steps,
    reusedSteps: cache.reused_steps,
    stackEvaluations: cache.stack_evaluations,
    computedSubBlocks: cache.computed_blocks,
    totalSubBlocks: cache.total_blocks,
    gateSeconds: 0, // part of the expert's time
    signals: {},
    fallbacks: 0,
    bytes: Number(cache.bytes),
    ...computed(cache, bundle),
  };
  return { actions, normalised: normalised(actions, bundle), times, report };
}

/** As the network saw them, as far as limits and the sign of a gripper have left that in the actions. */
function normalised(actions: Float32Array, { manifest, dimensions }: Bundle): Float32Array {
  const { normaliser, gripper } = manifest.actions;
  const undone = actions.slice();
  for (const { index, rule } of gripper) {
    if (rule !== 'libero') continue;
    for (let i = index; i < undone.length; i += dimensions.actionDim)
      undone[i] = (1 - (undone[i] ?? NaN)) / 2;
  }
  return scalingOf(normaliser).normalise(undone);
}

/** Shares are told in this many parts. */
const PARTS = 12;

/** Which steps were computed. Of policies that choose blocks a chunk tells only how much, which goes to all steps alike. */
function computed(
  cache: LiveChunk['cache'],
  { schedule: { steps } }: Bundle,
): Pick<ChunkReport, 'computed' | 'computedShape'> {
  const byRange =
    cache.full_steps + cache.range_end - cache.range_start + 1 === steps &&
    cache.stack_evaluations === cache.full_steps;
  if (cache.full_steps === steps || byRange) {
    const reused = (step: number): boolean =>
      cache.full_steps < steps && step >= cache.range_start && step <= cache.range_end;
    return {
      computed: Uint8Array.from({ length: steps }, (_, step) => Number(!reused(step))),
      computedShape: 'steps',
    };
  }
  const share = Math.round((PARTS * cache.stack_evaluations) / steps);
  return {
    computed: Uint8Array.from({ length: steps * PARTS }, (_, cell) => Number(cell % PARTS < share)),
    computedShape: 'blocks',
  };
}
