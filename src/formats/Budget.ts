/** What reading one file may cost. */
export interface BudgetLimits {
  /** read or unfolded, in all */
  readonly bytes: number;
  /** values, entries, messages that are made of it */
  readonly elements: number;
  /** of time spent in decoders, which cannot be asked how far they are */
  readonly seconds: number;
}

export type Resource = keyof BudgetLimits;

const NAMES: Readonly<Record<Resource, string>> = {
  bytes: 'bytes',
  elements: 'values',
  seconds: 'seconds of decoding',
};

/**
 * What a file that somebody else made may cost in all. A limit on each part is not enough: a few thousand parts, each
 * within its limit, add up. Every reader takes from the budget of its file, before it does the work.
 */
export class Budget {
  readonly limits: BudgetLimits;
  readonly #spent: Record<Resource, number> = { bytes: 0, elements: 0, seconds: 0 };

  constructor(limits: Partial<BudgetLimits>) {
    this.limits = { bytes: Infinity, elements: Infinity, seconds: Infinity, ...limits };
  }

  /**
   * A budget in proportion to what is read: a large file may cost much, a small one may not.
   * @param size bytes of the file
   */
  static ofFile(size: number): Budget {
    return new Budget({
      bytes: Math.max(2 ** 29, size * 200),
      elements: Math.max(500_000, size / 4),
      seconds: 5 + size / 1e6,
    });
  }

  /**
   * Takes from the budget.
   * @throws Error with what was exceeded; the reader adds the file and the place
   */
  take(resource: Resource, amount: number): void {
    this.#spent[resource] += amount;
    const limit = this.limits[resource];
    if (this.#spent[resource] <= limit) return;
    throw new Error(
      `it asks for more than ${Math.round(limit)} ${NAMES[resource]}, which no file of its size needs`,
    );
  }

  /** Runs a decoder, and takes the time that it needed. */
  timed<T>(decode: () => T): T {
    const started = performance.now();
    const result = decode();
    this.take('seconds', (performance.now() - started) / 1000);
    return result;
  }
}
