import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { POLICY_PROBLEMS } from '../../src/ros/policy/policyProblems';
import { removeFolders, temporaryFolder } from '../helpers';
import { Peer, RosProcess, rosLacking } from './Peer';
import { Remote } from './Remote';
import type { Diagnostics, Result, Served } from './Remote';
import { compiledSource } from './compiledSource';
import { JOINTS, OTHER_TASK, TASK, exportTabletop, writeParams } from './tabletopBundle';

const NODE = '/left/fast_wam_policy';

interface Labelled {
  readonly id: number;
  readonly label: string;
}
interface Transitions {
  readonly available_transitions: readonly {
    readonly transition: Labelled;
    readonly start_state: Labelled;
    readonly goal_state: Labelled;
  }[];
}
interface ParameterEvent {
  readonly node: string;
  readonly changed_parameters: readonly { readonly name: string; readonly value: object }[];
}
interface Listed {
  readonly result: { readonly names: readonly string[]; readonly prefixes: readonly string[] };
}

describe.skipIf(rosLacking() !== undefined)(
  'the policy node in a namespace, as other nodes see it',
  { timeout: 240_000 },
  () => {
    let folder: string;
    let bundle: string;
    let peer: Peer;
    let remote: Remote;
    let node: RosProcess;

    beforeAll(() => {
      folder = temporaryFolder();
      bundle = exportTabletop(folder);
    });
    afterAll(removeFolders);
    beforeEach(async () => {
      peer = await Peer.start();
      remote = new Remote(peer, NODE);
      await peer.do('subscribe', { topic: '/diagnostics', type: 'diagnostic_msgs/msg/DiagnosticArray' });
    });
    afterEach(async ({ task }) => {
      if (task.result?.state === 'fail') process.stderr.write(`${node.output}\n`);
      await node.end();
      await peer.end();
    });

    function start(parameters: Readonly<Record<string, string | number | boolean>> = {}, ...more: string[]) {
      const params = writeParams(folder, { bundle, 'diagnostic_updater.period': 0.2, ...parameters });
      const program = join(compiledSource(), 'ros', 'executables', 'policy.js');
      node = new RosProcess([
        ...['node', program, '--ros-args', '--params-file', params, '-r', '__ns:=/left'],
        ...more,
      ]);
    }
    const call = <T>(name: string, type: string, request: object = {}): Promise<T> =>
      peer.call<T>(`${NODE}/${name}`, type, request);

    it('answers with its states, and with its transitions and where they lead', async () => {
      start();
      const type = 'lifecycle_msgs/srv/GetAvailableTransitions';
      const graph = await call<Transitions>('get_transition_graph', type);
      const available = await call<Transitions>('get_available_transitions', type);
      const { available_states: states } = await call<{ available_states: Labelled[] }>(
        'get_available_states',
        'lifecycle_msgs/srv/GetAvailableStates',
      );
      const arrows = ({ available_transitions: all }: Transitions): string[] =>
        all.map(
          ({ transition, start_state: from, goal_state: to }) =>
            `${from.label} -${transition.label}-> ${to.label}`,
        );
      expect(arrows(available).sort()).toEqual([
        'unconfigured -configure-> configuring',
        'unconfigured -shutdown-> shuttingdown',
      ]);
      expect(arrows(graph)).toEqual(expect.arrayContaining(arrows(available)));
      expect(arrows(graph)).toContain('activating -transition_success-> active');
      const known = new Set(states.map(({ label }) => label));
      for (const { start_state: from, goal_state: to } of graph.available_transitions)
        expect([known.has(from.label), known.has(to.label)]).toEqual([true, true]);
    });

    it('tells of changed parameters on /parameter_events, and lists them by prefix and depth', async () => {
      const type = 'rcl_interfaces/msg/ParameterEvent';
      await peer.do('subscribe', { topic: '/parameter_events', type });
      await peer.do('subscribe', { topic: '/left/parameter_events', type });
      start();
      await remote.set({ 'cache.refresh_interval': 8 });
      const event = await peer.message<ParameterEvent>(
        '/parameter_events',
        ({ changed_parameters: changed }) => changed.some(({ name }) => name === 'cache.refresh_interval'),
      );
      expect(event.node).toBe(NODE);
      expect(peer.on('/left/parameter_events')).toEqual([]);

      const list = async (prefixes: readonly string[], depth: number): Promise<Listed['result']> =>
        (await call<Listed>('list_parameters', 'rcl_interfaces/srv/ListParameters', { prefixes, depth }))
          .result;
      const direct = await list(['cache'], 1);
      expect(direct.names).toContain('cache.refresh_interval');
      expect(direct.prefixes).toEqual(['cache']);
      expect(direct.names.every((name) => name.split('.').length === 2)).toBe(true);
      expect((await list(['cache'], 0)).names).toContain('cache.c3ache.mode');
      expect((await list([], 1)).names).not.toContain('cache.refresh_interval');
      const { types } = await call<{ types: number[] }>(
        'get_parameter_types',
        'rcl_interfaces/srv/GetParameterTypes',
        { names: ['no.such', 'cache.refresh_interval'] },
      );
      expect(types).toEqual([0, 2]);
    });

    it('takes back every value that it has, in whatever state, one by one and together', async () => {
      start({
        instruction: TASK,
        'cameras.front.topic': 'front/compressed',
        'qos_overrides./left/front/compressed.subscription.depth': 2,
      });
      const check = async (): Promise<void> => {
        const { result } = await call<Listed>('list_parameters', 'rcl_interfaces/srv/ListParameters');
        expect(result.names).toContain('start_type_description_service');
        const { values } = await call<{ values: object[] }>(
          'get_parameters',
          'rcl_interfaces/srv/GetParameters',
          { names: result.names },
        );
        const parameters = result.names.map((name, i) => ({ name, value: values[i] }));
        const { results } = await call<{ results: Result[] }>(
          'set_parameters',
          'rcl_interfaces/srv/SetParameters',
          { parameters },
        );
        expect(result.names.filter((_, i) => !results[i]!.successful)).toEqual([]);
        const together = await call<{ result: Result }>(
          'set_parameters_atomically',
          'rcl_interfaces/srv/SetParametersAtomically',
          { parameters },
        );
        expect(together.result).toEqual({ successful: true, reason: '' });
      };
      await check();
      expect(await remote.transition('configure')).toBe(true);
      expect(await remote.get('cameras.front.transport')).toMatchObject({ string_value: 'compressed' });
      await check();
      const [fixed] = await remote.set({ start_type_description_service: false });
      expect(fixed).toEqual({
        successful: false,
        reason:
          '"start_type_description_service" cannot be set while the node runs; say it when the node starts',
      });
    });

    it('names itself in full in its diagnostics, with the reasons of all that it has refused', async () => {
      start({ instruction: TASK }, '-r', 'cam/front:=/cameras/one');
      expect(await remote.transition('activate')).toBe(false);
      await remote.set({ 'control.rate': -1 });
      expect(await remote.transition('configure')).toBe(true);
      await peer.publish('/left/instruction', 'std_msgs/msg/String', { data: 'make tea' }, 'latched');
      expect((await call<Served>('reset_episode', 'std_srvs/srv/Trigger')).success).toBe(false);
      const { message, values } = await remote.status('State', (m) => m.includes('make tea'));
      expect(message).toMatch(/unknown instruction/);
      const counted = Object.fromEntries(values.map(({ key, value }) => [key, value]));
      for (const { status, value } of POLICY_PROBLEMS)
        if (status === 'State' && value?.startsWith('refused, '))
          expect([value, counted[value]]).toEqual([value, '1']);
      const silent = await remote.status('Observation', () => true);
      expect(silent.message).toBe('nobody publishes /cameras/one (front)');

      const { status } = await peer.message<Diagnostics>('/diagnostics');
      expect(new Set(status.map(({ name }) => name.split(': ')[0]))).toEqual(new Set([NODE]));
      const mark = peer.on('/diagnostics').length;
      await remote.set({ 'diagnostic_updater.use_fqn': false });
      await peer.message<Diagnostics>(
        '/diagnostics',
        (m) => m.status.some(({ name }) => name === 'fast_wam_policy: State'),
        mark,
      );
    });

    it('has as its parameter instruction the task that it follows, whoever has said it', async () => {
      start({ autostart: true });
      await remote.status('State', (m) => m === 'active');
      expect(await remote.get('instruction')).toMatchObject({ string_value: '' });
      await peer.publish('/left/instruction', 'std_msgs/msg/String', { data: TASK }, 'latched');
      const following = (task: string): Promise<unknown> =>
        remote.status('State', (_, { values }) =>
          values.some(({ key, value }) => key === 'instruction' && value === task),
        );
      await following(TASK);
      expect(await remote.get('instruction')).toMatchObject({ string_value: TASK });
      expect(await remote.set({ instruction: OTHER_TASK })).toEqual([{ successful: true, reason: '' }]);
      await following(OTHER_TASK);
      await call<Served>('infer', 'fast_wam_msgs/srv/Infer', { instruction: TASK });
      await following(TASK);
      expect(await remote.get('instruction')).toMatchObject({ string_value: TASK });
      await remote.set({ instruction: '' });
      await following('');
    });
  },
);

describe.skipIf(rosLacking() !== undefined)('nodes whose clock stands still', { timeout: 240_000 }, () => {
  let peer: Peer;
  let nodes: RosProcess[];
  let bundle: string;
  let folder: string;

  beforeAll(() => {
    folder = temporaryFolder();
    bundle = exportTabletop(folder);
  });
  afterAll(removeFolders);
  beforeEach(async () => {
    nodes = [];
    peer = await Peer.start();
    await peer.do('subscribe', { topic: '/diagnostics', type: 'diagnostic_msgs/msg/DiagnosticArray' });
  });
  afterEach(async ({ task }) => {
    for (const node of nodes) {
      if (task.result?.state === 'fail') process.stderr.write(`${node.output}\n`);
      await node.end();
    }
    await peer.end();
  });

  it('all say so as an error, and go on by themselves', async () => {
    const all = ['--ros-args', '-p', 'use_sim_time:=true', '-p', 'diagnostic_updater.period:=0.2'];
    for (const [program, ...args] of [
      ['policy', '--params-file', writeParams(folder, { bundle, instruction: TASK, autostart: true })],
      ['action_executor', '-p', `bundle:=${bundle}`, '-p', 'autostart:=true'],
      ['simulated_robot', '-p', 'clock:=false'],
    ] as const) {
      const path = join(compiledSource(), 'ros', 'executables', `${program}.js`);
      nodes.push(new RosProcess(['node', path, ...all, ...args]));
    }
    const remotes = ['/fast_wam_policy', '/action_executor', '/simulated_robot'].map(
      (name) => new Remote(peer, name),
    );
    const clocks = (level: number, pattern: RegExp, mark: number): Promise<unknown> =>
      Promise.all(
        remotes.map((remote) =>
          remote.status('Clock', (message, status) => status.level === level && pattern.test(message), mark),
        ),
      );
    await clocks(2, /use_sim_time is true, and nobody publishes \/clock/, 0);
    await peer.do('robot', { cameras: ['cam/front', 'cam/wrist'], joints: JOINTS });
    let mark = peer.on('/diagnostics').length;
    await peer.do('clock', { start: 1000 });
    await clocks(0, /the time comes from \/clock/, mark);
    mark = peer.on('/diagnostics').length;
    await peer.do('stop_clock');
    await clocks(2, /\/clock has stopped/, mark);
    mark = peer.on('/diagnostics').length;
    await peer.do('clock', { start: 2000 });
    await clocks(0, /the time comes from \/clock/, mark);
  });
});
