import type { BundleManifest } from '../../bundle/schema';
import type { ProducedChunk } from '../../policy/ChunkProducer';
import { timeMessage } from '../../observation/stamp';
import { durationMessage } from '../client/time';
import { toWire } from '../client/toWire';

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
