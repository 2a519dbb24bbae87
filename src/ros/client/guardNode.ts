import { messageOf } from '../../errors';
import { encodePublications } from './encodePublications';
import type { RosNode } from './rclnodejs';

/**
 * Keeps whatever is thrown while messages, requests and timers are handled from ending the process: the native side
 * calls `execute` with what is ready and aborts on any exception, be it from a callback, from decoding, or from the
 * middleware refusing a malformed message. Each handle is served on its own, so that one failure costs the others
 * nothing; and what the node publishes does not hold up the rest either, see {@link encodePublications}.
 */
export function guardNode(node: RosNode, onError: (error: unknown) => void = logTo(node)): void {
  encodePublications(node);
  const execute = node.execute.bind(node);
  node.execute = (handles) => {
    for (const handle of handles) {
      try {
        execute([handle]);
      } catch (error) {
        try {
          onError(error);
        } catch {
          // a logger that fails must not do what it is there to prevent
        }
      }
    }
  };
}

function logTo(node: RosNode): (error: unknown) => void {
  return (error) =>
    node.getLogger().error(`a message, request or timer could not be handled: ${messageOf(error)}`);
}

/** A callback that hands what it throws to `onError` instead. */
export function safe<A extends readonly unknown[]>(
  callback: (...args: A) => void,
  onError: (error: unknown) => void,
): (...args: A) => void {
  return (...args) => {
    try {
      callback(...args);
    } catch (error) {
      onError(error);
    }
  };
}
