import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Peer, RosProcess } from './Peer';
import { Remote } from './Remote';
import { ChunkLedger } from './chunkLedger';
import type { SoakedChunk } from './chunkLedger';
import { compiledSource } from './compiledSource';
import { JOINTS, OTHER_TASK, TASK, writeParams } from './tabletopBundle';

export interface SoakOptions {
  /** of a tabletop robot, see tabletopBundle */
  readonly bundle: string;
  /** for the params file */
  readonly folder: string;
  /** of real time */
  readonly seconds: number;
  /** how fast the robot's time runs */
  readonly speed: number;
  readonly seed: number;
  /** only these disturbances, to find out which of them costs what; default all */
  readonly only?: readonly string[];
  /** told how it goes, about once in ten seconds */
  readonly say: (line: string) => void;
}

export interface SoakReport {
  readonly seconds: number;
  /** of the robot's time */
  readonly robotSeconds: number;
  readonly chunks: number;
  readonly episodes: number;
  /** numbers lost or duplicated, and settings mixed, one line each */
  readonly faults: readonly string[];
  /** how often each disturbance was made */
  readonly disturbances: Readonly<Record<string, number>>;
  /** resident MiB of the active node over time */
  readonly memory: readonly { readonly seconds: number; readonly mib: number }[];
  readonly exit: { readonly code: number | null; readonly signal: NodeJS.Signals | null };
  readonly output: string;
}

const NODE = '/fast_wam_policy';
const CHUNKS = `${NODE}/action_chunk`;
const IMAGE = 'sensor_msgs/msg/Image';
const STATE = 'sensor_msgs/msg/JointState';
const CAMERAS = ['cam/front', 'cam/wrist'];
/** Messages a second of the robot's time. */
const RATE = 20;
const START = 1_000_000;

/** Milliseconds within which a chunk must come; a machine may be busy with something else for long. */
const PATIENCE = 240_000;

/** What the installed executables set. */
const INSTALLED = { MALLOC_ARENA_MAX: '2' };

/** R and the range that goes with it: any other pair in a report would be a mixture of two settings. */
const PAIRS: readonly (readonly [interval: number, range: readonly [number, number]])[] = [
  [2, [0, 3]],
  [3, [1, 6]],
  [4, [0, 6]],
  [5, [2, 8]],
];
const POLICIES = ['c3ache', 'c3ache', 'adaptive', 'none', 'x_cache', 'worldcache_ca', 'worldcache_ht'];
const HOSTILE = ['', '00', '00010000', '0001000000000000ffffffff', `00010000${'ff'.repeat(64)}`];

/** Numbers from 0 to below 1, the same for the same seed (Park and Miller). */
function randomNumbers(seed: number): () => number {
  let state = seed % 2147483647 || 1;
  return () => (state = (state * 16807) % 2147483647) / 2147483647;
}

/**
 * An accelerated run of the policy node with everything that happens to one on a robot, at random: settings change,
 * episodes are reset, tasks change, drivers restart, messages are malformed, the time jumps back, the node is taken
 * through its states. An rclpy process is robot, clock and operator.
 */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { bundle, folder, seconds, speed, seed, only, say } = options;
  const random = randomNumbers(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const params = writeParams(folder, {
    bundle,
    instruction: TASK,
    'observation.max_age': 5,
    'observation.max_skew': 1,
  });
  const peer = await Peer.start();
  const remote = new Remote(peer);
  let node: RosProcess | undefined;
  try {
    const ledger = new ChunkLedger();
    const mixed: string[] = [];
    const memory: { seconds: number; mib: number }[] = [];
    const disturbances: Record<string, number> = {};
    await peer.do('subscribe', {
      topic: CHUNKS,
      type: 'fast_wam_msgs/msg/ActionChunk',
      fields: ['episode', 'chunk', 'cache'],
    });
    await peer.do('clock', { start: START, speed });
    const program = join(compiledSource(), 'ros', 'executables', 'policy.js');
    node = new RosProcess(
      [
        ...['node', program, '--ros-args', '--params-file', params, '-p', 'use_sim_time:=true'],
        ...['--log-level', 'error'],
      ],
      INSTALLED,
    );
    const { pid } = node.child;

    /** Takes what has come into the books; it is not kept, there is too much of it. */
    const takeDown = (): void => {
      for (const { message } of peer.received.splice(0) as { message: SoakedChunk }[]) {
        ledger.enter(message);
        const { policy, refresh_interval: interval, range_start: start, range_end: end } = message.cache;
        if (policy !== 'c3ache') continue;
        if (!PAIRS.some(([r, range]) => r === interval && range[0] === start && range[1] === end))
          mixed.push(`chunk ${ledger.chunks}: R ${interval} with range [${start}, ${end}]`);
      }
    };
    const nextChunk = async (): Promise<void> => {
      takeDown();
      await peer.message(CHUNKS, () => true, 0, PATIENCE);
      takeDown();
    };
    const ask = async (transition: string): Promise<void> => {
      if (!(await remote.transition(transition))) throw new Error(`${transition} was refused`);
    };
    const robot = (): Promise<unknown> =>
      peer.do('robot', { cameras: CAMERAS, joints: JOINTS, rate: RATE * speed });
    const configure = async (): Promise<void> => {
      await ask('configure');
      // What is published before the subscription has met its new publisher is rightly not received.
      for (;;) {
        const { publishers } = await peer.do<{ publishers: number }>('publishers', { topic: CHUNKS });
        if (publishers === 1) break;
      }
      await ask('activate');
    };

    const makes: Readonly<Record<string, () => Promise<unknown>>> = {
      ...(only?.includes('none') && { none: () => Promise.resolve() }),
      settings: () => {
        const [interval, range] = pick(PAIRS);
        const together = { 'cache.policy': pick(POLICIES), 'cache.refresh_interval': interval };
        return remote.setTogether({ ...together, 'cache.range': [...range] });
      },
      'refused settings': () => remote.setTogether({ 'cache.refresh_interval': 9, 'cache.range': [5, 2] }),
      'other parameters': () => remote.set({ 'sampler.seed': Math.floor(random() * 1000) }),
      reset: () => peer.call(`${NODE}/reset_episode`, 'std_srvs/srv/Trigger'),
      instruction: () => {
        const data = pick([TASK, OTHER_TASK, 'make coffee']);
        return peer.publish('/instruction', 'std_msgs/msg/String', { data }, 'latched');
      },
      infer: () => peer.call(`${NODE}/infer`, 'fast_wam_msgs/srv/Infer', {}),
      'drivers restart': async () => {
        await peer.do('leave');
        await robot();
      },
      malformed: async () => {
        const hex = pick(HOSTILE);
        await peer.do('publish_bytes', { topic: pick(CAMERAS), type: IMAGE, hex, qos: 'sensor' });
        await peer.do('publish_bytes', { topic: 'joint_states', type: STATE, hex, qos: 'sensor' });
      },
      'bad frames': async () => {
        await peer.do('robot', { cameras: CAMERAS, joints: JOINTS, rate: RATE * speed, encoding: 'rgb9' });
        await robot();
      },
      'time jumps back': () => peer.do('clock', { start: START, speed }),
      'impossible transition': () => remote.transition('configure'),
      'deactivate, activate': async () => {
        await ask('deactivate');
        await ask('activate');
      },
      'clean up, configure': async () => {
        await ask('deactivate');
        await ask('cleanup');
        ledger.expectRestart();
        await configure();
      },
    };
    /** the heavier ones less often */
    const often = ['settings', 'settings', 'settings', 'reset', 'malformed', 'other parameters', 'infer'];
    const frequent = [...Object.keys(makes).filter((name) => name !== 'clean up, configure'), ...often];

    await remote.state();
    await robot();
    await configure();
    await nextChunk();
    const began = performance.now();
    const elapsed = (): number => (performance.now() - began) / 1000;
    const disturb = async (name: string): Promise<void> => {
      disturbances[name] = (disturbances[name] ?? 0) + 1;
      await makes[name]!();
      await nextChunk();
      memory.push({ seconds: elapsed(), mib: residentMib(pid) });
    };
    // every policy and every event once, so that what is loaded when it is first needed is there from the start
    for (const policy of only ? [] : POLICIES) {
      await remote.set({ 'cache.policy': policy });
      await nextChunk();
    }
    for (const name of only ?? Object.keys(makes)) await disturb(name);
    let said = 0;
    let reconfigured = 0;
    while (elapsed() < seconds) {
      const due = elapsed() - reconfigured > 20;
      if (due) reconfigured = elapsed();
      await disturb(only ? pick(only) : due ? 'clean up, configure' : pick(frequent));
      for (let pause = only ? 0 : Math.floor(random() * 12); pause > 0; pause--) await nextChunk();
      if (elapsed() - said > 10) {
        said = elapsed();
        const faults = ledger.faults.length + mixed.length;
        const mib = memory.at(-1)?.mib.toFixed(0);
        say(
          `${said.toFixed(0)} s: ${ledger.chunks} chunks, ${ledger.episodes} episodes, ${faults} faults, ${mib} MiB`,
        );
      }
    }
    const lasted = elapsed();
    const exit = await node.end('SIGTERM');
    takeDown();
    return {
      seconds: lasted,
      robotSeconds: lasted * speed,
      chunks: ledger.chunks,
      episodes: ledger.episodes,
      faults: [...ledger.faults, ...mixed],
      disturbances,
      memory,
      exit,
      output: node.output,
    };
  } catch (error) {
    throw new Error(`${String(error)}\nthe node:\n${node?.output.slice(-3000) ?? ''}`, { cause: error });
  } finally {
    await node?.end('SIGKILL');
    await peer.end();
  }
}

/** Resident memory of a process, MiB (Linux). */
function residentMib(pid: number | undefined): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}
