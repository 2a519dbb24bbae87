import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const ROOT = join(__dirname, '..', '..');
const SETUP = join(ROOT, 'scripts', 'ros.sh');

/**
 * Why the tests against real ROS 2 cannot run here; undefined if they can. With REQUIRE_ROS=1 that is a failure, so
 * that nobody believes they ran.
 */
export function rosLacking(): string | undefined {
  const lacking = existsSync(join(ROOT, '.ros', 'env.sh'))
    ? undefined
    : 'no ROS 2 environment in .ros (npm run ros:setup makes one)';
  if (lacking !== undefined) {
    if (process.env['REQUIRE_ROS'] === '1') throw new Error(`REQUIRE_ROS=1, but there is ${lacking}`);
    process.stderr.write(`skipped, ${lacking}: ${__dirname}\n`);
  }
  return lacking;
}

/**
 * A domain for each test process, so that runs side by side do not hear each other: those of two workers of vitest
 * differ in the last bit. 1 to 100 are safe on Linux.
 */
export const DOMAIN = 1 + 2 * (process.pid % 50) + (Number(process.env['VITEST_POOL_ID'] ?? 1) % 2);

/** Milliseconds that a program has to end, and a peer to start. */
const PATIENCE = 10_000;
const START = 45_000;

/** A program in the ROS 2 environment; whatever it prints is kept for when a test fails. */
export class RosProcess {
  readonly child: ChildProcessWithoutNullStreams;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  output = '';
  readonly #waiting = new Set<() => void>();

  constructor(command: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    this.child = spawn('bash', [SETUP, ...command], {
      cwd: ROOT,
      env: { ...process.env, ROS_DOMAIN_ID: String(DOMAIN), ...environment },
      stdio: 'pipe',
    });
    this.exited = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    const keep = (data: Buffer): void => {
      this.output += data.toString();
      for (const look of this.#waiting) look();
    };
    this.child.stderr.on('data', keep);
    this.child.stdout.on('data', keep);
  }

  /** Resolves when the output matches. */
  async printed(pattern: RegExp, limit = 60_000): Promise<RegExpExecArray> {
    return until(
      () => pattern.exec(this.output) ?? undefined,
      this.#waiting,
      limit,
      () => `nothing printed matches ${pattern}:\n${this.output}`,
    );
  }

  /**
   * Ends the program with a signal and waits until it is gone; one that does not go is killed. What is killed may leave
   * the middleware's shared memory locked for others, so that is not the first choice.
   */
  async end(
    signal: NodeJS.Signals = 'SIGTERM',
  ): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return this.gone();
  }

  /** Waits until the program has ended by itself; kills it after a while. */
  async gone(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE);
    return this.exited.finally(() => clearTimeout(timer));
  }
}

export interface Received<T> {
  readonly topic: string;
  /** seconds */
  readonly at: number;
  readonly message: T;
}

/** Our hands in a process of another implementation: rclpy, told what to do line by line. */
export class Peer {
  readonly received: Received<unknown>[] = [];
  readonly #process: RosProcess;
  readonly #answers = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  readonly #waiting = new Set<() => void>();
  #next = 0;
  #ready = false;

  private constructor(around: (command: readonly string[]) => readonly string[]) {
    this.#process = new RosProcess(around(['python', join(__dirname, 'peers', 'peer.py')]));
    createInterface({ input: this.#process.child.stdout }).on('line', (line) => this.#take(line));
    void this.#process.exited.then(() => {
      for (const { reject } of this.#answers.values())
        reject(new Error(`the peer has ended:\n${this.#process.output}`));
    });
  }

  /** @param around what its command has to run in */
  static async start(
    around: (command: readonly string[]) => readonly string[] = (command) => command,
  ): Promise<Peer> {
    for (let attempt = 1; ; attempt++) {
      const peer = new Peer(around);
      try {
        await peer.#until(() => peer.#ready || undefined, START, 'the peer does not start');
        return peer;
      } catch (error) {
        await peer.#process.end('SIGKILL');
        // On a machine with much else to do a Python process has been seen to hang before its first line.
        if (attempt === 2) throw error;
      }
    }
  }

  do<T>(what: string, parameters: object = {}): Promise<T> {
    const id = this.#next++;
    return new Promise<T>((resolve, reject) => {
      this.#answers.set(id, { resolve, reject });
      this.#process.child.stdin.write(`${JSON.stringify({ id, do: what, with: parameters })}\n`);
    });
  }

  async call<T>(service: string, type: string, request: object = {}): Promise<T> {
    const { response } = await this.do<{ response: T }>('call', { service, type, request });
    return response;
  }

  publish(topic: string, type: string, message: object, qos = 'reliable'): Promise<void> {
    return this.do('publish', { topic, type, message, qos });
  }

  /** Resolves when `count` subscriptions hear what this peer publishes on a topic. */
  async heard(topic: string, type: string, qos = 'reliable', count = 1): Promise<void> {
    const limit = Date.now() + 20_000;
    for (;;) {
      const { subscriptions } = await this.do<{ subscriptions: number }>('matched', { topic, type, qos });
      if (subscriptions >= count) return;
      if (Date.now() > limit) throw new Error(`nobody subscribes to ${topic}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Messages on a topic so far. */
  on<T>(topic: string): Received<T>[] {
    return this.received.filter((received) => received.topic === topic) as Received<T>[];
  }

  /** The first message on a topic, from the `from`-th on, that fits. */
  message<T>(
    topic: string,
    fits: (message: T) => boolean = () => true,
    from = 0,
    limit = 60_000,
  ): Promise<T> {
    return this.#until(
      () =>
        this.on<T>(topic)
          .slice(from)
          .find(({ message }) => fits(message))?.message,
      limit,
      `no such message on ${topic}`,
    );
  }

  async end(): Promise<void> {
    this.#process.child.stdin.end();
    await this.#process.gone();
  }

  #until<T>(look: () => T | undefined, limit: number, problem: string): Promise<T> {
    return until(look, this.#waiting, limit, () => `${problem}:\n${this.#process.output.slice(-1500)}`);
  }

  #take(line: string): void {
    const said = JSON.parse(line) as {
      event?: 'ready' | 'message';
      id?: number;
      result?: unknown;
      error?: string;
    } & Received<unknown>;
    if (said.event === 'ready') this.#ready = true;
    else if (said.event === 'message') this.received.push(said);
    else if (said.id !== undefined) {
      const answer = this.#answers.get(said.id);
      this.#answers.delete(said.id);
      if (said.error !== undefined) answer?.reject(new Error(said.error));
      else answer?.resolve(said.result as never);
    }
    for (const look of this.#waiting) look();
  }
}

/** Waits for `look` to find something, looking again whenever told. */
export function until<T>(
  look: () => T | undefined,
  told: Set<() => void>,
  limit: number,
  problem: () => string,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      clearTimeout(timer);
      told.delete(attempt);
    };
    const attempt = (): void => {
      const found = look();
      if (found === undefined) return;
      finish();
      resolve(found);
    };
    const timer = setTimeout(() => {
      finish();
      reject(new Error(problem()));
    }, limit);
    told.add(attempt);
    attempt();
  });
}
