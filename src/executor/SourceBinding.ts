/** Seconds of silence after which another publisher's chunks may be followed. */
export const SOURCE_SILENCE = 5;
/** Publishers that are remembered; more come only from something gone wild. */
const MOST_OTHERS = 64;

/**
 * Which of several publishers of chunks is followed: the first whose chunk could be, until it is gone or has been silent.
 * Two policies must not drive one robot in turns.
 */
export class SourceBinding {
  #bound: string | undefined;
  #heard = 0;
  /** publishers that were turned away since the last binding, with when they were heard last, seconds */
  readonly #others = new Map<string, number>();

  /** The publisher that is followed; undefined before the first, and where publishers cannot be told apart. */
  get bound(): string | undefined {
    return this.#bound;
  }

  /** Other publishers that were heard lately. */
  others(now: number): readonly string[] {
    return [...this.#others].filter(([, heard]) => now - heard <= SOURCE_SILENCE).map(([source]) => source);
  }

  /**
   * A chunk has come.
   * @param source empty where the middleware does not say who sent it: then there is only one
   * @param now seconds
   * @param alive whether a publisher still exists
   * @returns `same` (or the first), `new` where it takes another's place, `other` where it is to be refused
   */
  judge(source: string, now: number, alive: (source: string) => boolean): 'same' | 'new' | 'other' {
    if (this.#bound === undefined || this.#bound === source) return 'same';
    const silent = Math.abs(now - this.#heard) > SOURCE_SILENCE;
    if (silent || !alive(this.#bound)) return 'new';
    if (this.#others.size >= MOST_OTHERS) this.#others.clear();
    this.#others.set(source, now);
    return 'other';
  }

  /** A chunk of this publisher is followed: only one that can be used binds. */
  follow(source: string, now: number): void {
    if (this.#bound !== source) this.#others.clear();
    this.#bound = source;
    this.#heard = now;
  }

  /** Follows whoever comes next. */
  release(): void {
    this.#bound = undefined;
    this.#others.clear();
  }
}
