import type { BagWriter } from '../../bag/BagWriter';
import { FastWamError, messageOf } from '../../errors';
import type { Rclnodejs, RosEndpoint, RosNode, RosQos } from '../client/rclnodejs';
import type { Interruption } from '../client/withRos';

export interface RecordOptions {
  /** as the user names them; they may not be there yet */
  readonly topics: readonly string[];
  /** end after so many seconds of real time; default: when interrupted */
  readonly duration?: number;
  /** told of what a user should know, one line each */
  readonly say: (line: string) => void;
}

const QUEUE = 1000;
const LOOK_AGAIN = 50;

/**
 * Records topics as they come, each message's own bytes at the time of receipt. A topic is taken up when somebody
 * publishes it, with a quality of service that all its publishers offer.
 */
export class TopicRecorder {
  readonly #rclnodejs: Rclnodejs;
  readonly #node: RosNode;
  readonly #writer: BagWriter;
  readonly #options: RecordOptions;
  /** full names of the topics that nobody has published yet */
  readonly #awaited: Set<string>;
  /** what could not be written; the first is thrown at the end */
  #failure: Error | undefined;

  constructor(rclnodejs: Rclnodejs, node: RosNode, writer: BagWriter, options: RecordOptions) {
    this.#rclnodejs = rclnodejs;
    this.#node = node;
    this.#writer = writer;
    this.#options = options;
    this.#awaited = new Set(options.topics.map((topic) => node.resolveTopicName(topic)));
  }

  /** Records until the time is over or the user interrupts. The writer is left open. */
  async record(interruption: Interruption): Promise<void> {
    const { duration = Infinity } = this.#options;
    const { signal } = interruption;
    const end = performance.now() + duration * 1000;
    while (!signal.aborted && performance.now() < end && this.#failure === undefined) {
      if (this.#awaited.size > 0) await this.#takeUp();
      await interruption.pause(Math.min(LOOK_AGAIN, Math.max(0, end - performance.now())));
    }
    for (const topic of this.#awaited) this.#options.say(`nobody has published ${topic}`);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #takeUp(): Promise<void> {
    for (const { name, types } of this.#node.getTopicNamesAndTypes()) {
      const [type] = types;
      if (!this.#awaited.has(name) || type === undefined) continue;
      const publishers = this.#node.getPublishersInfoByTopic(name);
      if (publishers.length === 0) continue;
      this.#awaited.delete(name);
      const offered = commonQos(this.#rclnodejs, publishers);
      await this.#writer.addTopic({ name, type, qos: { ...offered.recorded, depth: QUEUE } });
      this.#node.createSubscription(type, name, { qos: offered.qos, isRaw: true }, (message) => {
        this.#writer
          .writeEncoded(name, this.#node.getClock().now().nanoseconds, message as Uint8Array)
          .catch((error: unknown) => {
            this.#failure ??= new FastWamError(`${name} cannot be recorded: ${messageOf(error)}`, {
              cause: error,
            });
          });
      });
      this.#options.say(`recording ${name} (${type})`);
    }
  }
}

/** The strictest quality of service that all publishers offer: a stricter request would not be matched. */
function commonQos(
  { QoS }: Rclnodejs,
  publishers: readonly RosEndpoint[],
): {
  readonly qos: RosQos;
  readonly recorded: {
    readonly reliability: 'reliable' | 'best_effort';
    readonly durability: 'volatile' | 'transient_local';
  };
} {
  const {
    RMW_QOS_POLICY_RELIABILITY_RELIABLE: reliable,
    RMW_QOS_POLICY_RELIABILITY_BEST_EFFORT: bestEffort,
  } = QoS.ReliabilityPolicy;
  const { RMW_QOS_POLICY_DURABILITY_VOLATILE: volatile, RMW_QOS_POLICY_DURABILITY_TRANSIENT_LOCAL: latched } =
    QoS.DurabilityPolicy;
  const allReliable = publishers.every(({ qos_profile: qos }) => qos.reliability === reliable);
  const allLatched = publishers.every(({ qos_profile: qos }) => qos.durability === latched);
  return {
    qos: new QoS(
      QoS.HistoryPolicy.RMW_QOS_POLICY_HISTORY_KEEP_LAST,
      QUEUE,
      allReliable ? reliable : bestEffort,
      allLatched ? latched : volatile,
    ),
    recorded: {
      reliability: allReliable ? 'reliable' : 'best_effort',
      durability: allLatched ? 'transient_local' : 'volatile',
    },
  };
}
