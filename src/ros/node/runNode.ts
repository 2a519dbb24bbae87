import { messageOf } from '../../errors';
import { loadRos } from '../client/loader';
import type { Rclnodejs } from '../client/rclnodejs';
import { onStopSignal } from './stopSignals';

/** A node that can be run as a program. */
export interface RunnableNode {
  start(): Promise<void>;
  /** Stops what it does and lets go of everything; resolves when no other thread is at work any more. */
  stop(): void | Promise<void>;
}

/**
 * Runs a node until it is told to stop. SIGINT and SIGTERM end it cleanly at any moment with exit code 0; what cannot
 * run says so in one line and ends with 1.
 */
export async function runNode(create: (rclnodejs: Rclnodejs) => RunnableNode): Promise<void> {
  const { rclnodejs, ...availability } = loadRos();
  if (!rclnodejs) {
    process.stderr.write(`${'lacking' in availability ? availability.lacking : 'ROS 2 is lacking'}\n`);
    process.exitCode = 1;
    return;
  }
  let node: RunnableNode | undefined;
  const stopping = { begun: false };
  const end = async (): Promise<void> => {
    stopping.begun = true;
    try {
      // A process that exits while onnxruntime works in another thread is aborted.
      await node?.stop();
      if (!rclnodejs.isShutdown()) rclnodejs.shutdown();
    } catch (error) {
      process.stderr.write(`${messageOf(error)}\n`);
    }
    process.exit(0);
  };
  onStopSignal(() => void end());
  rclnodejs.removeSignalHandlers(); // it would shut down beneath the node's feet
  try {
    await rclnodejs.init(undefined, process.argv);
    process.on('unhandledRejection', (error) => process.stderr.write(`${messageOf(error)}\n`));
    node = create(rclnodejs);
    await node.start();
  } catch (error) {
    if (stopping.begun) return; // it comes of the end
    process.stderr.write(`${messageOf(error)}\n`);
    process.exit(1);
  }
}
