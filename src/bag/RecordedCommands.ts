import { readVector } from '../observation/readVector';
import { fromSeconds } from '../observation/stamp';
import type { VectorSource } from '../settings/sources';

interface Command {
  readonly time: bigint;
  readonly values: Float64Array;
}

/** A command holds this long at least; the recording has nothing to say after it. */
const MIN_HOLD = 0.5;

/**
 * The commands that a recording has, as far as observations still need them: the action that was executed at a time
 * is the newest command not later than it.
 */
export class RecordedCommands {
  readonly #source: VectorSource;
  readonly #period: number;
  readonly #horizon: number;
  readonly #hold: bigint;
  readonly #commands: Command[] = [];
  #unreadable = 0;

  /**
   * @param period seconds between actions
   * @param horizon actions asked for from each observation
   */
  constructor(source: VectorSource, period: number, horizon: number) {
    this.#source = source;
    this.#period = period;
    this.#horizon = horizon;
    this.#hold = fromSeconds(Math.max(MIN_HOLD, 2 * period));
  }

  /** Messages that were not what their type promises. */
  get unreadable(): number {
    return this.#unreadable;
  }

  add(time: bigint, message: unknown): void {
    const reading = readVector(this.#source, message);
    if (reading.kind === 'refused') this.#unreadable++;
    if (reading.kind === 'values') this.#commands.push({ time, values: reading.values });
  }

  /** The time up to which commands matter to an observation. */
  lastTime(stamp: bigint): bigint {
    return stamp + fromSeconds(this.#horizon * this.#period);
  }

  /**
   * What was executed at stamp + (k+1) * period, [horizon, a] row-major; NaN where the recording has nothing.
   * Undefined where there is no command at all.
   *
   * @param end commands from here on belong to another episode
   */
  at(stamp: bigint, end?: bigint): Float32Array | undefined {
    const width = this.#commands[0]?.values.length;
    if (width === undefined) return undefined;
    const actions = new Float32Array(this.#horizon * width).fill(Number.NaN);
    let found = false;
    for (let k = 0; k < this.#horizon; k++) {
      const time = stamp + fromSeconds((k + 1) * this.#period);
      if (end !== undefined && time >= end) break;
      const command = this.#commands.findLast((candidate) => candidate.time <= time);
      if (command === undefined || time - command.time > this.#hold || command.values.length !== width)
        continue;
      actions.set(command.values, k * width);
      found = true;
    }
    return found ? actions : undefined;
  }

  /** Drops what no observation from `stamp` on can ask for. */
  forgetBefore(stamp: bigint): void {
    const keep = this.#commands.findIndex((command) => command.time >= stamp - this.#hold);
    if (keep > 0) this.#commands.splice(0, keep);
  }

  clear(): void {
    this.#commands.length = 0;
  }
}
