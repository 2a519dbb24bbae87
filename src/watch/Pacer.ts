import { FastWamError } from '../errors';

/** Thrown out of a loop that is to begin anew, or to end. */
export class Interrupted extends FastWamError {
  override readonly name = 'Interrupted';
}

/**
 * Lets a loop take its steps one by one: in rhythm, not at all while it is paused or nobody watches, or as many as were
 * asked for. Changes take effect at once, also on a wait in progress.
 */
export class Pacer {
  #period = 0;
  #paused = false;
  #attended = false;
  /** steps that a paused loop may take */
  #allowed = 0;
  #interrupted = false;
  /** when the next step is due, ms of the clock */
  #due = 0;
  #wake: () => void = () => undefined;

  /** Seconds between steps; 0 waits for nothing. */
  set period(seconds: number) {
    this.#period = seconds;
    this.#due = 0;
    this.#wake();
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Whether anybody watches; without that the loop stands still. */
  set attended(attended: boolean) {
    this.#attended = attended;
    this.#wake();
  }

  pause(): void {
    this.#paused = true;
    this.#allowed = 0;
    this.#wake();
  }

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  /** Lets a paused loop take so many steps; a running one is paused after them. */
  allow(steps: number): void {
    this.#paused = true;
    this.#allowed = steps;
    this.#wake();
  }

  /** The wait in progress, or the next one, throws {@link Interrupted}. */
  interrupt(): void {
    this.#interrupted = true;
    this.#wake();
  }

  /** Forgets an interruption. */
  begin(): void {
    this.#interrupted = false;
  }

  /** Waits until the next step may be taken. @throws Interrupted */
  async turn(): Promise<void> {
    for (;;) {
      if (this.#interrupted) throw new Interrupted('the episode was broken off');
      const stepwise = this.#paused && this.#allowed > 0;
      const left = this.#due - performance.now();
      if (!this.#attended || (this.#paused && !stepwise)) await this.#sleep();
      else if (left > 0 && !stepwise) await this.#sleep(left);
      else break;
    }
    if (this.#paused) this.#allowed -= 1;
    // In rhythm, but what was missed by more than a step is not caught up.
    const now = performance.now();
    const period = 1000 * this.#period;
    this.#due = (now - this.#due < period ? this.#due : now) + period;
  }

  /** Waits so long, unless paused; anything that changes ends it. */
  async rest(seconds: number): Promise<void> {
    if (!this.#paused && !this.#interrupted) await this.#sleep(1000 * seconds);
  }

  /** Until something changes, or so many milliseconds. */
  #sleep(milliseconds?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = milliseconds === undefined ? undefined : setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
