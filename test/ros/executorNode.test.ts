import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { removeFolders, temporaryFolder } from '../helpers';
import { Peer, RosProcess, rosLacking } from './Peer';
import { Remote } from './Remote';
import type { Served } from './Remote';
import { compiledSource } from './compiledSource';
import { exportTabletop } from './tabletopBundle';

const NODE = '/action_executor';
const CHUNK = 'fast_wam_msgs/msg/ActionChunk';
const CHUNKS = '/fast_wam_policy/action_chunk';

interface State {
  readonly mode: number;
  readonly reason: string;
  readonly chunk: number;
  readonly refused: number;
}
interface Commands {
  readonly data: readonly number[];
}
const [EXECUTING, HOLDING, PAUSED] = [1, 2, 3];

/** Limits that the test's actions can pass: a step of 0.1 in the first joint, 1 as the most of the second. */
const ROBOT = `
name: tabletop
control: { rate: 20, replan_steps: 5 }
proprio: { names: [x, y, opening] }
actions:
  kind: joint_position
  names: [dx, dy, grip]
  limits: { min: [-5, -1, -5], max: [5, 1, 5], max_step: [0.1, null, null] }
`;

describe.skipIf(rosLacking() !== undefined)(
  'the action executor, fed by an rclpy process',
  { timeout: 240_000 },
  () => {
    let bundle: string;
    let peer: Peer;
    let node: RosProcess;
    let remote: Remote;

    beforeAll(() => {
      bundle = exportTabletop(temporaryFolder(), ROBOT);
    });
    afterAll(() => {
      removeFolders();
    });
    beforeEach(async () => {
      peer = await Peer.start();
      remote = new Remote(peer, NODE);
      const program = join(compiledSource(), 'ros', 'executables', 'action_executor.js');
      node = new RosProcess([
        'node',
        program,
        '--ros-args',
        '-p',
        `bundle:=${bundle}`,
        '-p',
        'blend_steps:=0',
        '-p',
        'autostart:=true',
        '-p',
        'diagnostic_updater.period:=0.2',
      ]);
      await peer.do('subscribe', {
        topic: `${NODE}/state`,
        type: 'fast_wam_msgs/msg/ExecutorState',
        qos: 'latched',
      });
      await peer.do('subscribe', { topic: `${NODE}/commands`, type: 'std_msgs/msg/Float64MultiArray' });
      await peer.do('subscribe', { topic: '/diagnostics', type: 'diagnostic_msgs/msg/DiagnosticArray' });
      await peer.heard(CHUNKS, CHUNK);
      await remote.status('State', (message) => message === 'active');
    });
    afterEach(async ({ task }) => {
      if (task.result?.state === 'fail') process.stderr.write(`${node.output}\n`);
      await node.end('SIGKILL');
      await peer.end();
    });

    /** Sends a chunk of the observation of now whose every action is the same. */
    const send = (action: readonly number[], other: object = {}): Promise<void> => {
      const now = Date.now() / 1000;
      const sec = Math.floor(now);
      return peer.publish(CHUNKS, CHUNK, {
        header: { stamp: { sec, nanosec: Math.floor((now - sec) * 1e9) } },
        chunk: 7,
        action_names: ['dx', 'dy', 'grip'],
        horizon: 20,
        actions: Array.from({ length: 20 }, () => action).flat(),
        period: 0.05,
        replan_steps: 5,
        ...other,
      });
    };
    const state = (fits: (state: State) => boolean): Promise<State> =>
      peer.message<State>(`${NODE}/state`, fits, peer.on(`${NODE}/state`).length);
    const commands = (): (readonly number[])[] =>
      peer.on<Commands>(`${NODE}/commands`).map(({ message }) => message.data);

    it('commands the actions at the control rate, holds when chunks stop coming, and goes on with the next', async () => {
      await send([0.02, 0.5, 1]);
      expect((await state(({ mode }) => mode === EXECUTING)).chunk).toBe(7);
      // 5 steps of 0.05 s until the next chunk is due, and 0.5 s deadline
      const held = await state(({ mode }) => mode === HOLDING);
      expect(held.reason).toMatch(/deadline/);
      expect((await remote.status('Action queue', (m) => m.includes('deadline'))).level).toBe(2);
      const first = commands();
      expect(first.length).toBeGreaterThan(5);
      for (const command of first)
        expect(command.map((value) => Number(value.toFixed(6)))).toEqual([0.02, 0.5, 1]);
      await send([0.03, 0.5, 1]);
      await state(({ mode }) => mode === EXECUTING);
    });

    it('keeps commands inside the limits of the bundle and counts what it changed', async () => {
      await peer.publish(
        '/joint_states',
        'sensor_msgs/msg/JointState',
        { name: ['dx', 'dy', 'grip'], position: [0, 0, 0] },
        'sensor',
      );
      await send([0.02, 0.5, 1]);
      await peer.message<Commands>(`${NODE}/commands`, ({ data }) => data[1] === 0.5);
      const before = commands().length;
      await send([0.92, 7, 1]);
      await peer.message<Commands>(`${NODE}/commands`, ({ data }) => data[1] === 1, before);
      const steps = commands().map(([x]) => x!);
      const jumps = steps.slice(1).map((x, i) => x - steps[i]!);
      expect(Math.max(...jumps)).toBeLessThanOrEqual(0.1 + 1e-9);
      expect(commands().every(([, y]) => y! <= 1)).toBe(true);
      await remote.status('Safety', (m) => m.includes('outside the limits'));
    });

    it('refuses chunks that are not for it, and follows none while paused', async () => {
      await send([0, 0, 0], { action_names: ['a', 'b', 'c'] });
      await node.printed(/its actions are a, b, c/);
      await send([0, 0, 0], { period: 0.1 });
      await node.printed(/another control rate/);
      await send([0, 0, 0], { header: { stamp: { sec: 1000 } } });
      await node.printed(/all its actions are in the past/);
      await send([0, 0, 0], { actions: [1, 2, 3, 4] });
      await node.printed(/not \[horizon, action_names\]/);
      expect(commands()).toEqual([]);

      const pause = (data: boolean): Promise<Served> =>
        peer.call<Served>(`${NODE}/pause`, 'std_srvs/srv/SetBool', { data });
      expect(await pause(true)).toMatchObject({ success: true });
      await state(({ mode }) => mode === PAUSED);
      await send([0, 0, 0]);
      await node.printed(/the executor is paused/);
      expect(await pause(false)).toMatchObject({ success: true });
      await send([0, 0, 0]);
      await state(({ mode }) => mode === EXECUTING);
    });
  },
);
