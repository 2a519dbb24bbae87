import type { BundleManifest } from '../../bundle/schema';
import type { ProducedChunk } from '../../policy/ChunkProducer';
import { durationMessage, timeMessage } from '../client/time';
import { toWire } from '../client/toWire';

/** A chunk as fast_wam_msgs/msg/ActionChunk. */
export function actionChunkMessage(
  { chunk, conditions, sources }: ProducedChunk,
  { frame, items }: BundleManifest['actions'],
): object {
  const { report, times } = chunk;
  const [rangeStart, rangeEnd] = report.range;
  return {
    header: { stamp: timeMessage(sources.stamp), frame_id: frame },
    episode: chunk.episode,
    chunk: chunk.chunk,
    instruction: chunk.instruction,
    action_names: items.map(({ name }) => name),
    horizon: chunk.actions.length / items.length,
    actions: toWire.float32(chunk.actions),
    period: conditions.period,
    replan_steps: conditions.replanSteps,
    cache: {
      policy: report.policy,
      refresh_interval: report.refreshInterval,
      range_start: rangeStart,
      range_end: rangeEnd,
      refreshed: report.refreshed,
      reason: report.reason,
      full_steps: report.fullSteps,
      reused_steps: report.reusedSteps,
      stack_evaluations: report.stackEvaluations,
      computed_blocks: report.computedSubBlocks,
      total_blocks: report.totalSubBlocks,
      bytes: toWire.int64(report.bytes),
    },
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

/**
 * A chunk of joint positions as trajectory_msgs/msg/JointTrajectory. It starts at the observation's time, so a
 * JointTrajectoryController drops the points that inference took the time of and splices in the rest.
 */
export function jointTrajectoryMessage(
  { chunk, conditions, sources }: ProducedChunk,
  { frame, items }: BundleManifest['actions'],
): object {
  const width = items.length;
  const horizon = chunk.actions.length / width;
  return {
    header: { stamp: timeMessage(sources.stamp), frame_id: frame },
    joint_names: items.map(({ name }) => name),
    points: Array.from({ length: horizon }, (_, k) => ({
      positions: toWire.float64(chunk.actions.subarray(k * width, (k + 1) * width)),
      time_from_start: durationMessage((k + 1) * conditions.period),
    })),
  };
}
