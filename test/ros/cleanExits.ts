import { join } from 'node:path';
import { Peer, RosProcess } from './Peer';
import { compiledSource } from './compiledSource';
import { JOINTS, TASK, writeParams } from './tabletopBundle';
import { Remote } from './Remote';

/** When a node is told to leave. */
export const MOMENTS = ['loading', 'inactive', 'computing'] as const;
export type Moment = (typeof MOMENTS)[number];

export interface ExitTrial {
  readonly moment: Moment;
  readonly signal: NodeJS.Signals;
  /** how it ended; undefined for a clean exit with code 0 and nothing said of a crash */
  readonly fault: string | undefined;
  /** from the signal to the end, seconds */
  readonly seconds: number;
}

const NODE = '/fast_wam_policy';
/** Milliseconds; a machine may be busy with something else for long. */
const PATIENCE = 240_000;

/**
 * Starts policy nodes and ends each with a signal, some random time (milliseconds, below `spread`) after it has come
 * to the moment. The robot is an rclpy process.
 */
export async function cleanExits(options: {
  readonly bundle: string;
  readonly folder: string;
  readonly trials: readonly (readonly [Moment, NodeJS.Signals])[];
  readonly spread: number;
  readonly random: () => number;
}): Promise<readonly ExitTrial[]> {
  const { bundle, folder, spread, random } = options;
  const program = join(compiledSource(), 'ros', 'executables', 'policy.js');
  const params = writeParams(folder, { bundle, instruction: TASK, 'control.replan_steps': 1 });
  const peer = await Peer.start();
  const remote = new Remote(peer);
  const results: ExitTrial[] = [];
  try {
    await peer.do('subscribe', {
      topic: `${NODE}/action_chunk`,
      type: 'fast_wam_msgs/msg/ActionChunk',
      fields: ['chunk'],
    });
    await peer.do('robot', { cameras: ['cam/front', 'cam/wrist'], joints: JOINTS });
    for (const [moment, signal] of options.trials) {
      const autostart = moment === 'inactive' ? 'false' : 'true';
      const node = new RosProcess([
        ...['node', program, '--ros-args', '--params-file', params, '-p', `autostart:=${autostart}`],
      ]);
      try {
        if (moment === 'loading') await node.printed(/loading /, PATIENCE);
        if (moment === 'inactive') {
          await remote.state();
          if (!(await remote.transition('configure'))) throw new Error('configure was refused');
        }
        if (moment === 'computing') {
          await node.printed(/loaded in/, PATIENCE);
          peer.received.length = 0;
          await peer.message(`${NODE}/action_chunk`, () => true, 0, PATIENCE);
        }
        await new Promise((resolve) => setTimeout(resolve, random() * spread));
        const told = performance.now();
        const { code, signal: by } = await node.end(signal);
        const crash = /terminate called|Napi|FATAL|Fatal|core dumped|Check failed/.exec(node.output)?.[0];
        const clean = code === 0 && crash === undefined;
        results.push({
          moment,
          signal,
          fault: clean ? undefined : `code ${code}, signal ${by}: ${node.output.slice(-400)}`,
          seconds: (performance.now() - told) / 1000,
        });
      } finally {
        await node.end('SIGKILL');
      }
    }
    return results;
  } finally {
    await peer.end();
  }
}
