import type { RosNode } from '../client/rclnodejs';
import { LEVEL } from './Diagnostics';
import type { Status } from './Diagnostics';
import type { Problem } from './problemTable';

const CLOCK = '/clock';
/** Milliseconds of real time between two looks at the node's clock, and for which it may stand still. */
const LOOK = 100;
const STANDSTILL = 600;

type ClockState = 'system' | 'running' | 'absent' | 'stopped';

/** The row of the tables in docs/reference/diagnostics.md. */
export const CLOCK_PROBLEM: Problem = {
  what: 'with `use_sim_time`, `/clock` does not come or has stopped',
  status: 'Clock',
  level: 'error',
  remedy: 'start what publishes `/clock`, or let it go on; nothing is done meanwhile',
};

/**
 * Whether time passes for a node. With `use_sim_time` it does so only while someone publishes `/clock`; without, the
 * node's timers stand still and nothing else would say so. Looks by the time of the process.
 */
export class ClockWatch {
  readonly #node: RosNode;
  readonly #onChange: (status: Status) => void;
  readonly #timer: NodeJS.Timeout;
  #state: ClockState = 'system';
  #last: { time: bigint; at: number };

  /** @param onChange told at once when the clock stops and when it goes on */
  constructor(node: RosNode, onChange: (status: Status) => void) {
    this.#node = node;
    this.#onChange = onChange;
    this.#last = { time: this.#now, at: performance.now() };
    this.#timer = setInterval(() => this.look(), LOOK);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** @param at real time, milliseconds */
  look(at = performance.now()): void {
    const before = this.#state;
    this.#state = this.#stateAt(at);
    const troubled = (state: ClockState): boolean => state === 'absent' || state === 'stopped';
    if (troubled(before) !== troubled(this.#state)) this.#onChange(this.status);
  }

  get status(): Status {
    const publishers = this.#state === 'system' ? 0 : this.#node.countPublishers(CLOCK);
    const values = { 'time of the node': `${(Number(this.#last.time) / 1e9).toFixed(3)} s`, publishers };
    const status = (level: Status['level'], message: string): Status => ({
      name: 'Clock',
      level,
      message,
      values: this.#state === 'system' ? {} : values,
    });
    switch (this.#state) {
      case 'system':
        return status(LEVEL.ok, 'the time is that of the machine');
      case 'running':
        return status(LEVEL.ok, `the time comes from ${CLOCK}`);
      case 'absent':
        return status(
          LEVEL.error,
          `use_sim_time is true, and ${publishers === 0 ? `nobody publishes ${CLOCK}` : `nothing has come on ${CLOCK} yet`}: no time passes, nothing is done`,
        );
      case 'stopped':
        return status(
          LEVEL.error,
          `${CLOCK} has stopped${publishers === 0 ? ', nobody publishes it any more' : ''}: no time passes, nothing is done`,
        );
    }
  }

  get #now(): bigint {
    return this.#node.getClock().now().nanoseconds;
  }

  #stateAt(at: number): ClockState {
    const time = this.#now;
    const moved = time !== this.#last.time;
    if (moved) this.#last = { time, at };
    if (this.#node.getParameter('use_sim_time').value !== true) {
      this.#last.at = at;
      return 'system';
    }
    if (moved) return 'running';
    if (at - this.#last.at < STANDSTILL) return this.#state === 'system' ? 'running' : this.#state;
    return time === 0n ? 'absent' : 'stopped';
  }
}
