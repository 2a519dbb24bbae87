import type { RosLogger } from '../client/rclnodejs';

/** Lets a problem that comes back many times a second be said once, and once more every while. */
export class RepeatedProblems {
  readonly #logger: RosLogger;
  readonly #quiet: number;
  readonly #said = new Map<string, { at: number; since: number }>();

  /** @param quiet seconds for which a kind of problem is not said again */
  constructor(logger: RosLogger, quiet = 10) {
    this.#logger = logger;
    this.#quiet = quiet;
  }

  warn(kind: string, message: string, now = performance.now() / 1000): void {
    const said = this.#said.get(kind);
    if (said && now - said.at < this.#quiet) {
      said.since += 1;
      return;
    }
    const again = said && said.since > 0 ? ` (${said.since} more times since)` : '';
    // Kinds hold names that others send; the memory of them is bounded.
    if (this.#said.size >= 256) this.#said.clear();
    this.#said.set(kind, { at: now, since: 0 });
    this.#logger.warn(`${message}${again}`);
  }
}
