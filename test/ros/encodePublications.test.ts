import { MessageReader } from '@foxglove/rosmsg2-serialization';
import { parse } from '@foxglove/rosmsg';
import { describe, expect, it } from 'vitest';
import { definitionText } from '../../src/bag/definitionText';
import { encodePublications, encoderOf } from '../../src/ros/client/encodePublications';
import type { RosNode, RosPublisher } from '../../src/ros/client/rclnodejs';
import { standIn } from '../standIn';

const TYPE = 'trajectory_msgs/msg/JointTrajectory';
const trajectory = {
  header: { stamp: { sec: 12, nanosec: 34 }, frame_id: 'base' },
  joint_names: ['a', 'b'],
  points: [{ positions: Float64Array.of(1, 2), time_from_start: { sec: 0, nanosec: 50_000_000 } }],
};

describe('publications as bytes', () => {
  it('say what the object says, and leave what it lacks as in a new message', () => {
    const reader = new MessageReader(parse(definitionText(TYPE), { ros2: true }));
    expect(reader.readMessage(encoderOf(TYPE)!(trajectory))).toEqual({
      ...trajectory,
      points: [
        {
          ...trajectory.points[0],
          velocities: new Float64Array(),
          accelerations: new Float64Array(),
          effort: new Float64Array(),
        },
      ],
    });
  });

  it('are handed to the publisher in place of objects, but for types that nobody has defined', () => {
    const published: object[] = [];
    const node = standIn<RosNode>({
      createPublisher: (): RosPublisher => ({
        publish: (message) => void published.push(message),
        waitForAllAcked: () => true,
      }),
    });
    encodePublications(node);
    const bytes = Buffer.from([0, 1, 0, 0]);
    const known = node.createPublisher(TYPE, 'a');
    known.publish(trajectory);
    known.publish(bytes);
    node.createPublisher('no_such_msgs/msg/Thing', 'b').publish(trajectory);
    expect(Buffer.isBuffer(published[0])).toBe(true);
    expect(published.slice(1)).toEqual([bytes, trajectory]);
  });
});
