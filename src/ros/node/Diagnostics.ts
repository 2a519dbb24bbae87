import type { RosNode, RosPublisher } from '../client/rclnodejs';
import { timeMessage } from '../../observation/stamp';

/** diagnostic_msgs/msg/DiagnosticStatus */
export const LEVEL = { ok: 0, warn: 1, error: 2, stale: 3 } as const;
export type Level = (typeof LEVEL)[keyof typeof LEVEL];

/** The state of one concern of a node. */
export interface Status {
  /** `Observation`, `Cache`: what the status is about; the node's name is put before it */
  readonly name: string;
  readonly level: Level;
  /** one line */
  readonly message: string;
  /** further figures by name, with their units */
  readonly values: Readonly<Record<string, string | number | boolean>>;
}

export interface DiagnosticsOptions {
  readonly node: RosNode;
  /** what the figures belong to: the model or the robot; empty if nothing */
  readonly hardwareId: () => string;
  /** whether statuses and hardware are named with the node's namespace, so that two robots' can be told apart */
  readonly qualified: () => boolean;
  readonly statuses: () => readonly Status[];
}

/**
 * Publishes the state of a node on `/diagnostics`. The timer is the process's, not the node's: with `use_sim_time` and
 * no clock this is where one learns so.
 */
export class Diagnostics {
  readonly #options: DiagnosticsOptions;
  readonly #publisher: RosPublisher;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DiagnosticsOptions, period: number) {
    this.#options = options;
    this.#publisher = options.node.createPublisher('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics');
    this.setPeriod(period);
  }

  /** @param period seconds */
  setPeriod(period: number): void {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.publish(), period * 1000);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  publish(): void {
    const { node, hardwareId, qualified, statuses } = this.#options;
    try {
      const [nodeName, hardware] = qualified()
        ? [node.getFullyQualifiedName(), `${node.namespace().replace(/\/$/, '')}/${hardwareId()}`]
        : [node.name(), hardwareId()];
      this.#publisher.publish({
        header: { stamp: timeMessage(node.getClock().now().nanoseconds), frame_id: '' },
        status: statuses().map(({ name, level, message, values }) => ({
          level,
          name: `${nodeName}: ${name}`,
          message,
          hardware_id: hardware,
          values: Object.entries(values).map(([key, value]) => ({ key, value: String(value) })),
        })),
      });
    } catch (error) {
      node.getLogger().error(`diagnostics could not be published: ${String(error)}`);
    }
  }
}
