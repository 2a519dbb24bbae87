import type { RosLogger } from '../client/rclnodejs';

/** Lets a problem that comes back many times a second be said once, and once more every while. */
export class RepeatedProblems {
  readonly #logger: RosLogger;
  readonly #quiet: number;
  readonly #reported = new Map<string, { at: number; since: number }>();

  /** @param quiet seconds for which a kind of problem is not said again */
  constructor(logger: RosLogger, quiet = 10) {
    this.#logger = logger;
    this.#quiet = quiet;
  }

  warn(kind: string, message: string, now = performance.now() / 1000): void {
    const reported = this.#reported.get(kind);
    if (reported && now - reported.at < this.#quiet) {
      reported.since += 1;
      return;
    }
    const again = reported && reported.since > 0 ? ` (${reported.since} more times since)` : '';
    // Kinds hold names that others send; the memory of them is bounded.
    if (this.#reported.size >= 256) this.#reported.clear();
    this.#reported.set(kind, { at: now, since: 0 });
    this.#logger.warn(`${message}${again}`);
  }
}
