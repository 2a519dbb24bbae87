/** Chunks that the delay is taken from. */
const WINDOW = 20;
/** Share of them that are not slower. */
const SHARE = 0.95;

/**
 * How long it takes from an observation until its chunk arrives, as the last chunks had it. The first chunk after a
 * model was loaded does not count: it meets cold caches and would stand for none of the others.
 */
export class InferenceDelay {
  readonly #seconds: number[] = [];
  #warm = false;

  /** A chunk has arrived so many seconds after its observation. */
  add(seconds: number): void {
    if (this.#warm) this.#seconds.push(seconds);
    this.#warm = true;
    if (this.#seconds.length > WINDOW) this.#seconds.shift();
  }

  /** A model has been loaded, or what it runs on: what was measured no longer holds. */
  restart(): void {
    this.#seconds.length = 0;
    this.#warm = false;
  }

  /** The 95th percentile, seconds; undefined while nothing is measured. */
  get seconds(): number | undefined {
    const sorted = [...this.#seconds].sort((a, b) => a - b);
    return sorted[Math.ceil(SHARE * sorted.length) - 1];
  }

  /** The same in control steps, rounded up. */
  steps(period: number): number | undefined {
    const { seconds } = this;
    return seconds === undefined ? undefined : Math.max(0, Math.ceil(seconds / period));
  }
}
