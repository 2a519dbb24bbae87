import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { removeFolders, temporaryFolder } from '../helpers';
import { Peer, RosProcess, rosLacking } from './Peer';
import { Remote } from './Remote';
import { compiledSource } from './compiledSource';
import { JOINTS, TASK, exportTabletop, writeParams } from './tabletopBundle';

const CHUNK = 'fast_wam_msgs/msg/ActionChunk';

interface ActionChunk {
  readonly header: { readonly stamp: { readonly sec: number } };
  readonly episode: number;
  readonly chunk: number;
  readonly cache: { readonly refresh_interval: number };
}

describe.skipIf(rosLacking() !== undefined)('policy nodes in time and space', { timeout: 240_000 }, () => {
  let folder: string;
  let params: string;
  let peer: Peer;
  let nodes: RosProcess[];

  beforeAll(() => {
    folder = temporaryFolder();
    params = writeParams(folder, { bundle: exportTabletop(folder), instruction: TASK, autostart: true });
  });
  afterAll(() => {
    removeFolders();
  });
  beforeEach(async () => {
    nodes = [];
    peer = await Peer.start();
  });
  afterEach(async ({ task }) => {
    for (const node of nodes) {
      if (task.result?.state === 'fail') process.stderr.write(`${node.output}\n`);
      await node.end();
    }
    await peer.end();
  });

  function start(...args: string[]): RosProcess {
    const program = join(compiledSource(), 'ros', 'executables', 'policy.js');
    const node = new RosProcess(['node', program, '--ros-args', '--params-file', params, ...args]);
    nodes.push(node);
    return node;
  }

  it('follow the clock of a recording, and start an episode when it begins again', async () => {
    await peer.do('subscribe', { topic: '/fast_wam_policy/action_chunk', type: CHUNK });
    await peer.do('clock', { start: 1000 });
    start('-p', 'use_sim_time:=true');
    await peer.do('robot', { cameras: ['cam/front', 'cam/wrist'], joints: JOINTS });
    const topic = '/fast_wam_policy/action_chunk';
    const first = await peer.message<ActionChunk>(topic, ({ chunk }) => chunk >= 2);
    expect(first.header.stamp.sec).toBeGreaterThanOrEqual(1000);
    expect(first.header.stamp.sec).toBeLessThan(1200);
    expect(first.episode).toBe(0);
    const before = peer.on(topic).length;
    await peer.do('clock', { start: 500 });
    const again = await peer.message<ActionChunk>(topic, ({ episode }) => episode === 1, before);
    expect(again.chunk).toBe(0);
    expect(again.header.stamp.sec).toBeLessThan(600);
  });

  it('do not disturb each other in two namespaces', async () => {
    for (const name of ['left', 'right']) {
      await peer.do('subscribe', { topic: `/${name}/fast_wam_policy/action_chunk`, type: CHUNK });
      start('-r', `__ns:=/${name}`);
    }
    await peer.do('robot', {
      cameras: ['left/cam/front', 'left/cam/wrist'],
      joints: JOINTS,
      topic: 'left/joint_states',
    });
    await peer.message<ActionChunk>('/left/fast_wam_policy/action_chunk', ({ chunk }) => chunk >= 2);
    expect(peer.on('/right/fast_wam_policy/action_chunk')).toEqual([]);
    const left = new Remote(peer, '/left/fast_wam_policy');
    const right = new Remote(peer, '/right/fast_wam_policy');
    await left.set({ 'cache.refresh_interval': 8 });
    expect(await left.get('cache.refresh_interval')).toMatchObject({ integer_value: 8 });
    expect(await right.get('cache.refresh_interval')).toMatchObject({ integer_value: 4 });
    await peer.message<ActionChunk>(
      '/left/fast_wam_policy/action_chunk',
      ({ cache }) => cache.refresh_interval === 8,
    );
  });

  it('end cleanly on SIGINT while a model is being loaded', async () => {
    const node = start();
    await node.printed(/loading/);
    expect(await node.end('SIGINT')).toEqual({ code: 0, signal: null });
    expect(node.output).not.toMatch(/terminate called|Napi/);
  });
});
