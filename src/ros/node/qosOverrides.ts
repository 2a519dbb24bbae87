import type { Rclnodejs, RosNode, RosParameter, RosQos } from '../client/rclnodejs';
import { quoted } from '../../words/quoted';

/** The policies that can be overridden, and what each may be; `depth` is a number. */
const WORDS = {
  history: { keep_last: 'RMW_QOS_POLICY_HISTORY_KEEP_LAST', keep_all: 'RMW_QOS_POLICY_HISTORY_KEEP_ALL' },
  reliability: {
    reliable: 'RMW_QOS_POLICY_RELIABILITY_RELIABLE',
    best_effort: 'RMW_QOS_POLICY_RELIABILITY_BEST_EFFORT',
  },
  durability: {
    volatile: 'RMW_QOS_POLICY_DURABILITY_VOLATILE',
    transient_local: 'RMW_QOS_POLICY_DURABILITY_TRANSIENT_LOCAL',
  },
} as const;
const DEEPEST = 100_000;
const FORM =
  'expected qos_overrides.<full topic name>.<publisher or subscription>.<history, depth, reliability or durability>';

type Entity = 'publisher' | 'subscription';
type Words = Partial<Record<keyof typeof WORDS, string>> & { depth?: number };

/** Whether a parameter is one of these. */
export function isQosOverride(name: string): boolean {
  return name.startsWith('qos_overrides.');
}

/**
 * The `qos_overrides` parameters that ROS users know: `qos_overrides./camera/image.subscription.reliability`. They are
 * read when the node starts and hold for whatever it publishes or subscribes to under that name.
 */
export class QosOverrides {
  /** what was said that cannot be used, by parameter */
  readonly problems = new Map<string, string>();
  readonly #rclnodejs: Rclnodejs;
  readonly #overrides = new Map<string, Words>();

  constructor(rclnodejs: Rclnodejs, overrides: ReadonlyMap<string, RosParameter>) {
    this.#rclnodejs = rclnodejs;
    for (const [name, { value }] of overrides) {
      if (!isQosOverride(name)) continue;
      const problem = this.#take(name, typeof value === 'bigint' ? Number(value) : value);
      if (problem !== undefined) this.problems.set(name, problem);
    }
  }

  /** The quality of service for an end of a topic: `base` but for what was overridden. */
  of(entity: Entity, topic: string, base: RosQos): RosQos {
    const words = this.#overrides.get(`${topic} ${entity}`);
    if (!words) return base;
    const { QoS } = this.#rclnodejs;
    const { HistoryPolicy, ReliabilityPolicy, DurabilityPolicy } = QoS;
    const { history, reliability, durability } = words;
    return new QoS(
      history === undefined ? base.history : HistoryPolicy[WORDS.history[history as 'keep_last']],
      words.depth ?? base.depth,
      reliability === undefined
        ? base.reliability
        : ReliabilityPolicy[WORDS.reliability[reliability as 'reliable']],
      durability === undefined
        ? base.durability
        : DurabilityPolicy[WORDS.durability[durability as 'volatile']],
    );
  }

  /** From now on the node's publishers and subscriptions have what was overridden. */
  applyTo(node: RosNode): void {
    if (this.#overrides.size === 0) return;
    const createPublisher = node.createPublisher.bind(node);
    node.createPublisher = (type, topic, options = {}) =>
      createPublisher(type, topic, { ...options, qos: this.#for(node, 'publisher', topic, options.qos) });
    const createSubscription = node.createSubscription.bind(node);
    node.createSubscription = (type, topic, options, callback) => {
      const qos = this.#for(node, 'subscription', topic, options.qos);
      return createSubscription(type, topic, { ...options, qos }, callback);
    };
  }

  #for(node: RosNode, entity: Entity, topic: string, base: RosQos | undefined): RosQos {
    return this.of(entity, node.resolveTopicName(topic), base ?? defaultQos(this.#rclnodejs));
  }

  #take(name: string, value: unknown): string | undefined {
    const [, topic, entity, policy] =
      /^qos_overrides\.(\/[^.]+)\.(publisher|subscription)\.(\w+)$/.exec(name) ?? [];
    if (topic === undefined || entity === undefined || policy === undefined)
      return `${quoted(name)} is not known; ${FORM}`;
    const key = `${topic} ${entity}`;
    const words = this.#overrides.get(key) ?? {};
    if (policy === 'depth') {
      if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > DEEPEST)
        return `${name} ${shown(value)}: expected a whole number from 1 to ${DEEPEST}`;
      words.depth = value;
    } else if (policy === 'history' || policy === 'reliability' || policy === 'durability') {
      const known = Object.keys(WORDS[policy]);
      if (typeof value !== 'string' || !known.includes(value))
        return `${name} ${shown(value)}: expected ${known.join(' or ')}`;
      words[policy] = value;
    } else {
      return `${quoted(name)} is not known; ${FORM}`;
    }
    this.#overrides.set(key, words);
    return undefined;
  }
}

/** rmw's default: what a publisher or subscription has of which nothing is said. */
function defaultQos({ QoS }: Rclnodejs): RosQos {
  return new QoS(
    QoS.HistoryPolicy.RMW_QOS_POLICY_HISTORY_KEEP_LAST,
    10,
    QoS.ReliabilityPolicy.RMW_QOS_POLICY_RELIABILITY_RELIABLE,
    QoS.DurabilityPolicy.RMW_QOS_POLICY_DURABILITY_VOLATILE,
  );
}

function shown(value: unknown): string {
  return value === undefined ? 'without a value' : JSON.stringify(value);
}
