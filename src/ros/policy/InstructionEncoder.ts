import { messageOf } from '../../errors';
import { expectedEncoder } from '../../text/checkEncoder';
import type { EncodedContext } from '../../text/encoderMessages';
import { EncoderProcess } from '../../text/EncoderProcess';
import type { PolicyService } from './policyService';

/** The parameters `text_encoder.*`. */
export interface EncoderSettings {
  /** empty: there is none */
  readonly path: string;
  /** empty: it lies beside the encoder */
  readonly tokenizer: string;
  /** seconds */
  readonly keep: number;
  readonly threads: number;
}

export interface InstructionEncoderOptions {
  readonly service: Pick<PolicyService, 'bundle' | 'learn'>;
  readonly settings: () => EncoderSettings;
  /** a wanted task is known now */
  readonly onReady: (task: string, context: EncodedContext) => void;
  /** the wanted task stays unknown; a sentence */
  readonly onFailure: (task: string, problem: string) => void;
  readonly process?: Pick<EncoderProcess, 'encode' | 'close' | 'running'>;
}

/**
 * Learns tasks that a bundle does not know, one at a time, in a process of its own. Of tasks that come while one is being
 * encoded, the last is wanted; the others are forgotten. What is encoded stays known until the node is cleaned up.
 */
export class InstructionEncoder {
  readonly #options: InstructionEncoderOptions;
  readonly #process: Pick<EncoderProcess, 'encode' | 'close' | 'running'>;
  #wanted: string | undefined;
  #encoding: { readonly task: string; readonly since: number } | undefined;
  #closed = false;

  constructor(options: InstructionEncoderOptions) {
    this.#options = options;
    this.#process = options.process ?? new EncoderProcess();
  }

  /** Whether there is an encoder at all. */
  get available(): boolean {
    return this.#options.settings().path !== '';
  }

  /** The task that will be followed when its context is ready. */
  get wanted(): string | undefined {
    return this.#wanted;
  }

  /** What it is doing, one line for diagnostics. */
  get state(): string {
    if (this.#encoding) {
      const seconds = ((performance.now() - this.#encoding.since) / 1000).toFixed(0);
      return `encoding ${JSON.stringify(this.#encoding.task)} for ${seconds} s`;
    }
    if (!this.available) return 'none';
    return this.#process.running ? 'ready' : 'not loaded';
  }

  /** Learns a task; `onReady` or `onFailure` is called unless another is wanted by then. */
  want(task: string): void {
    this.#wanted = task;
    if (!this.#encoding) void this.#encodeWanted();
  }

  /** Another task is followed; the one in work is learned all the same. */
  forget(): void {
    this.#wanted = undefined;
  }

  /** Lets the process go, also in the middle of its work. */
  release(): void {
    this.#wanted = undefined;
    this.#process.close();
  }

  close(): void {
    this.#closed = true;
    this.release();
  }

  async #encodeWanted(): Promise<void> {
    for (let task = this.#wanted; task !== undefined && !this.#closed; task = this.#next(task)) {
      this.#encoding = { task, since: performance.now() };
      try {
        const context = await this.#encode(task);
        if (this.#wanted === task) this.#options.onReady(task, context);
      } catch (error) {
        if (this.#wanted === task) this.#options.onFailure(task, messageOf(error));
      }
      this.#encoding = undefined;
    }
  }

  /** What came while `done` was encoded. */
  #next(done: string): string | undefined {
    if (this.#wanted === done) this.#wanted = undefined;
    return this.#wanted;
  }

  async #encode(task: string): Promise<EncodedContext> {
    const { service, settings } = this.#options;
    const { bundle } = service;
    const { path, tokenizer, threads } = settings();
    const context = await this.#process.encode(
      {
        prompt: bundle.prompt(task),
        encoder: path,
        ...(tokenizer !== '' && { tokenizer }),
        expected: expectedEncoder(bundle),
        cleaning: bundle.cleaning,
        contextLength: bundle.dimensions.contextLength,
        threads,
      },
      () => settings().keep,
    );
    await service.learn(task, context.rows);
    return context;
  }
}
