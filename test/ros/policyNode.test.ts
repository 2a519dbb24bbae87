import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { removeFolders, temporaryFolder } from '../helpers';
import { rosLacking } from './Peer';
import type { Peer } from './Peer';
import { NODE, PolicyRun } from './PolicyRun';
import type { ActionChunk, Stamp } from './PolicyRun';
import type { Remote, Result, Served } from './Remote';
import { JOINTS, OTHER_TASK, ROBOT, TASK, exportTabletop, writeParams } from './tabletopBundle';

const IMAGE = 'sensor_msgs/msg/Image';

interface Trajectory {
  readonly header: { readonly stamp: Stamp };
  readonly joint_names: readonly string[];
  readonly points: readonly { readonly positions: readonly number[]; readonly time_from_start: Stamp }[];
}
const seconds = ({ sec, nanosec }: Stamp): number => sec + nanosec / 1e9;

describe.skipIf(rosLacking() !== undefined)(
  'the policy node, driven by an rclpy process',
  { timeout: 240_000 },
  () => {
    let folder: string;
    let bundle: string;
    let run: PolicyRun;
    let peer: Peer;
    let remote: Remote;

    beforeAll(() => {
      folder = temporaryFolder();
      bundle = exportTabletop(folder);
    });
    afterAll(() => {
      removeFolders();
    });

    beforeEach(async () => {
      run = await PolicyRun.prepare();
      ({ peer, remote } = run);
    });
    afterEach((context) => run.end(context));

    /** A node that is active and gets observations. */
    async function running(
      parameters: Readonly<Record<string, string | number | boolean>> = {},
    ): Promise<void> {
      await run.serving(writeParams(folder, { bundle, instruction: TASK, autostart: true, ...parameters }));
    }

    it('recovers from every failed transition, and says what was wrong', async () => {
      const params = writeParams(folder, { instruction: TASK, 'cameras.wrist.topic': '""' });
      run.start('--params-file', params, '-p', 'diagnostic_updater.period:=0.2');
      expect(await remote.state()).toBe('unconfigured');

      expect(await remote.transition('configure')).toBe(false);
      expect((await remote.status('State', (m) => m !== 'unconfigured')).message).toMatch(
        /configure: the parameter bundle is not set/,
      );
      expect(await remote.set({ bundle: '/nowhere' })).toEqual([{ successful: true, reason: '' }]);
      expect(await remote.transition('configure')).toBe(false);
      expect((await remote.status('State', (m) => m.includes('/nowhere'))).level).toBe(2);

      await remote.set({ bundle });
      expect(await remote.transition('configure')).toBe(false);
      await remote.status('State', (m) => m.includes('no topic for wrist: set cameras.wrist.topic'));
      await remote.set({ 'cameras.wrist.topic': 'cam/wrist' });

      expect(await remote.transition('activate')).toBe(false);
      await remote.status('State', (m) => m.includes('not possible while unconfigured'));
      expect(await remote.transition('transition_success')).toBe(false);
      expect(await remote.state()).toBe('unconfigured');

      expect(await remote.transition('configure')).toBe(true);
      expect(await remote.transition('configure')).toBe(false);
      expect(await remote.state()).toBe('inactive');
      expect(await remote.transition('activate')).toBe(true);
      await remote.status('State', (m) => m === 'active');
      expect(await remote.transition('deactivate')).toBe(true);
      expect(await remote.transition('cleanup')).toBe(true);
      expect(await remote.transition('configure')).toBe(true);
      expect(await remote.transition('shutdown')).toBe(true);
      expect(await remote.state()).toBe('finalized');
    });

    it('answers while it loads a model, and refuses a second transition meanwhile', async () => {
      const node = run.start('--params-file', writeParams(folder, { bundle, instruction: TASK }));
      // a first request to each service, so that those below go out at once
      await remote.get('bundle');
      expect(await remote.state()).toBe('unconfigured');
      expect(await remote.transition('activate')).toBe(false);
      let answered = false;
      const asked = Promise.all([
        remote.transition('configure'),
        remote.transition('configure'),
        remote.get('cache.refresh_interval'),
      ]).finally(() => (answered = true));
      const states = new Set<string>();
      while (!answered) states.add(await remote.state());
      const [first, second, parameter] = await asked;
      expect(states).toContain('configuring');
      expect([first, second].sort()).toEqual([false, true]);
      expect(parameter).toMatchObject({ integer_value: 4 });
      await node.printed(/configure: refused: configure is still under way/);
      expect(await remote.state()).toBe('inactive');
    });

    it('publishes chunks that carry what they were made from and with', async () => {
      await peer.do('subscribe', {
        topic: `${NODE}/joint_trajectory`,
        type: 'trajectory_msgs/msg/JointTrajectory',
      });
      await running();
      await run.chunk(({ chunk }) => chunk >= 4);
      const all = run.chunks();
      expect(all.map(({ chunk }) => chunk)).toEqual(all.map((_, i) => i));
      for (const chunk of all) {
        expect(chunk).toMatchObject({
          episode: 0,
          instruction: TASK,
          action_names: ['dx', 'dy', 'grip'],
          horizon: 32,
          period: 0.05,
          replan_steps: 5,
        });
        expect(chunk.actions).toHaveLength(96);
        expect(chunk.actions.every(Number.isFinite)).toBe(true);
        expect(chunk.sources.map(({ name }) => name)).toEqual(['front', 'wrist', 'arm']);
        expect(chunk.sources.every(({ age }) => age >= 0 && age < 0.5)).toBe(true);
      }
      // R = 4, range [0, 6] of 10 steps: every fourth chunk in full, the others 3 steps.
      expect(all.slice(0, 5).map(({ cache }) => [cache['full_steps'], cache['reason']])).toEqual([
        [10, 'first_chunk'],
        [3, ''],
        [3, ''],
        [3, ''],
        [10, 'interval'],
      ]);
      const trajectory = await peer.message<Trajectory>(`${NODE}/joint_trajectory`);
      const same = all.find(({ header }) => seconds(header.stamp) === seconds(trajectory.header.stamp))!;
      expect(trajectory.joint_names).toEqual(['dx', 'dy', 'grip']);
      expect(trajectory.points.flatMap(({ positions }) => positions)).toEqual(same.actions);
      expect(trajectory.points.map((p) => seconds(p.time_from_start))[31]).toBeCloseTo(32 * 0.05, 9);
    });

    it('changes R, range and policy while it runs, from the next chunk on, and refuses with reasons', async () => {
      await running();
      expect(await remote.set({ 'cache.refresh_interval': 2 })).toEqual([{ successful: true, reason: '' }]);
      const changed = await run.chunk(({ cache }) => cache['refresh_interval'] === 2);
      expect(changed.cache['policy']).toBe('c3ache');

      expect(await remote.set({ 'cache.range': [3, 12] })).toEqual([
        {
          successful: false,
          reason: 'cache.range [3, 12]: end must be at most 9, the sampler takes 10 steps',
        },
      ]);
      const [unknown, structural, policy, type] = await remote.set({
        'cache.refesh_interval': 3,
        bundle: '/other',
        'cache.policy': 'c3cache',
        'sampler.seed': 'lots',
      });
      expect(unknown!.reason).toMatch(/no parameter .*did you mean cache.refresh_interval/);
      expect(structural!.reason).toMatch(/bundle can only be set while the node is unconfigured/);
      expect(policy!.reason).toMatch(/expected one of none, few_steps, c3ache.*did you mean "c3ache"/);
      expect(type!.reason).toMatch(/sampler.seed "lots": expected a whole number/);

      // all or nothing
      const together = await remote.setTogether({ 'cache.refresh_interval': 7, 'cache.range': [5, 2] });
      expect(together).toEqual({
        successful: false,
        reason: 'cache.range [5, 2]: start must be at most end, which is 2',
      });
      expect(await remote.get('cache.refresh_interval')).toMatchObject({ integer_value: 2 });
      expect(await remote.setTogether({ 'cache.refresh_interval': 7, 'cache.range': [1, 5] })).toMatchObject({
        successful: true,
      });
      const both = await run.chunk(({ cache }) => cache['refresh_interval'] === 7);
      expect([both.cache['range_start'], both.cache['range_end']]).toEqual([1, 5]);

      await remote.set({ 'cache.policy': 'none' });
      const none = await run.chunk(({ cache }) => cache['policy'] === 'none');
      expect(none.cache['full_steps']).toBe(10);
      const before = run.chunks().length;
      await remote.set({ 'cache.policy': 'c3ache' });
      const back = await run.chunk(({ cache }) => cache['policy'] === 'c3ache', before);
      expect(back.cache['reason']).toBe('policy_changed');
      expect(run.chunks().map(({ chunk }) => chunk)).toEqual(run.chunks().map((_, i) => i));
    });

    it('guides chunks once it is told to, by the measured delay or a given one, not after a hold, and says so', async () => {
      await running({ 'control.replan_steps': 1 });
      const guided = (delay?: number) =>
        run.chunk(
          ({ guidance }) => guidance.reason === '' && (delay === undefined || guidance.delay === delay),
        );
      expect((await run.chunk()).guidance).toEqual({ rows: 0, delay: 0, executed: 0, reason: 'off' });
      await remote.set({ 'rtc.enabled': true });
      const measured = await guided();
      expect(measured.guidance.rows).toBeGreaterThan(0);
      expect(measured.guidance.delay).toBeGreaterThan(0);
      await remote.set({ 'rtc.inference_delay': 2, 'rtc.execution_horizon': 5 });
      const given = await guided(2);
      expect(given.guidance).toMatchObject({ rows: 5, delay: 2 });
      const [refused] = await remote.set({ 'rtc.schedule': 'CUBIC' });
      expect(refused).toMatchObject({ successful: false });
      const hold = { topic: '/action_executor/state', type: 'fast_wam_msgs/msg/ExecutorState' };
      const stamp = { sec: given.header.stamp.sec + 10, nanosec: 0 };
      await run.peer.publish(hold.topic, hold.type, { header: { stamp }, mode: 2 }, 'latched');
      expect((await run.chunk(({ guidance }) => guidance.reason === 'held')).guidance.rows).toBe(0);
      await remote.set({ 'rtc.enabled': false, 'rtc.inference_delay': -1 });
    });

    it('loses no chunk and mixes no settings while R, range and policy change at random', async () => {
      await running({ 'control.replan_steps': 1 });
      // pairs that always change together: any other pair in a report would be a mixture
      const pairs = [
        ['c3ache', 2, [0, 3]],
        ['c3ache', 3, [1, 6]],
        ['none', 2, [0, 3]],
        ['c3ache', 5, [2, 8]],
      ] as const;
      const seen = (): ReadonlySet<string> =>
        new Set(
          run
            .chunks()
            .map(({ cache }) =>
              cache['policy'] === 'none'
                ? 'none'
                : `${cache['refresh_interval']} [${cache['range_start']}, ${cache['range_end']}]`,
            ),
        );
      let random = 1;
      for (let i = 0; i < 200 || seen().size < 3; i++) {
        random = (random * 16807) % 2147483647;
        const [policy, interval, range] = pairs[random % pairs.length]!;
        const result = await remote.setTogether({
          'cache.policy': policy,
          'cache.refresh_interval': interval,
          'cache.range': [...range],
        });
        expect(result.successful).toBe(true);
      }
      await run.chunk();
      const numbers = run.chunks().map(({ chunk }) => chunk);
      expect(numbers).toEqual(numbers.map((_, i) => i));
      // the first chunks still have the defaults, R = 4 and [0, 6]
      for (const pair of seen())
        expect(['none', '2 [0, 3]', '3 [1, 6]', '5 [2, 8]', '4 [0, 6]']).toContain(pair);
    });

    it('describes its parameters with text, limits and type', async () => {
      run.start('--params-file', writeParams(folder, { bundle }));
      const { descriptors } = await peer.call<{ descriptors: Record<string, unknown>[] }>(
        `${NODE}/describe_parameters`,
        'rcl_interfaces/srv/DescribeParameters',
        { names: ['cache.refresh_interval', 'observation.max_age', 'cache.policy', 'cameras.front.topic'] },
      );
      expect(descriptors[0]).toMatchObject({
        type: 2,
        integer_range: [{ from_value: 0, to_value: 1_000_000, step: 1 }],
      });
      expect(descriptors[0]!['description']).toMatch(/^R: /);
      expect(descriptors[1]).toMatchObject({ type: 3, floating_point_range: [{ from_value: 0 }] });
      expect(descriptors[2]!['additional_constraints']).toMatch(/^one of none, few_steps, c3ache/);
      expect(descriptors[3]).toMatchObject({ type: 4 });
    });

    it('starts an episode at reset_episode and at a new instruction, and knows no other instructions', async () => {
      await running();
      await run.chunk(({ chunk }) => chunk >= 1, 0);
      const reset = await peer.call<Served>(`${NODE}/reset_episode`, 'std_srvs/srv/Trigger');
      expect(reset.success).toBe(true);
      const first = await run.chunk(({ episode }) => episode === 1, 0);
      expect([first.chunk, first.cache['reason']]).toEqual([0, 'first_chunk']);

      await peer.publish('/instruction', 'std_msgs/msg/String', { data: OTHER_TASK }, 'latched');
      const other = await run.chunk(({ instruction }) => instruction === OTHER_TASK, 0);
      expect([other.episode, other.chunk]).toEqual([2, 0]);

      await peer.publish('/instruction', 'std_msgs/msg/String', { data: 'make coffee' }, 'latched');
      const warned = await remote.status('State', (m) => m.includes('make coffee'));
      expect(warned.message).toMatch(/unknown instruction.*the bundle knows/);
      expect((await run.chunk()).instruction).toBe(OTHER_TASK);
      const [refused] = await remote.set({ instruction: 'make coffee' });
      expect(refused!.reason).toMatch(/unknown instruction/);
    });

    it('gives a chunk on request', async () => {
      const params = writeParams(folder, {
        bundle,
        autostart: true,
        'control.trigger': 'request',
        // a request is answered from what is there, and a busy machine may be late with it
        'observation.max_age': 1000,
        'observation.max_skew': 1000,
      });
      run.start('--params-file', params);
      await run.robot();
      type Inferred = Served & { chunk: ActionChunk };
      const infer = (instruction: string): Promise<Inferred> =>
        peer.call<Inferred>(`${NODE}/infer`, 'fast_wam_msgs/srv/Infer', { instruction });
      await remote.status('State', (m) => m === 'active');
      await remote.status('Observation', (m) => m === 'all sources arrive');
      expect(await infer('')).toMatchObject({
        success: false,
        message: expect.stringMatching(/no instruction yet/) as unknown,
      });
      expect(await infer('make coffee')).toMatchObject({ success: false });
      const numbers: unknown[] = [];
      for (const task of [TASK, '', '', OTHER_TASK]) {
        const { success, message, chunk } = await infer(task);
        expect(message).toBe('');
        expect(success).toBe(true);
        numbers.push([chunk.episode, chunk.chunk, chunk.actions.length]);
      }
      expect(numbers).toEqual([
        [0, 0, 96],
        [0, 1, 96],
        [0, 2, 96],
        [1, 0, 96],
      ]);
    });

    it('does not act on old, missing or impossible observations, says so, and goes on when they are good again', async () => {
      await running({ 'diagnostic_updater.period': 0.2 });
      await peer.do('halt');
      const stale = await remote.status('Observation', (m) => m.includes('s old'));
      expect(stale.level).toBe(2);
      expect(stale.message).toMatch(/observation.max_age/);

      await run.robot({ joints: { gripper_x: 1 } });
      await remote.status('Observation', (m) => m.includes('gripper_y'));
      await run.robot({ joints: { ...JOINTS, gripper_y: 'NaN' } });
      await remote.status('Observation', (m) => m.includes('gripper_y') && m.includes('NaN'));
      await run.robot({ stamp_offset: 5 });
      await remote.status('Observation', (m) => m.includes('ahead of the clock'));
      await run.robot({ encoding: 'rgb9' });
      await remote.status('Observation', (m) => m.includes('rgb9'));
      const before = run.chunks().length;
      await run.robot();
      await run.chunk();
      await remote.status('Observation', (m) => m === 'all sources arrive');
      expect(run.chunks()[before]!.chunk).toBe(run.chunks()[before - 1]!.chunk + 1);
    });

    it('goes on while another publisher with a wrong clock sends pictures and joints from tomorrow', async () => {
      await running({ 'diagnostic_updater.period': 0.2 });
      await run.chunk();
      const stamp = { sec: Math.floor(Date.now() / 1000) + 86_400, nanosec: 0 };
      const picture = { width: 2, height: 2, encoding: 'rgb8', step: 6, data: Array<number>(12).fill(9) };
      const name = Object.keys(JOINTS);
      for (let n = 0; n < 12; n++) {
        await peer.publish('cam/front', 'sensor_msgs/msg/Image', { header: { stamp }, ...picture }, 'sensor');
        await peer.publish(
          'joint_states',
          'sensor_msgs/msg/JointState',
          { header: { stamp }, name, position: name.map(() => 9) },
          'sensor',
        );
      }
      const refused = await remote.status('Observation', (_, { values }) =>
        ['front refused, future', 'arm refused, future'].every((key) =>
          values.some((value) => value.key === key),
        ),
      );
      expect(refused.level).toBe(0);
      await run.chunk();
      await run.chunk();
      expect(await remote.transition('deactivate')).toBe(true);
      expect(await remote.transition('activate')).toBe(true);
      await run.chunk();
    });

    it('warns of a camera that repeats its picture, then makes no chunk of it, and goes on with new ones', async () => {
      await running({ 'diagnostic_updater.period': 0.1, 'observation.max_frozen': 0 });
      await run.robot({ noise: true });
      await run.chunk();
      // The peer's pictures are all different now: what is repeated from here on has stopped.
      await remote.set({ 'observation.max_frozen': 4.0 });
      await run.robot();
      const warned = await remote.status('Observation', (m) => m.includes('has repeated the same picture'));
      expect(warned.level).toBe(1);
      expect(warned.message).toMatch(/front has repeated .* \(observation\.max_frozen\)/);
      const refused = await remote.status('Observation', (_, { level }) => level === 2);
      expect(refused.message).toMatch(/no chunk is made from it/);
      expect(refused.values.map(({ key }) => key)).toContain('skipped, frozen');
      const before = run.chunks().length;
      await run.robot({ noise: true });
      await run.chunk(undefined, before);
      await remote.status('Observation', (m) => m === 'all sources arrive');
    });

    it('answers a request for a chunk at once when the episode is reset or the node deactivated', async () => {
      await running({ 'control.trigger': 'periodic', 'control.replan_steps': 1 });
      const infer = (): Promise<Served> =>
        peer.call<Served>(`${NODE}/infer`, 'fast_wam_msgs/srv/Infer', { instruction: '' });
      await infer();
      const answers: Served[] = [];
      // A request may be done before the reset comes: again until one is not.
      while (!answers.some(({ message }) => message.includes('reset while'))) {
        const [answer] = await Promise.all([
          infer(),
          peer.call<Served>(`${NODE}/reset_episode`, 'std_srvs/srv/Trigger'),
        ]);
        answers.push(answer);
      }
      expect(answers.every(({ success, message }) => success === (message === ''))).toBe(true);
      expect(await remote.transition('deactivate')).toBe(true);
      expect(await infer()).toMatchObject({ success: false, message: 'the node is not active' });
    });

    it('survives whatever bytes come as messages and requests', async () => {
      await running({ 'diagnostic_updater.period': 0.2 });
      const hostile = [
        '',
        '00',
        '00010000',
        '0001000000000000ffffffff',
        '00010000' + 'ff'.repeat(64),
        'ff'.repeat(9),
      ];
      // A camera's newest frame counts, so that a good one may take a bad one's place: again until one was read.
      let noticed = false;
      const unreadable = remote
        .status('Observation', (_, { values }) => values.some(({ key }) => key.endsWith('unreadable')))
        .finally(() => (noticed = true));
      do {
        for (const hex of hostile) {
          await peer.do('publish_bytes', { topic: 'cam/front', type: IMAGE, hex, qos: 'sensor' });
          await peer.do('publish_bytes', {
            topic: 'joint_states',
            type: 'sensor_msgs/msg/JointState',
            hex,
            qos: 'sensor',
          });
          await peer.do('publish_bytes', {
            topic: '/instruction',
            type: 'std_msgs/msg/String',
            hex,
            qos: 'latched',
          });
        }
      } while (!noticed);
      await unreadable;
      const [nameless] = (
        await peer.call<{ results: Result[] }>(`${NODE}/set_parameters`, 'rcl_interfaces/srv/SetParameters', {
          parameters: [{ name: 'cache.range', value: { type: 5, byte_array_value: [] } }],
        })
      ).results;
      expect(nameless!.successful).toBe(false);
      await run.chunk();
    });

    it('leaves at once and cleanly when told to, in the middle of a run', async () => {
      await running();
      expect(await run.node!.end('SIGTERM')).toEqual({ code: 0, signal: null });
      expect(run.node!.output).not.toMatch(/terminate called|Napi/);
    });

    it('has the quality of service that qos_overrides say, and reads them at the start only', async () => {
      const publisher = `qos_overrides.${NODE}/action_chunk.publisher`;
      const name = `${publisher}.durability`;
      const often = { 'diagnostic_updater.period': 0.2 };
      await running({ [name]: 'transient_local', [`${publisher}.depth`]: 1, ...often });
      await run.chunk(({ chunk }) => chunk >= 2);
      expect(await remote.get(name)).toMatchObject({ string_value: 'transient_local' });
      const [late] = await remote.set({ [name]: 'volatile' });
      expect(late!.reason).toMatch(/is read when the node starts/);
      await peer.do('halt');
      await remote.status('Observation', (m) => m.includes('s old'));
      await remote.get(name);
      const before = run.chunks();
      // Who comes late is given the last chunk again, and with a depth of 1 that one alone.
      await peer.do('subscribe', {
        topic: `${NODE}/action_chunk`,
        type: 'fast_wam_msgs/msg/ActionChunk',
        qos: 'latched',
      });
      expect(await run.chunk(undefined, before.length)).toEqual(before.at(-1));
    });

    it('drops a chunk outside the limits without a trace where that is asked for', async () => {
      const own = temporaryFolder();
      const tight = exportTabletop(own, ROBOT.replace(/limits: .*/, 'limits: { max: [-4, -4, -4] }'));
      const params = writeParams(own, {
        bundle: tight,
        instruction: TASK,
        autostart: true,
        'safety.limits': 'refuse',
        'diagnostic_updater.period': 0.2,
      });
      run.start('--params-file', params);
      await remote.status('State', (m) => m === 'active');
      await run.robot();
      const dropped = await remote.status('Safety', (m) => m.includes('outside the limits'));
      expect(dropped.level).toBe(2);
      expect(run.chunks()).toEqual([]);
      await remote.set({ 'safety.limits': 'clamp' });
      const first = await run.chunk(undefined, 0);
      expect([first.chunk, first.cache['reason']]).toEqual([0, 'first_chunk']);
      expect(first.actions.every((value) => value <= -4)).toBe(true);
    });

    it('names the parameter that a params file has misspelled', async () => {
      const file = join(folder, 'misspelled.yaml');
      writeFileSync(
        file,
        `/fast_wam_policy:\n  ros__parameters:\n    cache.refesh_interval: 3\n    qos_overrides./cam/front.subscription.reliability: reliabel\n    bundle: ${bundle}\n`,
      );
      const node = run.start('--params-file', file);
      await node.printed(/did you mean cache.refresh_interval/);
      await node.printed(/subscription.reliability "reliabel": expected reliable or best_effort/);
      expect(await remote.transition('configure')).toBe(false);
      // a file for the full name of the node counts as well
      expect(await remote.get('bundle')).toMatchObject({ string_value: bundle });
    });
  },
);
