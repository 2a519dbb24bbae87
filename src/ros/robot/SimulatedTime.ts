/** Real ticks a second that are aimed at: as fine as the timers of whoever follows need it, whatever the factor. */
const TICKS_PER_SECOND = 100;

export interface SimulatedTimeOptions {
  /** simulated nanoseconds from one control step to the next */
  readonly period: bigint;
  /** simulated seconds in a real one, read anew for every control step */
  readonly factor: () => number;
  /** The time has moved on, to `now` nanoseconds since the start; `step` tells whether a control step is due. */
  readonly onTick: (now: bigint, step: boolean) => void;
}

/**
 * The time of a simulated world: whole control steps in equal ticks, about a hundred ticks in a real second and at least
 * one a step. It is never made up for: where the process has to wait for the processor, simulated time waits with it,
 * so that a slow machine sees a slow world and not one that jumps.
 */
export class SimulatedTime {
  readonly #options: SimulatedTimeOptions;
  #timer: NodeJS.Timeout | undefined;
  #step = 0n;
  #tick = 0;
  #ticks = 1;
  #now = 0n;
  /** real time at which the next tick is due, milliseconds */
  #due = 0;

  constructor(options: SimulatedTimeOptions) {
    this.#options = options;
  }

  /** Nanoseconds since the start. */
  get now(): bigint {
    return this.#now;
  }

  start(): void {
    this.#due = performance.now();
    this.#ticks = ticksInStep(this.#options);
    this.#wait();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(): void {
    const { period, factor } = this.#options;
    const now = performance.now();
    const length = Number(period) / 1e6 / factor() / this.#ticks;
    // A timer that comes a millisecond late is made up for by the next, a longer delay is not.
    this.#due = Math.max(this.#due + length, now);
    this.#timer = setTimeout(() => this.#advance(), this.#due - now);
  }

  #advance(): void {
    const { period, onTick } = this.#options;
    this.#tick += 1;
    const step = this.#tick >= this.#ticks;
    if (step) {
      this.#step += 1n;
      this.#tick = 0;
      this.#ticks = ticksInStep(this.#options);
    }
    this.#now = this.#step * period + (BigInt(this.#tick) * period) / BigInt(this.#ticks);
    this.#wait();
    onTick(this.#now, step);
  }
}

function ticksInStep({ period, factor }: SimulatedTimeOptions): number {
  return Math.max(1, Math.round((TICKS_PER_SECOND * Number(period)) / 1e9 / factor()));
}
