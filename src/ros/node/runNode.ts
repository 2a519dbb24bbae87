import { messageOf } from '../../errors';
import { loadRos } from '../client/loader';
import type { Rclnodejs } from '../client/rclnodejs';

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
  try {
    await rclnodejs.init(undefined, process.argv);
    rclnodejs.removeSignalHandlers(); // it would shut down beneath the node's feet
    const node = create(rclnodejs);
    const end = async (): Promise<void> => {
      // Who asks again need not wait: the second signal kills.
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
      try {
        // A process that exits while onnxruntime works in another thread is aborted.
        await node.stop();
        rclnodejs.shutdown();
      } catch (error) {
        process.stderr.write(`${messageOf(error)}\n`);
      }
      process.exit(0);
    };
    const onSignal = (): void => void end();
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
    process.on('unhandledRejection', (error) => process.stderr.write(`${messageOf(error)}\n`));
    await node.start();
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exit(1);
  }
}
