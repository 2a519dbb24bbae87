import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { removeFolders, temporaryFolder } from '../helpers';
import { Peer, RosProcess, rosLacking } from './Peer';
import { Remote } from './Remote';
import { withBond } from './bondPackage';
import { compiledSource } from './compiledSource';
import { exportTabletop } from './tabletopBundle';

const STATUS = 'bond/msg/Status';
const NODE = 'action_executor';

interface Status {
  readonly id: string;
  readonly instance_id: string;
  readonly active: boolean;
  readonly heartbeat_timeout: number;
  readonly heartbeat_period: number;
}

describe.skipIf(rosLacking() !== undefined)(
  'a node under a lifecycle manager that makes bonds',
  { timeout: 240_000 },
  () => {
    let around: ReturnType<typeof withBond>;
    let bundle: string;
    let peer: Peer;
    let remote: Remote;
    let node: RosProcess;

    beforeAll(() => {
      around = withBond();
      bundle = exportTabletop(temporaryFolder());
    }, 240_000);
    afterAll(removeFolders);
    beforeEach(async () => {
      peer = await Peer.start(around);
      remote = new Remote(peer, `/${NODE}`);
      await peer.do('subscribe', { topic: '/diagnostics', type: 'diagnostic_msgs/msg/DiagnosticArray' });
      await peer.do('subscribe', { topic: '/bond', type: STATUS });
    });
    afterEach(async ({ task }) => {
      if (task.result?.state === 'fail') process.stderr.write(`${node.output}\n`);
      await node.end();
      await peer.end();
    });

    async function start(wrapped = around, ...args: string[]): Promise<void> {
      const program = join(compiledSource(), 'ros', 'executables', `${NODE}.js`);
      node = new RosProcess(
        wrapped([
          ...['node', program, '--ros-args', '-p', `bundle:=${bundle}`],
          ...['-p', 'diagnostic_updater.period:=0.2', ...args],
        ]),
      );
      expect(await remote.transition('configure')).toBe(true);
      expect(await remote.transition('activate')).toBe(true);
    }
    /** What the node says of itself on the topic, apart from what this manager says. */
    const ofNode = (active: boolean, from: number): Promise<Status> =>
      peer.message<Status>('/bond', (m) => m.instance_id !== 'manager' && m.active === active, from);
    const mark = (): number => peer.on('/bond').length;
    const signs = (active: boolean): object => ({
      id: NODE,
      instance_id: 'manager',
      active,
      heartbeat_timeout: 4,
      heartbeat_period: 0.1,
    });
    const live = (): Promise<void> =>
      peer.do('repeat', { topic: '/bond', type: STATUS, message: signs(true), period: 0.1 });
    const bond = (state: string): Promise<unknown> =>
      remote.status('State', (_, { values }) =>
        values.some(({ key, value }) => key === 'bond' && value === state),
      );

    it('forms the bond when it is activated, and lets go when it is deactivated, until the manager agrees', async () => {
      await start();
      const first = await ofNode(true, 0);
      expect(first).toMatchObject({ id: NODE, active: true, heartbeat_timeout: 4 });
      expect(first.heartbeat_period).toBeCloseTo(0.1);
      await live();
      await node.printed(/bonded with the lifecycle manager/);
      await bond('alive');

      const deactivated = mark();
      expect(await remote.transition('deactivate')).toBe(true);
      expect((await ofNode(false, deactivated)).instance_id).toBe(first.instance_id);
      await peer.do('repeat_no_more');
      await peer.publish('/bond', STATUS, signs(false));
      await bond('ended');

      // The next activation is another individual of the same bond.
      const again = mark();
      expect(await remote.transition('activate')).toBe(true);
      expect((await ofNode(true, again)).instance_id).not.toBe(first.instance_id);
    });

    it('says that it lets go when it is told to stop', async () => {
      await start();
      await live();
      await bond('alive');
      const before = mark();
      expect(await node.end('SIGTERM')).toEqual({ code: 0, signal: null });
      await ofNode(false, before);
    });

    it('goes on without a manager that has fallen silent or let go, and says so', async () => {
      await start();
      await live();
      await bond('alive');
      await peer.do('repeat_no_more');
      const gone = await remote.status('State', (m) =>
        m.includes('bond with the lifecycle manager is broken'),
      );
      expect(gone.level).toBe(1);
      await node.printed(/the lifecycle manager has sent no sign of life/);
      expect(await remote.state()).toBe('active');

      await remote.transition('deactivate');
      await remote.transition('activate');
      await live();
      await bond('alive');
      await peer.do('repeat_no_more');
      const before = mark();
      await peer.publish('/bond', STATUS, signs(false));
      await ofNode(false, before);
      await node.printed(/the lifecycle manager has let go/);
      expect(await remote.state()).toBe('active');
    });

    it('goes on without a bond where it is not wanted or the package is missing, and says the latter once', async () => {
      await start(around, '-p', 'bond_heartbeat_period:=0.0');
      await bond('none');
      await node.end();
      await start((command) => [...command]);
      await node.printed(/no bond with a lifecycle manager: the package bond is not installed/);
      await remote.transition('deactivate');
      await remote.transition('activate');
      await bond('none');
      expect(node.output.match(/no bond with/g)).toHaveLength(1);
      expect(peer.on('/bond')).toEqual([]);
    });
  },
);
