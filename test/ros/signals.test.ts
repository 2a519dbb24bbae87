import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeFolders, temporaryFolder } from '../helpers';
import { RosProcess, rosLacking } from './Peer';
import { compiledSource } from './compiledSource';
import { TASK, exportTabletop, writeParams } from './tabletopBundle';

const MOMENTS = 20;

describe.skipIf(rosLacking() !== undefined)('a node that is told to stop', { timeout: 400_000 }, () => {
  let bundle: string;
  let params: string;

  beforeAll(() => {
    const folder = temporaryFolder();
    bundle = exportTabletop(folder);
    params = writeParams(folder, { bundle, instruction: TASK, autostart: true });
  });
  afterAll(removeFolders);

  /** A program that has just come to its first line. */
  async function started(executable: string, ...args: string[]): Promise<RosProcess> {
    const node = new RosProcess(
      ['node', join(compiledSource(), 'ros', 'executables', `${executable}.js`), '--ros-args', ...args],
      { NODE_OPTIONS: `--import=${join(__dirname, 'peers', 'say_listening.mjs')}` },
    );
    await node.printed(/listening/);
    return node;
  }
  const after = (milliseconds: number): Promise<void> =>
    new Promise((resolve) => setTimeout(resolve, milliseconds));

  it(`ends with code 0 at ${MOMENTS} moments from its first line to after it is active`, async () => {
    const whole = await started('policy', '--params-file', params);
    const from = performance.now();
    await whole.printed(/loaded in/);
    const time = (performance.now() - from) * 1.2;
    expect(await whole.end('SIGINT')).toEqual({ code: 0, signal: null });

    const ends = [];
    for (let i = 0; i < MOMENTS; i++) {
      const node = await started('policy', '--params-file', params);
      await after((time * i) / MOMENTS);
      const { code, signal } = await node.end(i % 2 === 0 ? 'SIGTERM' : 'SIGINT');
      ends.push({ moment: i, code, signal, crash: /terminate called|Napi|FATAL/.exec(node.output)?.[0] });
    }
    expect(ends).toEqual(ends.map(({ moment }) => ({ moment, code: 0, signal: null, crash: undefined })));
  });

  it.each([
    ['action_executor', ['-p', 'autostart:=true']],
    ['simulated_robot', []],
  ])('ends so from its first line on, be it %s', async (executable, args) => {
    for (const [delay, signal] of [
      [0, 'SIGTERM'],
      [0, 'SIGINT'],
      [300, 'SIGINT'],
      [1500, 'SIGTERM'],
    ] as const) {
      const node = await started(executable, ...args);
      await after(delay);
      expect([delay, await node.end(signal)]).toEqual([delay, { code: 0, signal: null }]);
    }
  });
});
