import { MessageEncoder } from '../../bag/MessageEncoder';
import { definitionText } from '../../bag/definitionText';
import type { MessageFolders } from '../../bag/definitionText';
import { UsageError } from '../../errors';
import { sourcedMessageFolders } from './messageFolders';
import type { RosNode } from './rclnodejs';

/**
 * Makes a node's publishers, those created from now on, hand over bytes instead of objects. rclnodejs copies an object
 * field by field into a C structure, which takes the event loop tens of milliseconds for a trajectory of 32 points;
 * writing the same bytes takes less than one. Of a type without a definition the objects are handed over as before.
 */
export function encodePublications(node: RosNode): void {
  const createPublisher = node.createPublisher.bind(node);
  node.createPublisher = (type, topic, options) => {
    const publisher = createPublisher(type, topic, options);
    const encode = typeof type === 'string' ? encoderOf(type) : undefined;
    if (!encode) return publisher;
    const publish = publisher.publish.bind(publisher);
    publisher.publish = (message) => publish(Buffer.isBuffer(message) ? message : encode(message));
    return publisher;
  };
}

const encoders = new Map<string, ((message: object) => Buffer) | undefined>();
let folders: MessageFolders | undefined;

/** What writes a type's messages as CDR; fields that a message lacks are as in a new one. */
export function encoderOf(type: string): ((message: object) => Buffer) | undefined {
  if (!encoders.has(type)) encoders.set(type, makeEncoder(type));
  return encoders.get(type);
}

function makeEncoder(type: string): ((message: object) => Buffer) | undefined {
  folders ??= sourcedMessageFolders();
  let text: string;
  try {
    text = definitionText(type, folders);
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
  const encoder = new MessageEncoder(text);
  return (message) => {
    const { buffer, byteOffset, byteLength } = encoder.encode(message);
    return Buffer.from(buffer, byteOffset, byteLength);
  };
}
