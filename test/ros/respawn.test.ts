import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeFolders, temporaryFolder } from '../helpers';
import { RosProcess, rosLacking } from './Peer';
import { NODE, PolicyRun } from './PolicyRun';
import { compiledSource } from './compiledSource';
import { TASK, exportTabletop, writeParams } from './tabletopBundle';

/** Starts its command again whenever that dies, as `respawn` of ros2 launch does; says each process's id. */
const RESPAWNING = 'while true; do "$@" & echo "started $!"; wait $!; done';

describe.skipIf(rosLacking() !== undefined)('a node that is killed', { timeout: 240_000 }, () => {
  let run: PolicyRun;
  let parent: RosProcess;
  const pids = (): number[] => [...parent.output.matchAll(/^started (\d+)$/gm)].map(([, pid]) => Number(pid));

  beforeEach(async () => {
    run = await PolicyRun.prepare();
  });
  afterEach(async (context) => {
    if (context.task.result?.state === 'fail') process.stderr.write(`${parent.output}\n`);
    await parent.end('SIGKILL');
    for (const pid of pids().slice(-1)) process.kill(pid, 'SIGKILL');
    await run.end(context);
  });
  afterAll(removeFolders);

  it('serves again without help when it is started again, in a new run of episodes', async () => {
    const folder = temporaryFolder();
    const params = writeParams(folder, {
      bundle: exportTabletop(folder),
      instruction: TASK,
      autostart: true,
    });
    const program = join(compiledSource(), 'ros', 'executables', 'policy.js');
    const command = ['node', program, '--ros-args', '--params-file', params];
    parent = new RosProcess(['bash', '-c', RESPAWNING, 'respawn', ...command]);
    await run.remote.status('State', (message) => message === 'active');
    await run.robot();
    await run.chunk(({ chunk }) => chunk >= 2, 0);
    expect(await run.remote.set({ 'cache.refresh_interval': 7 })).toMatchObject([{ successful: true }]);
    await run.chunk(({ cache }) => cache['refresh_interval'] === 7);

    for (const round of [1, 2]) {
      expect(pids()).toHaveLength(round);
      const before = run.chunks().length;
      process.kill(pids().at(-1)!, 'SIGKILL');
      await parent.printed(new RegExp(`(started \\d+[^]*){${round + 1}}`));
      // what was set by hand is gone with the process; what the launch said holds
      const first = await run.chunk(({ cache }) => cache['refresh_interval'] === 4, before);
      expect(first.episode).toBe(0);
      expect(first.instruction).toBe(TASK);
      const later = await run.chunk(
        ({ cache, chunk }) => cache['refresh_interval'] === 4 && chunk >= 4,
        before,
      );
      // every fourth in full again: the cache works as from the start
      expect(later.cache['reason']).toBe('interval');
      expect(await run.remote.state()).toBe('active');
      expect(await run.remote.set({ 'cache.refresh_interval': 7 })).toMatchObject([{ successful: true }]);
      await run.chunk(({ cache }) => cache['refresh_interval'] === 7);
    }
    const reset = await run.peer.call<{ success: boolean }>(`${NODE}/reset_episode`, 'std_srvs/srv/Trigger');
    expect(reset.success).toBe(true);
  });
});
