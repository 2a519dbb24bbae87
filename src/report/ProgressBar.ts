/** Where progress is shown: `process.stderr`, or anything that takes text. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const BAR_WIDTH = 24;

/** Progress of long work: one line that is redrawn on a terminal, a plain line for every tenth elsewhere. */
export class ProgressBar {
  readonly #stream: ProgressStream;
  readonly #label: string;
  readonly #total: number;
  readonly #now: () => number;
  readonly #startedAt: number;
  #tenth = 0;

  constructor(options: {
    readonly stream: ProgressStream;
    readonly label: string;
    readonly total: number;
    readonly now?: () => number;
  }) {
    this.#stream = options.stream;
    this.#label = options.label;
    this.#total = Math.max(1, options.total);
    this.#now = options.now ?? (() => performance.now());
    this.#startedAt = this.#now();
  }

  update(done: number): void {
    const share = Math.min(1, done / this.#total);
    if (this.#stream.isTTY) {
      const filled = Math.round(share * BAR_WIDTH);
      const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
      const line = `${this.#label} ${bar} ${done}/${this.#total}${this.#remaining(share)}`;
      this.#stream.write(`\r${line.slice(0, (this.#stream.columns ?? 80) - 1)}\u001b[K`);
    } else if (Math.floor(share * 10) > this.#tenth) {
      this.#tenth = Math.floor(share * 10);
      this.#stream.write(`${this.#label} ${done}/${this.#total}${this.#remaining(share)}\n`);
    }
  }

  /** Leaves the line. */
  finish(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\u001b[K');
  }

  #remaining(share: number): string {
    if (share === 0 || share === 1) return '';
    const seconds = Math.round(((this.#now() - this.#startedAt) / 1000) * (1 / share - 1));
    return `, ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} left`;
  }
}
