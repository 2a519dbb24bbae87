/** Something with the time it belongs to, nanoseconds. */
export interface Stamped<T> {
  readonly stamp: bigint;
  readonly value: T;
}

/**
 * The newest few entries of one source, ordered by stamp. More than one is kept because a message may be stamped
 * after the time that is asked for (clocks apart, sim time): the one before it is then the newest usable one.
 */
export class History<T> {
  readonly #depth: number;
  readonly #entries: Stamped<T>[] = [];

  constructor(depth: number) {
    this.#depth = depth;
  }

  add(stamp: bigint, value: T): void {
    let at = this.#entries.length;
    while (at > 0 && (this.#entries[at - 1] as Stamped<T>).stamp > stamp) at--;
    this.#entries.splice(at, 0, { stamp, value });
    if (this.#entries.length > this.#depth) this.#entries.shift();
  }

  /** The newest entry that is not later than `time`. */
  notLaterThan(time: bigint): Stamped<T> | undefined {
    return this.#entries.findLast((entry) => entry.stamp <= time);
  }

  /** The oldest entry, which is the nearest one where all are later than the time asked for. */
  get oldest(): Stamped<T> | undefined {
    return this.#entries[0];
  }

  clear(): void {
    this.#entries.length = 0;
  }
}
