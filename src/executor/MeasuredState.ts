import { someOf, withNearest } from '../observation/jointNames';
import type { RobotState } from './ChunkExecutor';

/** A sensor_msgs/msg/JointState, as much of it as says where the robot is. */
export interface JointPositions {
  /** seconds of the clock of all; undefined where the message has none: then it counts as stamped when received */
  readonly stamp: number | undefined;
  readonly names: readonly string[];
  readonly positions: ArrayLike<number>;
}

/**
 * Why a position was not taken: the message cannot be read; it has not one for each of its names; it is NaN or infinite; it is stamped
 * ahead of the clock by more than a state may be old; it is older than the one that is there.
 */
export const STATE_REFUSALS = ['unreadable', 'shape', 'not_finite', 'future', 'outdated'] as const;
export type StateRefusal = (typeof STATE_REFUSALS)[number];

/** Names of other joints that are remembered, to be shown. */
const MOST_OTHERS = 64;

interface Measured {
  readonly value: number;
  /** its stamp, but not later than it was received, seconds */
  readonly time: number;
}

/** What is said of where the robot is. */
export interface StateReport extends RobotState {
  /** one line that names the joints that are lacking; empty if none is */
  readonly problem: string;
  /** of the oldest position that is needed, seconds; undefined while one has not come */
  readonly age: number | undefined;
}

/**
 * Where the joints of a robot are, put together by name from messages that may each tell of some of them. What cannot
 * be used is counted, and takes the place of nothing that can.
 */
export class MeasuredState {
  readonly #names: readonly string[];
  readonly #needed: readonly boolean[];
  readonly #topic: string;
  readonly #joints = new Map<string, Measured>();
  readonly #others = new Set<string>();
  readonly #refused: Record<StateRefusal, number> = {
    ...{ unreadable: 0, shape: 0, not_finite: 0, future: 0, outdated: 0 },
  };
  #messages = 0;
  /** what was wrong with the last message; empty if nothing was */
  #wrong = '';

  /**
   * @param names of the joints [dimensions], as in the messages
   * @param needed whether each must be known
   * @param topic for sentences
   */
  constructor(names: readonly string[], needed: readonly boolean[], topic: string) {
    this.#names = names;
    this.#needed = needed;
    this.#topic = topic;
  }

  get messages(): number {
    return this.#messages;
  }

  /** Messages in which something was refused, by kind. */
  get refused(): Readonly<Record<StateRefusal, number>> {
    return { ...this.#refused };
  }

  /**
   * @param received seconds of the clock of all
   * @param maxAge seconds that a state may be old
   */
  take({ stamp, names, positions }: JointPositions, received: number, maxAge: number): void {
    this.#messages += 1;
    this.#wrong = '';
    if (stamp !== undefined && stamp - received > maxAge) {
      this.#refuse('future', `is stamped ${(stamp - received).toFixed(3)} s ahead of the clock`);
      return;
    }
    const time = Math.min(stamp ?? received, received);
    const refusals = new Map<StateRefusal, string>();
    names.forEach((name, i) => {
      if (!this.#names.includes(name)) {
        if (this.#others.size < MOST_OTHERS) this.#others.add(name);
        return;
      }
      const value = positions[i];
      const before = this.#joints.get(name);
      if (value === undefined) refusals.set('shape', `has no position for ${name}`);
      else if (!Number.isFinite(value)) refusals.set('not_finite', `has ${value} for ${name}`);
      else if (before && time < before.time) refusals.set('outdated', `is older than the one before it`);
      else this.#joints.set(name, { value, time });
    });
    for (const [kind, problem] of refusals) this.#refuse(kind, problem);
  }

  /** A message has come that cannot be read. */
  refuseUnreadable(): void {
    this.#messages += 1;
    this.#refuse('unreadable', 'cannot be read');
  }

  /** Forgets where the joints are, as when the time jumps back; counts stay. */
  clear(): void {
    this.#joints.clear();
    this.#wrong = '';
  }

  /** Where the robot is at a time, and what of it is not known or older than `maxAge` seconds. */
  at(now: number, maxAge: number): StateReport {
    const missing: string[] = [];
    const stale: string[] = [];
    let age = 0;
    const values = this.#names.map((name, i) => {
      const measured = this.#joints.get(name);
      if (this.#needed[i]) {
        if (!measured) missing.push(name);
        else if (now - measured.time > maxAge) stale.push(name);
        age = Math.max(age, measured ? now - measured.time : Infinity);
      }
      return measured && now - measured.time <= maxAge ? measured.value : NaN;
    });
    const lacking = missing.length > 0 ? 'no_state' : stale.length > 0 ? 'stale_state' : undefined;
    const problem = (): string => (lacking === undefined ? '' : this.#problem(missing, stale, age, maxAge));
    return {
      values,
      lacking,
      age: age === Infinity ? undefined : age,
      // Put into words when somebody asks, not in every control step.
      get problem() {
        return problem();
      },
    };
  }

  #problem(missing: readonly string[], stale: readonly string[], age: number, maxAge: number): string {
    const wrong = this.#wrong === '' ? '' : `; the last message ${this.#wrong}`;
    if (missing.length === 0) {
      return `the positions of ${someOf(stale)} on ${this.#topic} are ${age.toFixed(3)} s old, at most ${maxAge} s are allowed (state_max_age)${wrong}`;
    }
    if (this.#messages === 0) {
      return `no position of ${someOf(missing)} is known: nothing has come on ${this.#topic}`;
    }
    const there = [...this.#joints.keys(), ...this.#others];
    return `${this.#topic} has no usable position for ${missing.map((name) => withNearest(name, there)).join(', ')}; it names ${someOf(there)}${wrong}`;
  }

  #refuse(kind: StateRefusal, problem: string): void {
    this.#refused[kind] += 1;
    this.#wrong = problem;
  }
}
