import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeFolders, temporaryFolder } from '../helpers';
import { Peer, RosProcess, rosLacking } from './Peer';
import { Remote } from './Remote';
import type { Served } from './Remote';
import { compiledSource } from './compiledSource';
import { exportTabletop } from './tabletopBundle';

const NODE = '/action_executor';
const CHUNK = 'fast_wam_msgs/msg/ActionChunk';
const CHUNKS = '/fast_wam_policy/action_chunk';

interface Stamp {
  readonly sec: number;
  readonly nanosec: number;
}
interface State {
  readonly header: { readonly stamp: Stamp };
  readonly mode: number;
  readonly hold: string;
  readonly reason: string;
  readonly source: string;
  readonly chunk: number;
  readonly commands: number;
  readonly refused: number;
  readonly refusal_reasons: readonly string[];
  readonly refusal_counts: readonly number[];
  readonly hold_reasons: readonly string[];
  readonly hold_counts: readonly number[];
  readonly jitter: Stamp;
}
const nanoseconds = ({ sec, nanosec }: Stamp): number => sec * 1e9 + nanosec;
const seconds = ({ sec, nanosec }: Stamp): number => sec + nanosec / 1e9;
const count = ({ refusal_reasons: reasons, refusal_counts: counts }: State, reason: string): number =>
  Number(counts[reasons.indexOf(reason)]);

interface Commands {
  readonly data: readonly number[];
}
interface Trajectory {
  readonly header: { readonly stamp: { readonly sec: number; readonly nanosec: number } };
  readonly joint_names: readonly string[];
  readonly points: readonly {
    readonly positions: readonly number[];
    readonly time_from_start: { readonly sec: number; readonly nanosec: number };
  }[];
}
interface Vector {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}
interface Twist {
  readonly header: { readonly stamp: { readonly sec: number }; readonly frame_id: string };
  readonly twist: { readonly linear: Vector; readonly angular: Vector };
}
const [EXECUTING, HOLDING, PAUSED] = [1, 2, 3];
/** Actions of 20 s, and a deadline as long: nothing runs out by itself, however slow the machine. */
const HORIZON = 400;
const PATIENT = 20.5;

/** Limits that the test's actions can pass: a step of 0.1 in the first joint, 1 as the most of the second. */
const JOINT_ROBOT = `
name: tabletop
control: { rate: 20, replan_steps: 5 }
proprio: { names: [x, y, opening] }
actions:
  kind: joint_position
  names: [dx, dy, grip]
  limits: { min: [-5, -1, -5], max: [5, 1, 5], max_step: [0.1, null, null] }
`;

/** One axis to move along, one to turn about, and a gripper. */
const POSE_ROBOT = `
name: tabletop
control: { rate: 20, replan_steps: 5 }
proprio: { names: [x, y, opening] }
actions:
  kind: delta_pose
  frame: tool
  names: [dx, dy, grip]
  groups: [translation, rotation, gripper]
  gripper: [{ index: 2, threshold: 0 }]
  limits: { min: [-5, -5, -5], max: [5, 5, 5] }
`;

const rounded = (values: readonly number[]): number[] => values.map((value) => Number(value.toFixed(6)));

describe.skipIf(rosLacking() !== undefined)(
  'the action executor, fed by an rclpy process',
  { timeout: 240_000 },
  () => {
    let peer: Peer;
    let node: RosProcess;
    let remote: Remote;

    beforeEach(async () => {
      peer = await Peer.start();
      remote = new Remote(peer, NODE);
      await peer.do('subscribe', {
        topic: `${NODE}/state`,
        type: 'fast_wam_msgs/msg/ExecutorState',
        qos: 'latched',
      });
      await peer.do('subscribe', { topic: '/diagnostics', type: 'diagnostic_msgs/msg/DiagnosticArray' });
    });
    afterEach(async ({ task }) => {
      if (task.result?.state === 'fail') process.stderr.write(`${node.output}\n`);
      await node.end();
      await peer.end();
    });
    afterAll(removeFolders);

    /** An executor that is active and hears this test's chunks; the test hears its commands. */
    async function start(
      robot: string,
      commands: Readonly<Record<string, string>>,
      ...parameters: string[]
    ): Promise<void> {
      for (const [topic, type] of Object.entries(commands))
        await peer.do('subscribe', { topic: `${NODE}/${topic}`, type });
      const all = [
        `bundle:=${exportTabletop(temporaryFolder(), robot)}`,
        'blend_steps:=0',
        'autostart:=true',
        'diagnostic_updater.period:=0.2',
        `deadline:=${PATIENT}`,
        ...parameters,
      ];
      const program = join(compiledSource(), 'ros', 'executables', 'action_executor.js');
      node = new RosProcess(['node', program, '--ros-args', ...all.flatMap((one) => ['-p', one])]);
      await peer.heard(CHUNKS, CHUNK);
      await remote.status('State', (message) => message === 'active');
    }
    const startForward = async (...parameters: string[]): Promise<void> => {
      await start(JOINT_ROBOT, { commands: 'std_msgs/msg/Float64MultiArray' }, ...parameters);
      await robotAt({ dx: 0, dy: 0, grip: 0 });
      await remote.status('Joint states', (message) => message === 'it is known where the robot is');
    };
    /** The robot's own report of where it is, 20 times a second. */
    const robotAt = (joints: Readonly<Record<string, number>>): Promise<unknown> =>
      peer.do('robot', { cameras: [], joints });
    const pause = (data: boolean): Promise<Served> =>
      peer.call<Served>(`${NODE}/pause`, 'std_srvs/srv/SetBool', { data });

    /** Sends a chunk of the observation of now whose every action is the same. */
    const send = (action: readonly number[], other: object = {}): Promise<void> =>
      sendFrom(peer, action, other);
    const sendFrom = (from: Peer, action: readonly number[], other: object = {}): Promise<void> => {
      const now = Date.now() / 1000;
      const sec = Math.floor(now);
      return from.publish(CHUNKS, CHUNK, {
        header: { stamp: { sec, nanosec: Math.floor((now - sec) * 1e9) } },
        chunk: 7,
        action_names: ['dx', 'dy', 'grip'],
        horizon: HORIZON,
        actions: Array.from({ length: HORIZON }, () => action).flat(),
        period: 0.05,
        replan_steps: 5,
        ...other,
      });
    };
    const states = (): number => peer.on(`${NODE}/state`).length;
    /** The first state that fits, from the `from`-th on: take that number before the deed that leads to it. */
    const state = (fits: (state: State) => boolean, from: number): Promise<State> =>
      peer.message<State>(`${NODE}/state`, fits, from);
    const commands = (): (readonly number[])[] =>
      peer.on<Commands>(`${NODE}/commands`).map(({ message }) => message.data);

    it('commands the actions at the control rate, holds when chunks stop coming, and goes on with the next', async () => {
      // By a clock at a quarter of the real speed: what is promised in time holds in its time, however slow the machine.
      await peer.do('clock', { start: 1000, speed: 0.25 });
      await startForward('use_sim_time:=true');
      const sendNow = async (action: readonly number[]): Promise<void> =>
        send(action, { header: { stamp: await peer.do<Stamp>('time') } });
      const before = states();
      await sendNow([0.02, 0.5, 1]);
      const first = await state(({ mode, commands: n }) => mode === EXECUTING && n > 0, before);
      expect(first.chunk).toBe(7);
      // before its first step a chunk may have been held, too, as one that is not yet due
      const executing = states();
      const later = await state(({ commands: n }) => n >= first.commands + 40, executing);
      const took = nanoseconds(later.header.stamp) - nanoseconds(first.header.stamp);
      // 20 in a second; what is said of a command may be said a step later
      expect(Math.abs((later.commands - first.commands) / 20 - took / 1e9)).toBeLessThan(0.1);
      expect(await remote.set({ deadline: 0.5 })).toMatchObject([{ successful: true }]);
      const held = await state(({ mode }) => mode === HOLDING, executing);
      expect(held.reason).toMatch(/deadline/);
      expect((await remote.status('Action queue', (m) => m.includes('deadline'))).level).toBe(2);
      for (const command of commands()) expect(rounded(command)).toEqual([0.02, 0.5, 1]);
      await remote.set({ deadline: PATIENT });
      const again = states();
      await sendNow([0.03, 0.5, 1]);
      await state(({ mode }) => mode === EXECUTING, again);
    });

    it('keeps commands inside the limits of the bundle and counts what it changed', async () => {
      await startForward();
      const mark = remote.mark;
      await send([0.02, 0.5, 1]);
      await peer.message<Commands>(`${NODE}/commands`, ({ data }) => data[1] === 0.5);
      const before = commands().length;
      await send([0.92, 7, 1]);
      await peer.message<Commands>(`${NODE}/commands`, ({ data }) => data[1] === 1, before);
      const steps = commands().map(([x]) => x!);
      const jumps = steps.slice(1).map((x, i) => x - steps[i]!);
      expect(Math.max(...jumps)).toBeLessThanOrEqual(0.1 + 1e-9);
      expect(commands().every(([, y]) => y! <= 1)).toBe(true);
      await remote.status('Safety', (m) => m.includes('outside the limits'), mark);
    });

    it('refuses chunks that are not for it, and follows none while paused', async () => {
      await startForward();
      await send([0, 0, 0], { action_names: ['a', 'b', 'c'] });
      await node.printed(/its actions are a, b, c/);
      await send([0, 0, 0], { period: 0.1 });
      await node.printed(/another control rate/);
      await send([0, 0, 0], { header: { stamp: { sec: 1000 } } });
      await node.printed(/all its actions are in the past/);
      await send([0, 0, 0], { actions: [1, 2, 3, 4] });
      await node.printed(/not \[horizon, action_names\]/);
      expect(commands()).toEqual([]);

      const before = states();
      expect(await pause(true)).toMatchObject({ success: true });
      await state(({ mode }) => mode === PAUSED, before);
      await send([0, 0, 0]);
      await node.printed(/the executor is paused/);
      expect(await pause(false)).toMatchObject({ success: true });
      await send([0, 0, 0]);
      await state(({ mode }) => mode === EXECUTING, before);
    });

    it('commands a trajectory controller: one named point, a period ahead of the moment it comes', async () => {
      const topic = `${NODE}/joint_trajectory`;
      await start(
        JOINT_ROBOT,
        { joint_trajectory: 'trajectory_msgs/msg/JointTrajectory' },
        'command.interface:=trajectory',
      );
      await robotAt({ dx: 0, dy: 0, grip: 0 });
      await remote.status('Joint states', (message) => message === 'it is known where the robot is');
      await send([0.02, 0.5, 1]);
      const command = await peer.message<Trajectory>(topic);
      expect(command.joint_names).toEqual(['dx', 'dy', 'grip']);
      // zero: from now on
      expect(command.header.stamp).toEqual({ sec: 0, nanosec: 0 });
      expect(command.points).toHaveLength(1);
      expect(rounded(command.points[0]!.positions)).toEqual([0.02, 0.5, 1]);
      expect(command.points[0]!.time_from_start).toEqual({ sec: 0, nanosec: 50_000_000 });
    });

    it('commands steps of a pose as a velocity and a gripper apart, and stands still when chunks stop coming', async () => {
      await start(
        POSE_ROBOT,
        { twist: 'geometry_msgs/msg/TwistStamped', gripper: 'std_msgs/msg/Float64MultiArray' },
        'command.interface:=twist',
      );
      const before = states();
      const sentAt = Math.floor(Date.now() / 1000);
      await send([0.02, -0.01, 1]);
      const moving = await peer.message<Twist>(`${NODE}/twist`);
      expect(moving.header.frame_id).toBe('tool');
      expect(moving.header.stamp.sec).toBeGreaterThanOrEqual(sentAt);
      // steps of 0.05 s
      const { linear, angular } = moving.twist;
      expect(rounded([linear.x, linear.y, linear.z])).toEqual([0.4, 0, 0]);
      expect(rounded([angular.x, angular.y, angular.z])).toEqual([-0.2, 0, 0]);
      expect((await peer.message<Commands>(`${NODE}/gripper`)).data).toEqual([1]);

      await remote.set({ deadline: 0.5 });
      await state(({ mode }) => mode === HOLDING, before);
      const still = { x: 0, y: 0, z: 0 };
      const stopped = await peer.message<Twist>(`${NODE}/twist`, ({ twist }) => twist.linear.x === 0);
      expect(stopped.twist).toEqual({ linear: still, angular: still });
      // the hand keeps what it holds
      const grips = peer.on<Commands>(`${NODE}/gripper`);
      expect(grips.every(({ message }) => message.data[0] === 1)).toBe(true);

      await remote.set({ deadline: PATIENT });
      const moved = peer.on(`${NODE}/twist`).length;
      await send([0.02, -0.01, 1]);
      await peer.message<Twist>(`${NODE}/twist`, ({ twist }) => twist.linear.x > 0, moved);
      const deactivating = peer.on(`${NODE}/twist`).length;
      expect(await remote.transition('deactivate')).toBe(true);
      const last = await peer.message<Twist>(
        `${NODE}/twist`,
        ({ twist }) => twist.linear.x === 0,
        deactivating,
      );
      expect(last.twist.angular).toEqual(still);
    });

    it('moves nothing while it is not known where the robot is, and begins from there after every stop', async () => {
      await start(JOINT_ROBOT, { commands: 'std_msgs/msg/Float64MultiArray' });
      const nothing = states();
      await send([2, 0.5, 1]);
      const blind = await state(({ hold }) => hold === 'no_state', nothing);
      expect(blind.mode).toBe(HOLDING);
      expect(blind.reason).toMatch(
        /no position of "dx", "dy", "grip" is known: nothing has come on \/joint_states/,
      );
      expect((await remote.status('Joint states', (m) => m.includes('nothing has come'))).level).toBe(2);
      expect((await remote.status('Action queue', (m) => m.includes('nothing has come'))).level).toBe(2);

      await robotAt({ dx: 0, dy: 0, gripper: 0 });
      await remote.status(
        'Joint states',
        (m) => /no usable position for "grip"/.test(m) && m.includes('"gripper"'),
      );
      expect(commands()).toEqual([]);

      await robotAt({ dx: 0, dy: 0, grip: 0 });
      await peer.message(`${NODE}/commands`);
      expect(rounded(commands()[0]!)).toEqual([0.1, 0.5, 1]);

      expect(await pause(true)).toMatchObject({ success: true });
      const pausedAt = remote.mark;
      await robotAt({ dx: -3, dy: 0, grip: 0 });
      // The pause has been published, and so has the robot since it was moved.
      await remote.status('Action queue', (m) => m === 'paused on request', pausedAt);
      await remote.status('Joint states', (m) => m === 'it is known where the robot is');
      const resumed = commands().length;
      expect(await pause(false)).toMatchObject({ success: true });
      await send([-2, 0.25, 1]);
      await peer.message<Commands>(`${NODE}/commands`, ({ data }) => data[1] === 0.25, resumed);
      const first = commands().find(([, y], i) => i >= resumed && y === 0.25)!;
      expect(rounded(first)).toEqual([-2.9, 0.25, 1]);

      const lost = states();
      await peer.do('halt');
      const stale = await state(({ hold }) => hold === 'stale_state', lost);
      expect(stale.reason).toMatch(/"dx", "dy", "grip" on \/joint_states are .* s old.*state_max_age/);
    });

    it('takes other settings in place, of the limits only stricter ones, and counts refusals by reason', async () => {
      await startForward();
      const before = states();
      await send([0.02, 0.5, 1]);
      for (let n = 0; n < 3; n++) await send([0, 0, 0], { action_names: ['a', 'b', 'c'] });
      const counted = await state((one) => count(one, 'names') === 3, before);
      const after = states();
      expect(await remote.set({ deadline: 19.5, blend_steps: 2, 'safety.limits': 'refuse' })).toMatchObject([
        { successful: true },
        { successful: true },
        { successful: true },
      ]);
      await node.printed(/safety\.limits: clamp becomes refuse/);
      const [looser] = await remote.set({ 'safety.limits': 'none' });
      expect(looser).toMatchObject({ successful: false });
      expect(looser!.reason).toMatch(/may only become stricter while the node is active/);
      const later = await state(({ commands: n }) => n > counted.commands, after);
      expect(later.mode).toBe(EXECUTING);
      expect(count(later, 'names')).toBe(3);
      for (const command of commands()) expect(rounded(command)).toEqual([0.02, 0.5, 1]);
    });

    it('follows one of two policies, says which, and the other when that one is gone', async () => {
      await startForward();
      const other = await Peer.start();
      try {
        await other.heard(CHUNKS, CHUNK);
        const before = states();
        await send([0.02, 0.5, 1]);
        const bound = await state(({ mode }) => mode === EXECUTING, before);
        expect(bound.source).toBe('/peer');
        const mark = remote.mark;
        await sendFrom(other, [0.03, 0.25, 1]);
        await remote.status('Action queue', (m) => m.includes('sends chunks too, which are refused'), mark);
        await node.printed(
          /those of \/peer are followed; another is followed when that one is gone or silent/,
        );
        const gone = commands().length;
        expect(commands().every(([, y]) => y === 0.5)).toBe(true);
        await peer.do('leave');
        await peer.do('robot', { cameras: [], joints: { dx: 0, dy: 0, grip: 0 } });
        for (;;) {
          await sendFrom(other, [0.03, 0.25, 1]);
          if (commands().some(([, y], i) => i >= gone && y === 0.25)) break;
          await peer.message(`${NODE}/commands`, () => true, commands().length);
        }
      } finally {
        await other.end();
      }
    });

    it('sends action k at stamp + k period, to a trajectory controller for stamp + (k + 1) period', async () => {
      const period = 0.25;
      const actions = Array.from({ length: HORIZON }, (_, k) => [0, k / HORIZON, 0]).flat();
      const offsets = async (
        topic: string,
        action: (message: never) => readonly number[],
        ahead: number,
      ): Promise<number[]> => {
        await robotAt({ dx: 0, dy: 0, grip: 0 });
        await remote.status('Joint states', (message) => message === 'it is known where the robot is');
        const all: number[] = [];
        // Whatever the phase in which a chunk comes.
        for (const late of [0.02, 0.11, 0.19]) {
          const from = peer.on(topic).length;
          const stamp = Date.now() / 1000 - late;
          const sec = Math.floor(stamp);
          await send([], {
            actions,
            period,
            header: { stamp: { sec, nanosec: Math.floor((stamp - sec) * 1e9) } },
          });
          await peer.message(topic, () => peer.on(topic).length > from + 9, from);
          // The first may be one of the chunk before, or come at once because it is due.
          for (const { at, message } of peer.on(topic).slice(from + 2)) {
            const k = Math.round(action(message as never)[1]! * HORIZON);
            all.push((at + ahead - (stamp + k * period)) / period);
          }
        }
        return all.sort((a, b) => a - b);
      };
      const median = (values: readonly number[]): number => values[Math.floor(values.length / 2)]!;
      const rate = [`control.rate:=${1 / period}`, 'blend_steps:=0'];
      await start(JOINT_ROBOT, { commands: 'std_msgs/msg/Float64MultiArray' }, ...rate);
      const sent = await offsets(`${NODE}/commands`, ({ data }: Commands) => data, 0);
      expect(Math.abs(median(sent))).toBeLessThan(0.1);
      expect(seconds((await state(({ mode }) => mode === EXECUTING, 0)).jitter)).toBeGreaterThanOrEqual(0);
      await node.end();

      const trajectory = { joint_trajectory: 'trajectory_msgs/msg/JointTrajectory' };
      await start(JOINT_ROBOT, trajectory, ...rate, 'command.interface:=trajectory');
      const reached = await offsets(
        `${NODE}/joint_trajectory`,
        ({ points }: Trajectory) => points[0]!.positions,
        period,
      );
      expect(Math.abs(median(reached) - 1)).toBeLessThan(0.1);
    });

    it('refuses an interface that the actions do not fit, and takes one that they do', async () => {
      const bundle = exportTabletop(temporaryFolder(), POSE_ROBOT);
      const program = join(compiledSource(), 'ros', 'executables', 'action_executor.js');
      const args = ['-p', `bundle:=${bundle}`, '-p', 'command.interface:=trajectory'];
      node = new RosProcess(['node', program, '--ros-args', ...args]);
      expect(await remote.transition('configure')).toBe(false);
      await node.printed(
        /configure: command.interface trajectory is for joint positions, the actions of the bundle are delta_pose; use forward or twist/,
      );
      await remote.set({ 'command.interface': 'twist' });
      expect(await remote.transition('configure')).toBe(true);
    });
  },
);
