import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { removeFolders, temporaryFolder } from '../helpers';
import { Peer, ROOT, RosProcess, rosLacking } from './Peer';
import { JOINTS, TASK, exportTabletop, writeParams } from './tabletopBundle';

const NODE = '/fast_wam_policy';

/**
 * Why the ros2 command cannot be tested here; undefined if it can. Every ROS 2 installation has it, the wheels have
 * not: that is no failure, whatever REQUIRE_ROS says.
 */
function commandLineLacking(): string | undefined {
  const lacking = rosLacking();
  if (lacking !== undefined) return lacking;
  const modules = 'import launch_ros, ros2launch, ros2lifecycle, ros2param, ros2service, ros2topic';
  const { status } = spawnSync('bash', [join(ROOT, 'scripts', 'ros.sh'), 'python3', '-c', modules]);
  if (status === 0) return undefined;
  const reason =
    'no ros2 command line and launch system (the wheels of ROS 2 lack them, an installation has them)';
  process.stderr.write(`skipped, there is ${reason}: ${__filename}\n`);
  return reason;
}

describe.skipIf(commandLineLacking() !== undefined)(
  'the node under the ros2 command line and launch',
  { timeout: 300_000 },
  () => {
    let peer: Peer;
    let launch: RosProcess;
    const running: RosProcess[] = [];

    /** Runs a ros2 command to its end. @returns what it printed */
    async function ros2(...args: string[]): Promise<string> {
      const command = new RosProcess(['ros2', ...args]);
      running.push(command);
      await command.exited;
      return command.output;
    }
    /** The same until the output fits: a node needs a moment to be discovered. */
    async function ros2Until(pattern: RegExp, ...args: string[]): Promise<string> {
      for (;;) {
        const output = await ros2(...args);
        if (pattern.test(output)) return output;
      }
    }

    beforeAll(async () => {
      const folder = temporaryFolder();
      const bundle = exportTabletop(folder);
      const params = writeParams(folder, { instruction: TASK });
      peer = await Peer.start();
      launch = new RosProcess([
        ...['ros2', 'launch', 'fast_wam_policy', 'policy.launch.py'],
        ...[`bundle:=${bundle}`, `params:=${params}`, 'autostart:=true', 'respawn:=true'],
      ]);
      await launch.printed(/loaded in/);
      await peer.do('robot', { cameras: ['cam/front', 'cam/wrist'], joints: JOINTS });
      await ros2Until(/^active/m, 'lifecycle', 'get', NODE);
    });
    afterEach(({ task }) => {
      if (task.result?.state !== 'fail') return;
      for (const { output } of [launch, ...running.splice(0)]) process.stderr.write(`${output}\n`);
    });
    afterAll(async () => {
      await launch.end('SIGINT');
      await peer.end();
      await ros2('daemon', 'stop');
      removeFolders();
    });

    it('is led through its states', async () => {
      expect(await ros2('lifecycle', 'set', NODE, 'configure')).not.toMatch(/Transitioning successful/);
      expect(await ros2('lifecycle', 'set', NODE, 'deactivate')).toMatch(/Transitioning successful/);
      expect(await ros2('lifecycle', 'get', NODE)).toMatch(/inactive/);
      expect(await ros2('lifecycle', 'set', NODE, 'activate')).toMatch(/Transitioning successful/);
      expect(await ros2('lifecycle', 'get', NODE)).toMatch(/^active/m);
    });

    it('lists, describes, gets and sets its parameters', async () => {
      expect(await ros2('param', 'list', NODE)).toMatch(/cache\.refresh_interval/);
      const description = await ros2('param', 'describe', NODE, 'cache.refresh_interval');
      expect(description).toMatch(/Type: integer/);
      expect(description).toMatch(/R: /);
      expect(await ros2('param', 'get', NODE, 'cache.refresh_interval')).toMatch(/4/);
      expect(await ros2('param', 'set', NODE, 'cache.refresh_interval', '2')).toMatch(/successful/);
      expect(await ros2('param', 'get', NODE, 'cache.refresh_interval')).toMatch(/2/);
      expect(await ros2('param', 'set', NODE, 'cache.range', '[3, 12]')).toMatch(
        /cache.range \[3, 12\]: end must be at most 9/,
      );
    });

    it('shows its chunks and answers its services', async () => {
      await ros2('param', 'set', NODE, 'cache.refresh_interval', '3');
      await ros2Until(/refresh_interval: 3/, 'topic', 'echo', '--once', `${NODE}/action_chunk`);
      expect(await ros2('service', 'call', `${NODE}/reset_episode`, 'std_srvs/srv/Trigger')).toMatch(
        /success=True/,
      );
    });
  },
);
