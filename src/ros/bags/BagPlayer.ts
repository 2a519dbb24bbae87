import { parse } from 'yaml';
import type { BagReader, BagTopic } from '../../bag/types';
import { UsageError, messageOf } from '../../errors';
import type { Rclnodejs, RosNode, RosPublisher } from '../client/rclnodejs';
import { timeMessage } from '../../observation/stamp';
import type { Interruption } from '../client/withRos';
import { didYouMean } from '../../words/nearestName';

export interface PlayOptions {
  /** how much faster than it was recorded */
  readonly rate: number;
  /** start over at the end, until interrupted */
  readonly loop: boolean;
  /** only these; default all */
  readonly topics?: readonly string[];
  /** publish the time of the recording on /clock so many times a second of real time, and at every message */
  readonly clockRate?: number;
  /** do not begin before this node hears the recording and, where it is a managed one, is active */
  readonly waitFor?: string;
  /** told of what a user should know, one line each */
  readonly say: (line: string) => void;
}

const QUEUE = 100;
const LOOK_AGAIN = 50;
/** Bytes of the network still on their way at the end get so many nanoseconds. */
const LAST_MESSAGES = 2_000_000_000n;
const ACTIVE = 'active';

/**
 * Publishes a recording as it was recorded: each message's own bytes, at its log time. All publishers are reliable, so
 * that every subscriber matches; those that were transient local are so again.
 */
export class BagPlayer {
  readonly #bag: BagReader;
  readonly #node: RosNode;
  readonly #options: PlayOptions;
  readonly #publishers: ReadonlyMap<string, RosPublisher>;
  readonly #clock: RosPublisher | undefined;
  /** messages published so far */
  published = 0;

  /** @throws UsageError for topics that the recording does not have, and where nothing of it can be published */
  constructor(rclnodejs: Rclnodejs, node: RosNode, bag: BagReader, options: PlayOptions) {
    this.#bag = bag;
    this.#node = node;
    this.#options = options;
    const { QoS } = rclnodejs;
    const { RMW_QOS_POLICY_DURABILITY_TRANSIENT_LOCAL: latched, RMW_QOS_POLICY_DURABILITY_VOLATILE: plain } =
      QoS.DurabilityPolicy;
    const publishers = new Map<string, RosPublisher>();
    for (const topic of wantedTopics(bag, options)) {
      const kept = keptForLateComers(topic);
      const qos = new QoS(
        QoS.HistoryPolicy.RMW_QOS_POLICY_HISTORY_KEEP_LAST,
        kept === 0 ? QUEUE : kept,
        QoS.ReliabilityPolicy.RMW_QOS_POLICY_RELIABILITY_RELIABLE,
        kept === 0 ? plain : latched,
      );
      try {
        publishers.set(topic.name, node.createPublisher(topic.type, topic.name, { qos }));
      } catch (error) {
        options.say(
          `${topic.name} is left out: ${topic.type} cannot be published here (${messageOf(error)})`,
        );
      }
    }
    if (publishers.size === 0) throw new UsageError(`${bag.path}: there is nothing to publish`);
    this.#publishers = publishers;
    this.#clock =
      options.clockRate === undefined
        ? undefined
        : node.createPublisher('rosgraph_msgs/msg/Clock', '/clock', {
            qos: new QoS(
              QoS.HistoryPolicy.RMW_QOS_POLICY_HISTORY_KEEP_LAST,
              1,
              QoS.ReliabilityPolicy.RMW_QOS_POLICY_RELIABILITY_RELIABLE,
              plain,
            ),
          });
  }

  get topics(): readonly string[] {
    return [...this.#publishers.keys()];
  }

  /** Plays to the end, or until interrupted. */
  async play(interruption: Interruption): Promise<void> {
    const { waitFor, loop } = this.#options;
    if (waitFor !== undefined) await this.#waitFor(waitFor, interruption);
    do await this.#playOnce(interruption);
    while (loop && !interruption.signal.aborted);
    for (const publisher of this.#publishers.values()) publisher.waitForAllAcked(LAST_MESSAGES);
  }

  async #playOnce(interruption: Interruption): Promise<void> {
    const { rate, clockRate } = this.#options;
    const { signal } = interruption;
    const start = this.#bag.start;
    if (start === undefined) return;
    const began = performance.now();
    /** time of the recording that has come, nanoseconds */
    const reached = (): bigint => start + BigInt(Math.round((performance.now() - began) * rate * 1e6));
    let shown = start;
    for await (const message of this.#bag.messages({ topics: this.topics })) {
      const { logTime, topic } = message;
      if (logTime > shown) {
        // Whoever samples at a time has what was recorded up to it: all of its messages come first.
        this.#tell(shown);
        while (reached() < logTime) {
          const wait = Number(logTime - reached()) / rate / 1e6;
          await interruption.pause(clockRate === undefined ? wait : Math.min(wait, 1000 / clockRate));
          if (signal.aborted) return;
          const now = reached();
          if (now < logTime) this.#tell(now);
        }
        shown = logTime;
      }
      // A copy of its own: the recording's buffers are shared between messages.
      this.#publishers.get(topic)?.publish(Buffer.from(message.data));
      this.published += 1;
    }
    this.#tell(shown);
  }

  #tell(time: bigint): void {
    this.#clock?.publish({ clock: timeMessage(time) });
  }

  async #waitFor(name: string, interruption: Interruption): Promise<void> {
    const full = name.startsWith('/') ? name : `${this.#node.namespace().replace(/\/$/, '')}/${name}`;
    const { signal } = interruption;
    this.#options.say(`waiting for ${full}`);
    while (!signal.aborted && !this.#hears(full)) await interruption.pause(LOOK_AGAIN);
    const state = this.#node.createClient('lifecycle_msgs/srv/GetState', `${full}/get_state`);
    // An ordinary node has no such service.
    while (!signal.aborted && state.isServiceServerAvailable()) {
      const answer = await Promise.race([
        new Promise<unknown>((resolve) => state.sendRequest({}, resolve)),
        interruption.pause(1000),
      ]);
      const { current_state: current } = (answer ?? {}) as { current_state?: { label: string } };
      if (current?.label === ACTIVE) return;
      await interruption.pause(LOOK_AGAIN);
    }
  }

  #hears(node: string): boolean {
    return this.topics.some((topic) =>
      this.#node
        .getSubscriptionsInfoByTopic(this.#node.resolveTopicName(topic))
        .some((one) => `${one.node_namespace.replace(/\/$/, '')}/${one.node_name}` === node),
    );
  }
}

function wantedTopics(bag: BagReader, { topics }: PlayOptions): readonly BagTopic[] {
  const names = bag.topics.map(({ name }) => name);
  for (const name of topics ?? []) {
    if (names.includes(name)) continue;
    throw new UsageError(
      `${bag.path} has no topic ${name}${didYouMean(name, names)}; it has ${names.join(', ')}`,
    );
  }
  // The time is ours to tell, and an old clock beside it would be a second one.
  return bag.topics.filter(
    ({ name, encoding }) => (topics?.includes(name) ?? name !== '/clock') && encoding === 'cdr',
  );
}

const LATCHED = new Set<unknown>([1, 'transient_local']);
const KEEPS_LAST = new Set<unknown>([1, 'keep_last']);

/**
 * How many messages the recorded publishers of a topic kept for late comers, all of them together, since the player
 * stands for all; 0 if they kept none.
 */
export function keptForLateComers({ offeredQos }: Pick<BagTopic, 'offeredQos'>): number {
  if (offeredQos === undefined) return 0;
  let profiles: unknown;
  try {
    profiles = parse(offeredQos, { maxAliasCount: 0 });
  } catch {
    return 0;
  }
  if (!Array.isArray(profiles)) return 0;
  let kept = 0;
  for (const profile of profiles as unknown[]) {
    if (profile === null || typeof profile !== 'object') continue;
    // rosbag2 has written rmw's numbers, and since Iron the words.
    const { durability, history, depth } = profile as Readonly<Record<string, unknown>>;
    if (!LATCHED.has(durability)) continue;
    const own = KEEPS_LAST.has(history) && typeof depth === 'number' && depth >= 1 ? depth : QUEUE;
    kept = Math.min(kept + own, QUEUE);
  }
  return kept;
}
