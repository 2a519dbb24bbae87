import { futureSource } from './guards';
import { History } from './History';
import type { Stamped } from './History';
import type { Refusal, RefusalKind } from './Refusal';
import { toSeconds } from './stamp';

export interface ObservationSourceOptions {
  readonly name: string;
  /** the source in a sentence: `camera front` */
  readonly title: string;
  /** entries kept */
  readonly depth: number;
}

/** What has come from one source: what can be used, and why the rest was refused. What is refused takes no place. */
export class ObservationSource<T> {
  readonly name: string;
  readonly #title: string;
  readonly #history: History<T>;
  readonly #refused = new Map<RefusalKind, number>();
  /** why the last message was not taken; undefined since one was */
  #refusal: Refusal | undefined;

  constructor({ name, title, depth }: ObservationSourceOptions) {
    this.name = name;
    this.#title = title;
    this.#history = new History(depth);
  }

  /** How many messages were refused for what they are, by kind. */
  get refused(): ReadonlyMap<RefusalKind, number> {
    return this.#refused;
  }

  /**
   * Takes a message. One that is ahead of the clock by more than `maxAge` is refused: it would be too old by the time
   * that its stamp comes.
   *
   * @param received nanoseconds
   * @param maxAge seconds
   */
  add(stamp: bigint, value: T, received: bigint, maxAge: number): void {
    const ahead = toSeconds(stamp - received);
    if (ahead > maxAge) {
      this.refuse(futureSource(this.name, ahead));
      return;
    }
    this.#refusal = undefined;
    this.#history.add(stamp, value, received);
  }

  /** A message is not taken: for what it is, or passed over because it is not for this source. */
  refuse(refusal: Refusal, passedOver = false): void {
    this.#refusal = refusal;
    if (!passedOver) this.#refused.set(refusal.kind, (this.#refused.get(refusal.kind) ?? 0) + 1);
  }

  /** A message that was taken cannot be used after all: it gives its place back. */
  takeBack(stamp: bigint, refusal: Refusal): void {
    this.#history.remove(stamp);
    this.refuse(refusal);
  }

  /**
   * The newest message that is not later than `time` and not older than `maxAge` seconds, or why there is none: where
   * messages come that are refused, that is the reason, not that the last good one is old.
   */
  newest(time: bigint, maxAge: number): Stamped<T> | Refusal {
    const newest = this.#history.notLaterThan(time);
    const refusal = this.#refusal;
    if (newest === undefined) {
      if (refusal !== undefined) return refusal;
      const ahead = this.#history.oldest;
      return ahead === undefined
        ? { kind: 'missing', source: this.name, message: `${this.#title} has sent nothing yet` }
        : futureSource(this.name, toSeconds(ahead.stamp - time));
    }
    const age = toSeconds(time - newest.stamp);
    if (age > maxAge && refusal !== undefined) {
      return { ...refusal, message: `${refusal.message} (its last good message is ${age.toFixed(3)} s old)` };
    }
    return newest;
  }

  /** Forgets all messages; the counts stay. */
  clear(): void {
    this.#history.clear();
    this.#refusal = undefined;
  }
}
