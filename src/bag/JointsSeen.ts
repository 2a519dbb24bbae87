import type { VectorSource } from '../settings/sources';
import { quoted } from '../words/quoted';

/** Names that one message lists. */
const MOST_NAMES = 12;

/**
 * The joints that the messages of one topic name, to say what is wrong where none of them has all that a source asks
 * for: other names, or several publishers that share the topic.
 */
export class JointsSeen {
  readonly #source: VectorSource;
  /** the wanted joints that came together, and how often */
  readonly #groups = new Map<string, number>();
  readonly #others = new Set<string>();

  constructor(source: VectorSource) {
    this.#source = source;
  }

  add(message: unknown): void {
    if (this.#source.type !== 'sensor_msgs/msg/JointState') return;
    const { name } = (message ?? {}) as { readonly name?: unknown };
    if (!Array.isArray(name)) return;
    const { joints } = this.#source;
    const wanted = joints.filter((joint) => name.includes(joint));
    const key = JSON.stringify(wanted);
    this.#groups.set(key, (this.#groups.get(key) ?? 0) + 1);
    for (const other of name) {
      if (this.#others.size >= MOST_NAMES) break;
      if (typeof other === 'string' && !joints.includes(other)) this.#others.add(other);
    }
  }

  /** What is wrong with all messages, with what to do; undefined where some have all joints, or there is none. */
  problem(): string | undefined {
    const { name, topic, joints } = this.#source;
    const groups = [...this.#groups.keys()].map((key) => JSON.parse(key) as string[]);
    if (groups.length === 0 || groups.some((group) => group.length === joints.length)) return undefined;
    const parts = groups.filter((group) => group.length > 0);
    if (parts.length === 0) {
      return `${name}: the messages on ${topic} have none of its joints (${list(joints)}), they name ${list([...this.#others])}; set proprio.${name}.joints to these names, in the order the policy takes them`;
    }
    const together = new Set(parts.flat());
    const missing = joints.filter((joint) => !together.has(joint));
    if (missing.length > 0) {
      return `${name}: no message on ${topic} has the joints ${list(missing)}${this.#others.size > 0 ? `, they also name ${list([...this.#others])}` : ''}; correct proprio.${name}.joints`;
    }
    return `${name}: its joints arrive in separate messages on ${topic} (${parts.map((part) => list(part)).join('; ')}); make them ${parts.length} sources with their joints each, and list them in proprio.sources in the order the policy takes them`;
  }
}

function list(names: readonly string[]): string {
  return names
    .slice(0, MOST_NAMES)
    .map((name) => quoted(name))
    .join(', ');
}
