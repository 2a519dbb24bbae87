import type { BundleManifest } from '../../bundle/schema';
import { UsageError } from '../../errors';
import type { CommandInterface } from '../../settings/executorParameters';
import type { RosNode, RosPublisher, RosQos } from '../client/rclnodejs';
import { timeMessage } from '../../observation/stamp';
import { durationMessage } from '../client/time';
import { toWire } from '../client/toWire';

/** Sends one command to the robot. */
export interface CommandWriter {
  /**
   * @param values [dimensions], units of the bundle
   * @param period seconds until the next command
   * @param now nanoseconds
   */
  write(values: Float64Array, period: number, now: bigint): void;
  destroy(): void;
}

export interface CommandWriterOptions {
  readonly node: RosNode;
  readonly actions: BundleManifest['actions'];
  readonly qos: RosQos;
}

/**
 * How commands go out.
 * @throws UsageError if the bundle's actions do not fit the interface
 */
export function commandWriter(kind: CommandInterface, options: CommandWriterOptions): CommandWriter {
  switch (kind) {
    case 'forward':
      return forwardWriter(options);
    case 'trajectory':
      return trajectoryWriter(options);
    case 'twist':
      return twistWriter(options);
  }
}

function forwardWriter({ node, qos }: CommandWriterOptions): CommandWriter {
  const commands = node.createPublisher('std_msgs/msg/Float64MultiArray', '~/commands', { qos });
  return {
    write: (values) => commands.publish({ data: toWire.float64(values) }),
    destroy: () => node.destroyPublisher(commands),
  };
}

/** One point, one period ahead: the controller interpolates to it from where it is. */
function trajectoryWriter({ node, actions, qos }: CommandWriterOptions): CommandWriter {
  if (actions.kind !== 'joint_position') {
    throw new UsageError(
      `command.interface trajectory is for joint positions, the actions of the bundle are ${actions.kind}; use forward or twist`,
    );
  }
  const names = actions.items.map(({ name }) => name);
  const commands = node.createPublisher('trajectory_msgs/msg/JointTrajectory', '~/joint_trajectory', { qos });
  return {
    write: (values, period) =>
      commands.publish({
        // a stamp of zero means: from now on
        joint_names: names,
        points: [{ positions: toWire.float64(values), time_from_start: durationMessage(period) }],
      }),
    destroy: () => node.destroyPublisher(commands),
  };
}

/** Displacements for one step as a velocity over that step; the gripper goes its own way. */
function twistWriter({ node, actions, qos }: CommandWriterOptions): CommandWriter {
  const grippers = actions.gripper.map(({ index }) => index);
  const inGroup = (group: string): number[] =>
    actions.items.flatMap((item, i) => (item.group === group && !grippers.includes(i) ? [i] : []));
  const [translation, rotation] = [inGroup('translation'), inGroup('rotation')];
  const known = translation.length + rotation.length + grippers.length;
  if (
    actions.kind !== 'delta_pose' ||
    translation.length > 3 ||
    rotation.length > 3 ||
    known < actions.items.length
  ) {
    throw new UsageError(
      'command.interface twist is for steps of a pose: kind delta_pose, with up to three items in the group translation, up to three in rotation, and the rest grippers; use forward',
    );
  }
  const twists: RosPublisher = node.createPublisher('geometry_msgs/msg/TwistStamped', '~/twist', { qos });
  const gripper =
    grippers.length > 0 && node.createPublisher('std_msgs/msg/Float64MultiArray', '~/gripper', { qos });
  const vector = (items: readonly number[], values: Float64Array, period: number): object => {
    const [x = 0, y = 0, z = 0] = items.map((i) => (values[i] ?? 0) / period);
    return { x, y, z };
  };
  return {
    write: (values, period, now) => {
      twists.publish({
        header: { stamp: timeMessage(now), frame_id: actions.frame },
        twist: { linear: vector(translation, values, period), angular: vector(rotation, values, period) },
      });
      if (gripper) gripper.publish({ data: toWire.float64(grippers.map((i) => values[i] ?? 0)) });
    },
    destroy: () => {
      node.destroyPublisher(twists);
      if (gripper) node.destroyPublisher(gripper);
    },
  };
}
