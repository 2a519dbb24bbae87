/** Something with the time it belongs to, nanoseconds. */
export interface Stamped<T> {
  readonly stamp: bigint;
  readonly value: T;
}

/**
 * The newest few entries of one source, ordered by stamp. More than one is kept because a message may be stamped
 * after the time that is asked for (clocks apart, sim time): the one before it is then the newest usable one. Those
 * that are ahead of the clock have places of their own, so that they never take the place of one that can be used.
 */
export class History<T> {
  readonly #depth: number;
  readonly #entries: Stamped<T>[] = [];

  /** @param depth entries kept that can be used, and entries kept that are ahead */
  constructor(depth: number) {
    this.#depth = depth;
  }

  /** @param now time of receipt: of the entries up to it the newest are kept, of those beyond it the nearest */
  add(stamp: bigint, value: T, now: bigint): void {
    const entries = this.#entries;
    const after = entries.findIndex((entry) => entry.stamp > stamp);
    entries.splice(after < 0 ? entries.length : after, 0, { stamp, value });
    const ahead = entries.findIndex((entry) => entry.stamp > now);
    const usable = ahead < 0 ? entries.length : ahead;
    entries.length = Math.min(entries.length, usable + this.#depth);
    if (usable > this.#depth) entries.splice(0, usable - this.#depth);
  }

  /** Forgets the entries of a stamp. */
  remove(stamp: bigint): void {
    const kept = this.#entries.filter((entry) => entry.stamp !== stamp);
    this.#entries.splice(0, this.#entries.length, ...kept);
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
