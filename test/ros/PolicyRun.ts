import { join } from 'node:path';
import type { TestContext } from 'vitest';
import { Peer, RosProcess } from './Peer';
import { Remote } from './Remote';
import { compiledSource } from './compiledSource';
import { JOINTS } from './tabletopBundle';

export const NODE = '/fast_wam_policy';
export const CHUNK = 'fast_wam_msgs/msg/ActionChunk';

export interface Stamp {
  readonly sec: number;
  readonly nanosec: number;
}
/** fast_wam_msgs/msg/ActionChunk as the peer tells it. */
export interface ActionChunk {
  readonly header: { readonly stamp: Stamp; readonly frame_id: string };
  readonly episode: number;
  readonly chunk: number;
  readonly instruction: string;
  readonly action_names: readonly string[];
  readonly horizon: number;
  readonly actions: readonly number[];
  readonly period: number;
  readonly replan_steps: number;
  readonly cache: Readonly<Record<string, number | string | boolean>>;
  readonly guidance: {
    readonly rows: number;
    readonly delay: number;
    readonly executed: number;
    readonly reason: string;
  };
  readonly times: Readonly<Record<string, number>>;
  readonly sources: readonly { readonly name: string; readonly age: number }[];
}

/** A policy node as a program, and the rclpy process beside it that plays the robot and its user. */
export class PolicyRun {
  readonly remote: Remote;
  node: RosProcess | undefined;

  private constructor(readonly peer: Peer) {
    this.remote = new Remote(peer);
  }

  /** The peer alone, listening to diagnostics and chunks. */
  static async prepare(): Promise<PolicyRun> {
    const run = new PolicyRun(await Peer.start());
    await run.peer.do('subscribe', { topic: '/diagnostics', type: 'diagnostic_msgs/msg/DiagnosticArray' });
    await run.peer.do('subscribe', { topic: `${NODE}/action_chunk`, type: CHUNK });
    return run;
  }

  start(...args: string[]): RosProcess {
    const program = join(compiledSource(), 'ros', 'executables', 'policy.js');
    this.node = new RosProcess(['node', program, '--ros-args', ...args]);
    return this.node;
  }

  /**
   * A node that is active, gets observations and has given its first chunk. Observations come only once it says that
   * it is active: this process then knows of the topic, so that no chunk is missed.
   */
  async serving(paramsFile: string): Promise<void> {
    this.start('--params-file', paramsFile);
    await this.remote.status('State', (message) => message === 'active');
    await this.robot();
    await this.chunk(undefined, 0);
  }

  /** Frames of both cameras and joint states from now on; `parameters` as the peer's `robot` has them. */
  robot(parameters: object = {}): Promise<void> {
    return this.peer.do('robot', { cameras: ['cam/front', 'cam/wrist'], joints: JOINTS, ...parameters });
  }

  chunks(): readonly ActionChunk[] {
    return this.peer.on<ActionChunk>(`${NODE}/action_chunk`).map(({ message }) => message);
  }

  /**
   * The first chunk that fits, from the `from`-th on. What is to be the first after some deed is looked for from
   * before the deed: it may be there before the deed's answer is.
   */
  chunk(
    fits: (chunk: ActionChunk) => boolean = () => true,
    from = this.chunks().length,
  ): Promise<ActionChunk> {
    return this.peer.message<ActionChunk>(`${NODE}/action_chunk`, fits, from);
  }

  async end({ task }: TestContext): Promise<void> {
    if (task.result?.state === 'fail') process.stderr.write(`${this.node?.output ?? ''}\n`);
    await this.node?.end();
    await this.peer.end();
  }
}
