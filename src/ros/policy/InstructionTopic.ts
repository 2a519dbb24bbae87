import { messageOf } from '../../errors';
import { decodeMessage } from '../client/decodeMessage';
import type { QosProfiles } from '../client/qos';
import type { RosNode, RosSubscription } from '../client/rclnodejs';

export interface InstructionTopicOptions {
  readonly node: RosNode;
  readonly topic: string;
  readonly qos: QosProfiles;
  readonly onInstruction: (instruction: string) => void;
  readonly onUnreadable: (sentence: string) => void;
}

/**
 * Where instructions come from, heard in two ways: latched ones reach also those who come late, and a publisher that
 * does not latch would not match that request. What comes both ways is one message.
 */
export class InstructionTopic {
  readonly #node: RosNode;
  readonly #subscriptions: readonly RosSubscription[];
  #last: { readonly text: string; readonly way: string; twice: boolean } | undefined;

  constructor({ node, topic, qos, onInstruction, onUnreadable }: InstructionTopicOptions) {
    this.#node = node;
    this.#subscriptions = (['latched', 'command'] as const).map((way) =>
      node.createSubscription('std_msgs/msg/String', topic, { qos: qos[way], isRaw: true }, (message) => {
        let text: string;
        try {
          text = decodeMessage.string(message as Uint8Array);
        } catch (error) {
          onUnreadable(`a message on ${node.resolveTopicName(topic)} cannot be read: ${messageOf(error)}`);
          return;
        }
        if (this.#isNew(text, way)) onInstruction(text);
      }),
    );
  }

  destroy(): void {
    for (const subscription of this.#subscriptions) this.#node.destroySubscription(subscription);
  }

  #isNew(text: string, way: string): boolean {
    const last = this.#last;
    if (last?.text === text && last.way !== way && !last.twice) {
      last.twice = true;
      return false;
    }
    this.#last = { text, way, twice: false };
    return true;
  }
}
