import { FastWamError } from '../../errors';
import { onInterrupt } from '../../signals';
import { createNode } from './createNode';
import { guardNode } from './guardNode';
import { loadRos } from './loader';
import type { Rclnodejs, RosNode } from './rclnodejs';

/** Waiting that ends early when the user interrupts. */
export interface Interruption {
  readonly signal: AbortSignal;
  /** Resolves after so many milliseconds of real time, or at once when interrupted. */
  pause(milliseconds: number): Promise<void>;
}

/**
 * Runs a tool as a node until it is done or interrupted by SIGINT or SIGTERM, which it hears of through the signal:
 * what it has open it can finish.
 * @param command for the message, `fastwam play`
 * @throws FastWamError in one sentence where there is no ROS 2
 */
export async function withRos(
  command: string,
  nodeName: string,
  work: (rclnodejs: Rclnodejs, node: RosNode, interruption: Interruption) => Promise<void>,
): Promise<void> {
  const { rclnodejs, ...availability } = loadRos();
  if (!rclnodejs) {
    const reason = 'lacking' in availability ? availability.lacking : 'it is lacking';
    throw new FastWamError(`${command} needs ROS 2: ${reason}`);
  }
  await rclnodejs.init(undefined, process.argv);
  rclnodejs.removeSignalHandlers(); // it would shut down beneath the node's feet
  const controller = new AbortController();
  const forget = onInterrupt(() => controller.abort());
  try {
    const node = createNode(rclnodejs, nodeName);
    guardNode(node);
    node.spin();
    await work(rclnodejs, node, {
      signal: controller.signal,
      pause: (milliseconds) => pause(milliseconds, controller.signal),
    });
  } finally {
    forget();
    rclnodejs.shutdown();
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, milliseconds);
    if (signal.aborted) finish();
    else signal.addEventListener('abort', finish);
  });
}
