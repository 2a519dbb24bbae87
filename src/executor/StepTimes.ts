/** Steps that the jitter is measured over. */
const WINDOW = 200;
/** A shift below this share of a period is not worth moving the timer for. */
const IN_PHASE = 0.01;

/** How far control steps came from the times that they were meant for, seconds; positive: late. */
export interface Jitter {
  readonly median: number;
  /** 95 % of the steps were not further away than this */
  readonly p95: number;
  readonly worst: number;
}

/** How the timer of steps is brought into phase. */
export interface TimerShift {
  /** whether the next step is due at once */
  readonly due: boolean;
  /** seconds from now until the timer is to fire, and from then on in every period */
  readonly delay: number;
}

/**
 * The times of control steps: whole periods apart, and in phase with the chunk that is followed, so that its action k
 * is sent at stamp + k period. Timers come a little early or late; the nominal times do not.
 */
export class StepTimes {
  #period: number;
  #next: number | undefined;
  /** a time at which the timer fires, if it is on time */
  #timer: number | undefined;
  readonly #offsets: number[] = [];

  /** @param period seconds */
  constructor(period: number) {
    this.#period = period;
  }

  get period(): number {
    return this.#period;
  }

  /** Nominal time of the next step, seconds; undefined before the first. */
  get next(): number | undefined {
    return this.#next;
  }

  /** Begins anew, as when the timer is started or the time jumps. */
  restart(period = this.#period): void {
    this.#period = period;
    this.#next = undefined;
    this.#timer = undefined;
    this.#offsets.length = 0;
  }

  /**
   * Moves the steps into phase with a chunk. The step that comes next moves by half a period at most, to the nearest of
   * the chunk's.
   *
   * @returns how the timer is to be set; undefined if it is in phase
   */
  follow(stamp: number, now: number): TimerShift | undefined {
    const period = this.#period;
    const expected = this.#next ?? now + period;
    const wanted = stamp + Math.round((expected - stamp) / period) * period;
    this.#next = wanted;
    if (this.#timer !== undefined) {
      const beside = (wanted - this.#timer) / period;
      if (Math.abs(beside - Math.round(beside)) < IN_PHASE) return undefined;
    }
    this.#timer = wanted;
    const due = wanted <= now;
    return { due, delay: wanted - now + (due ? period : 0) };
  }

  /** The nominal time of the step that has come at `now`; one that was missed is left out. */
  step(now: number): number {
    const expected = this.#next ?? now;
    const missed = Math.max(0, Math.round((now - expected) / this.#period));
    const far = Math.abs(now - expected) > this.#period / 2 && missed === 0;
    const time = far ? now : expected + missed * this.#period;
    this.#next = time + this.#period;
    this.#timer ??= time;
    this.#offsets.push(now - time);
    if (this.#offsets.length > WINDOW) this.#offsets.shift();
    return time;
  }

  get jitter(): Jitter {
    const sorted = [...this.#offsets].sort((a, b) => a - b);
    const sizes = sorted.map(Math.abs).sort((a, b) => a - b);
    const at = (values: readonly number[], share: number): number =>
      values[Math.min(values.length - 1, Math.floor(share * values.length))] ?? 0;
    return { median: at(sorted, 0.5), p95: at(sizes, 0.95), worst: sizes.at(-1) ?? 0 };
  }
}
