import { timeMessage } from '../../observation/stamp';
import type { TimeMessage } from './rclnodejs';

/** Seconds of a duration as builtin_interfaces/Duration. */
export function durationMessage(seconds: number): TimeMessage {
  return timeMessage(BigInt(Math.round(seconds * 1e9)));
}

/** Notices when a clock runs backwards: a recording starts over, or someone sets the time. */
export class JumpDetector {
  readonly #tolerance: bigint;
  #latest: bigint | undefined;

  /** @param tolerance nanoseconds by which a clock may step back without meaning it */
  constructor(tolerance = 10_000_000n) {
    this.#tolerance = tolerance;
  }

  /** Whether `now` lies before the latest time that was seen. */
  jumpedBack(now: bigint): boolean {
    const jumped = this.#latest !== undefined && now < this.#latest - this.#tolerance;
    if (jumped || this.#latest === undefined || now > this.#latest) this.#latest = now;
    return jumped;
  }
}
