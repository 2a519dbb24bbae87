import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encoderOf } from '../../src/ros/client/encodePublications';
import { planEpisodes, startWorld } from '../../src/sim/episodes';
import { colourise, renderCamera } from '../../src/sim/renderer';
import type { TabletopWorld } from '../../src/sim/TabletopWorld';
import { removeFolders, temporaryFolder } from '../helpers';
import { Peer, ROOT, RosProcess, rosLacking } from './Peer';
import { CHUNK, NODE } from './PolicyRun';
import type { ActionChunk, Stamp } from './PolicyRun';
import { Remote } from './Remote';
import { compiledSource } from './compiledSource';
import { exportTabletop } from './tabletopBundle';

const ROBOT = '/simulated_robot';
const COMMANDS = `${ROBOT}/commands`;
const RESULTS = `${ROBOT}/episode_result`;
const ARRAY = 'std_msgs/msg/Float64MultiArray';
const RESULT = 'fast_wam_msgs/msg/EpisodeResult';

interface JointState {
  readonly header: { readonly stamp: Stamp };
  readonly name: readonly string[];
  readonly position: readonly number[];
}
interface Image {
  readonly header: { readonly stamp: Stamp; readonly frame_id: string };
  readonly height: number;
  readonly width: number;
  readonly encoding: string;
  readonly data: readonly number[];
}
interface EpisodeResult {
  readonly header: { readonly stamp: Stamp };
  readonly episode: number;
  readonly suite: string;
  readonly instruction: string;
  readonly success: boolean;
  readonly steps: number;
  readonly step_limit: number;
  readonly episodes: number;
  readonly successes: number;
}

type Reported = Awaited<ReturnType<Remote['status']>>;

const nanoseconds = ({ sec, nanosec }: Stamp): number => sec * 1e9 + nanosec;

/** The world in which the robot starts: its first episode with seed 5. */
const SEED = 5;
function episode(index = 0): { readonly world: TabletopWorld; readonly instruction: string } {
  const plan = planEpisodes(index + 1, ['object'], { seed: SEED, speed: 'slow', condition: 'clean' })[index]!;
  return { world: startWorld(plan), instruction: plan.task.instruction };
}

describe.skipIf(rosLacking() !== undefined)('the simulated robot', { timeout: 240_000 }, () => {
  let peer: Peer;
  let remote: Remote;
  let nodes: RosProcess[];

  beforeEach(async () => {
    nodes = [];
    peer = await Peer.start();
    remote = new Remote(peer, ROBOT);
  });
  afterEach(async ({ task }) => {
    for (const node of nodes) {
      if (task.result?.state === 'fail') process.stderr.write(`${node.output}\n`);
      await node.end();
    }
    await peer.end();
  });
  afterAll(removeFolders);

  function start(executable: string, ...args: string[]): void {
    const program = join(compiledSource(), 'ros', 'executables', `${executable}.js`);
    nodes.push(new RosProcess(['node', program, '--ros-args', ...args]));
  }
  const subscribe = (
    topic: string,
    type: string,
    qos = 'reliable',
    fields?: readonly string[],
  ): Promise<void> => peer.do('subscribe', { topic, type, qos, ...(fields && { fields }) });

  /** A robot that hears this test's commands, and that the test feels. */
  async function startRobot(...parameters: string[]): Promise<void> {
    await subscribe('/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray');
    await subscribe('/joint_states', 'sensor_msgs/msg/JointState');
    const all = [`seed:=${SEED}`, 'diagnostic_updater.period:=0.2', ...parameters];
    start('simulated_robot', ...all.flatMap((one) => ['-p', one]));
    await peer.heard(COMMANDS, ARRAY);
    // only what the robot knows of reaches it
    await remote.status('Commands', (_, status) => value(status, 'publishers') === '1');
    await joints();
  }
  const value = ({ values }: Reported, name: string): string | undefined =>
    values.find(({ key }) => key === name)?.value;
  /** The first joint state that fits, of those from now on or from the `from`-th on. */
  const joints = (
    fits: (position: readonly number[]) => boolean = () => true,
    from = peer.on('/joint_states').length,
  ): Promise<JointState> => peer.message<JointState>('/joint_states', ({ position }) => fits(position), from);
  const command = (data: readonly number[]): Promise<void> => peer.publish(COMMANDS, ARRAY, { data });
  const same = (a: ArrayLike<number>, b: ArrayLike<number>): boolean =>
    a.length === b.length && Array.from(a).every((value, i) => value === b[i]);

  it('says what it does, and takes a file that other nodes share: what looks misspelt there is a warning', async () => {
    const file = join(temporaryFolder(), 'shared.yaml');
    const lines = [
      '/**:',
      '  ros__parameters:',
      '    robot_ip: 10.0.0.2',
      '    suitte: object',
      '    seed: 7',
    ];
    writeFileSync(file, lines.join('\n'));
    await subscribe('/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray');
    start('simulated_robot', '--params-file', file, '-p', 'diagnostic_updater.period:=0.1');
    const state = await remote.status('State', (message) => message !== '');
    expect([state.level, state.message, value(state, 'state')]).toEqual([
      1,
      'there is no parameter "suitte"; did you mean suite?',
      'waiting',
    ]);
    await nodes[0]!.printed(
      /there is no parameter "robot_ip".*passed over, since its section is for other nodes too/,
    );
    const [refused] = await remote.set({ seed: 9 });
    expect(refused!.successful).toBe(false);
    await remote.status('State', (_, status) => value(status, 'refused, parameter') === '1');
    // What is said to this program alone is meant for it.
    start('simulated_robot', '-p', 'suitte:=object');
    expect(await nodes[1]!.exited).toEqual({ code: 1, signal: null });
    expect(nodes[1]!.output).toMatch(/there is no parameter "suitte"; did you mean suite\?/);
  });

  it('shows the table, feels its gripper and says the task, in the time that it publishes', async () => {
    await subscribe('/front/image_raw', 'sensor_msgs/msg/Image', 'sensor');
    await subscribe('/wrist/image_raw', 'sensor_msgs/msg/Image', 'sensor');
    await subscribe('/clock', 'rosgraph_msgs/msg/Clock');
    await subscribe('/instruction', 'std_msgs/msg/String', 'latched');
    await startRobot();
    const { world, instruction } = episode();
    expect(await peer.message('/instruction')).toEqual({ data: instruction });
    const { name, position } = await joints();
    expect(name).toEqual(['gripper_x', 'gripper_y', 'gripper_opening']);
    expect(position).toEqual([...world.proprio()]);
    for (const camera of ['front', 'wrist'] as const) {
      const image = await peer.message<Image>(`/${camera}/image_raw`);
      expect(image).toMatchObject({ height: 64, width: 64, encoding: 'rgb8' });
      expect(image.header.frame_id).toBe(camera);
      expect(same(image.data, colourise(renderCamera(world, camera)))).toBe(true);
      // control steps are 0.1 s apart, in simulated time that begins at 0
      expect(nanoseconds(image.header.stamp) % 1e8).toBe(0);
      const later = nanoseconds(image.header.stamp) + 1e8;
      await peer.message<{ clock: Stamp }>('/clock', ({ clock }) => nanoseconds(clock) >= later);
    }
    const clock = peer.on<{ clock: Stamp }>('/clock').map(({ message }) => nanoseconds(message.clock));
    // ten ticks in a control step at the speed of real time; a busy machine may lose some on the way
    clock.slice(1).forEach((time, i) => expect((time - clock[i]!) % 1e7).toBe(0));
    expect(clock.some((time) => time % 1e8 !== 0)).toBe(true);
    expect(clock.toSorted((x, y) => x - y)).toEqual(clock);
  });

  it('stands still until it is commanded, and then moves as the world does', async () => {
    await startRobot();
    const { world } = episode();
    const before = world.proprio();
    expect((await joints()).position).toEqual([...before]);
    // One command counts for two control steps; the gripper, told to close, goes on closing.
    await command([1, -0.5, -1]);
    world.step([1, -0.5, -1]);
    world.step([1, -0.5, -1]);
    for (let step = 0; step < 20; step++) world.step([0, 0, -1]);
    await joints((position) => same(position, world.proprio()), 0);
    expect(world.opening).toBe(0);
    const seen = peer.on<JointState>('/joint_states').map(({ message }) => message.position);
    const moved = seen.filter(([x]) => x !== before[0]);
    const steps = moved.map(([x]) => Math.round((x! - before[0]!) / 0.008));
    expect(Math.max(...steps)).toBe(2);
    expect(await remote.status('Episodes', (message) => message === '0 of 0 succeeded')).toBeDefined();
  });

  it('refuses bad commands, counts and explains them, and does not move', async () => {
    await startRobot();
    const mark = remote.mark;
    const before = (await joints()).position;
    await command([1, 1]);
    await command([1, 1, 1, 1]);
    const nan = encoderOf(ARRAY)?.({ data: Float64Array.of(NaN, 1, -1) });
    expect(nan).toBeDefined();
    await peer.do('publish_bytes', { topic: COMMANDS, type: ARRAY, hex: nan!.toString('hex') });
    const status = await remote.status(
      'Commands',
      (_, all) => value(all, 'refused, size') === '2' && value(all, 'refused, not_finite') === '1',
      mark,
    );
    expect(status.values).toContainEqual({ key: 'accepted', value: '0' });
    expect(status.values).toContainEqual({
      key: 'last refused',
      value: 'a command has NaN as dx; it was not followed',
    });
    const warned = await remote.status('Commands', (_, { level }) => level === 1, mark);
    expect(warned.message).toMatch(/^a command has .*; it was not followed$/);
    expect((await joints()).position).toEqual(before);
    // what is good still counts
    await command([1, 0, 1]);
    await joints(([x]) => x !== before[0]);
  });

  it('tells of commands of another type, which never arrive', async () => {
    await startRobot();
    const mark = remote.mark;
    await peer.do('leave'); // the publisher that found out who listens
    await peer.publish(COMMANDS, 'geometry_msgs/msg/Twist', { linear: { x: 1 } });
    const status = await remote.status('Commands', (message) => message.includes('Twist'), mark);
    expect(status.level).toBe(1);
    expect(status.message).toContain('expected std_msgs/msg/Float64MultiArray');
  });

  it('says how an episode ended to those who listen and to those who come late, and goes on', async () => {
    await subscribe('/instruction', 'std_msgs/msg/String', 'latched');
    await startRobot('real_time_factor:=20.0');
    await command([0, 0, 1]);
    await peer.message('/instruction', ({ data }: { data: string }) => data === episode(1).instruction, 0);
    // nobody could have moved a block: the steps of a task with one pair in the slow world are 250
    await subscribe(RESULTS, RESULT, 'latched');
    const result = await peer.message<EpisodeResult>(RESULTS);
    expect(result).toMatchObject({
      success: false,
      steps: 250,
      step_limit: 250,
      successes: 0,
      suite: 'object',
    });
    expect(result.episodes).toBe(result.episode + 1);
    expect(result.instruction).toBe(episode(result.episode).instruction);
    const status = await remote.status('Episodes', (message) => /^0 of [1-9]/.test(message));
    expect(status.level).toBe(0);
  });

  it('takes another speed while it runs, and refuses one that is none', async () => {
    await startRobot();
    const [refused] = await remote.set({ real_time_factor: 1000.5 });
    expect(refused).toMatchObject({ successful: false });
    expect(refused!.reason).toMatch(/real_time_factor.*100/);
    await remote.set({ real_time_factor: 50.5 });
    const before = nanoseconds((await joints()).header.stamp);
    // 60 s of simulated time; they would last as long in real time, and the test would give up
    await peer.message<JointState>(
      '/joint_states',
      ({ header }) => nanoseconds(header.stamp) > before + 60e9,
      0,
      50_000,
    );
    const [late] = await remote.set({ clock: false });
    expect(late).toMatchObject({ successful: false });
  });

  it('lives in the time of another clock where it is not to be one', async () => {
    await peer.do('clock', { start: 1000, speed: 5 });
    await startRobot('clock:=false', 'use_sim_time:=true');
    const at = (await joints()).header.stamp.sec;
    expect(at).toBeGreaterThanOrEqual(1000);
    const status = await remote.status('Clock', () => true);
    expect(status.message).toBe('the time comes from /clock');
  });
});

describe.skipIf(rosLacking() !== undefined)('simulated robot, policy and executor together', () => {
  let peer: Peer;
  const nodes: RosProcess[] = [];

  afterEach(async ({ task }) => {
    for (const node of nodes) {
      if (task.result?.state === 'fail') process.stderr.write(`${node.output}\n`);
      await node.end();
    }
    await peer.end();
    removeFolders();
  });

  it(
    'solve an episode with the bundled model and a cache, R being turned while they run',
    { timeout: 900_000 },
    async () => {
      peer = await Peer.start();
      await peer.do('subscribe', { topic: RESULTS, type: RESULT, qos: 'latched' });
      await peer.do('subscribe', {
        topic: `${NODE}/action_chunk`,
        type: CHUNK,
        fields: ['episode', 'chunk', 'cache'],
      });
      await peer.do('subscribe', { topic: '/diagnostics', type: 'diagnostic_msgs/msg/DiagnosticArray' });
      // as sim.launch.py starts them
      const robotYaml = readFileSync(join(ROOT, 'bundles', 'tabletop', 'robot.yaml'), 'utf8');
      const bundle = exportTabletop(temporaryFolder(), robotYaml);
      const params = join(ROOT, 'params', 'simulation.yaml');
      const start = (executable: string, ...args: string[]): void => {
        const program = join(compiledSource(), 'ros', 'executables', `${executable}.js`);
        const all = ['--params-file', params, '-p', 'use_sim_time:=true', ...args];
        nodes.push(new RosProcess(['node', program, '--ros-args', ...all]));
      };
      const managed = ['-p', `bundle:=${bundle}`, '-p', 'autostart:=true'];
      start('simulated_robot');
      start('policy', ...managed);
      start('action_executor', ...managed, '-r', '~/commands:=simulated_robot/commands');

      const policy = new Remote(peer, NODE);
      const robot = new Remote(peer, ROBOT);
      const chunk = (fits: (chunk: ActionChunk) => boolean): Promise<ActionChunk> =>
        peer.message(`${NODE}/action_chunk`, fits, 0, 120_000);
      await chunk(({ cache }) => cache['refresh_interval'] === 4 && cache['reused_steps'] === 7);
      const [turned] = await policy.set({ 'cache.refresh_interval': 8 });
      expect(turned).toMatchObject({ successful: true });
      const { episode: early } = await chunk(
        ({ cache }) => cache['refresh_interval'] === 8 && cache['reused_steps'] === 7,
      );

      // Where the machine is so slow that chunks come too late, the world can wait: half the speed after a failure.
      let result: EpisodeResult;
      for (let ended = 1, factor = 1; ; ended++) {
        result = await peer.message<EpisodeResult>(RESULTS, ({ episodes }) => episodes >= ended, 0, 300_000);
        if (result.success || ended === 4) break;
        factor /= 2;
        await robot.set({ real_time_factor: factor });
      }
      expect(result).toMatchObject({ success: true, successes: 1 });
      expect(result.steps).toBeLessThan(result.step_limit);
      expect(result.suite).toBe('object');
      // the policy has noticed that another episode began
      await chunk(({ episode, chunk: number }) => episode > early && number === 0);
      const status = await robot.status('Episodes', (message) => message.startsWith('1 of'), 0);
      expect(status.values.find(({ key }) => key === 'suite')).toMatchObject({ value: 'object' });
    },
  );
});
