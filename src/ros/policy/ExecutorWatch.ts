import { nanoseconds, toSeconds } from '../../observation/stamp';
import type { QosProfiles } from '../client/qos';
import type { RosNode, RosSubscription } from '../client/rclnodejs';

/** What of fast_wam_msgs/msg/ExecutorState is heard. */
interface ExecutorState {
  readonly header: { readonly stamp: { readonly sec: number; readonly nanosec: number } };
  readonly mode: number;
}

/** HOLDING and PAUSED of fast_wam_msgs/msg/ExecutorState. */
const HELD: readonly number[] = [2, 3];

/** Hears from the executor when the robot was held: actions of a chunk from before then were not all executed. */
export class ExecutorWatch {
  readonly #node: RosNode;
  readonly #subscription: RosSubscription;
  #held: number | undefined;

  constructor(node: RosNode, topic: string, qos: QosProfiles) {
    this.#node = node;
    this.#subscription = node.createSubscription(
      'fast_wam_msgs/msg/ExecutorState',
      topic,
      { qos: qos.latched },
      (message) => {
        const { header, mode } = message as ExecutorState;
        if (HELD.includes(mode)) this.#held = toSeconds(nanoseconds(header.stamp));
      },
    );
  }

  /** The last time at which the robot was held, seconds; undefined if it never was. */
  get heldSince(): number | undefined {
    return this.#held;
  }

  destroy(): void {
    this.#node.destroySubscription(this.#subscription);
  }
}
