import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { FastWamError } from '../errors';
import { ownProgram } from '../ownProgram';
import type { EncodedContext, EncoderRequest, EncoderResponse } from './encoderMessages';

interface Pending {
  readonly id: number;
  readonly resolve: (context: EncodedContext) => void;
  readonly reject: (error: FastWamError) => void;
}

/** Of what a process said before it ended, this much is told. */
const LONGEST_WORDS = 200;

/**
 * The process that encodes, started when there is something to encode and ended when there has been nothing for a
 * while. One prompt at a time.
 */
export class EncoderProcess {
  #child: ChildProcess | undefined;
  #pending: Pending | undefined;
  #nextId = 0;
  #idle: NodeJS.Timeout | undefined;
  #words = '';

  /** Whether the process is there. */
  get running(): boolean {
    return this.#child !== undefined;
  }

  /** Its number; undefined while it is not there. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * Encodes one prompt.
   * @param keep seconds for which the process stays when it is done
   * @throws FastWamError with the sentence of what went wrong, also where the process was ended from outside
   */
  encode(request: Omit<EncoderRequest, 'id'>, keep: () => number): Promise<EncodedContext> {
    if (this.#pending) return Promise.reject(new FastWamError('another instruction is being encoded'));
    clearTimeout(this.#idle);
    const id = this.#nextId++;
    const encoding = new Promise<EncodedContext>((resolve, reject) => {
      this.#pending = { id, resolve, reject };
      const child = (this.#child ??= this.#start());
      child.send({ ...request, id }, (error) => {
        if (error) this.#fail(`the process that encodes instructions cannot be reached: ${error.message}`);
      });
    });
    return encoding.finally(() => {
      this.#pending = undefined;
      if (this.#child) this.#idle = setTimeout(() => this.close(), keep() * 1000);
      this.#idle?.unref();
    });
  }

  /** Ends the process; what it was encoding is rejected. */
  close(): void {
    clearTimeout(this.#idle);
    const child = this.#child;
    this.#child = undefined;
    child?.kill('SIGKILL');
    this.#fail('the encoding was given up');
  }

  #start(): ChildProcess {
    const { file, execArgv } = ownProgram(__dirname, 'encoderChild');
    const child = fork(file, [], {
      execArgv: [...execArgv],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#words = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#words = `${this.#words}${text}`.slice(-10 * LONGEST_WORDS);
    });
    child.on('message', (response: EncoderResponse) => {
      if (response.id !== this.#pending?.id) return;
      if ('context' in response) this.#pending.resolve(response.context);
      else this.#fail(response.problem);
    });
    child.on('error', (error) => this.#ended(child, `cannot be started: ${error.message}`));
    child.on('exit', (code, signal) => {
      const how = signal
        ? `was ended by ${signal}${signal === 'SIGKILL' ? ' (has the machine run out of memory?)' : ''}`
        : `ended with code ${code ?? '?'}`;
      const words = this.#words.trim().split('\n').at(-1)?.slice(0, LONGEST_WORDS);
      this.#ended(child, `${how}${words ? `: ${words}` : ''}`);
    });
    return child;
  }

  #ended(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    clearTimeout(this.#idle);
    this.#fail(`the process that encodes instructions ${how}`);
  }

  #fail(problem: string): void {
    this.#pending?.reject(new FastWamError(problem));
  }
}
