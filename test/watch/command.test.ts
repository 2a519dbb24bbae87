import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { watchCommand } from '../../src/cli/watch';
import { UsageError } from '../../src/errors';
import { goldenCase, removeFolders } from '../helpers';
import { tabletopBundle } from './tabletopBundle';

const ROOT = join(__dirname, '..', '..');
/** Compiling and loading beside other work. */
const PATIENCE = 300_000;

describe('fastwam watch', () => {
  let bundle: string;
  const watch = (...words: string[]): Promise<unknown> => {
    const program = new Command().exitOverride();
    watchCommand(program);
    return program.parseAsync(['watch', ...words], { from: 'user' });
  };

  beforeAll(() => {
    bundle = tabletopBundle('object').folder;
  });
  afterAll(removeFolders);

  it('says in one line what it does not understand, before it loads a model', async () => {
    const refused = async (words: string[], message: RegExp): Promise<void> => {
      await expect(watch('--bundle', bundle, ...words)).rejects.toThrow(message);
      await expect(watch('--bundle', bundle, ...words)).rejects.toThrow(UsageError);
    };
    await refused(['--port', '70000'], /--port 70000: expected 0 to 65535/);
    await refused(['--suite', 'spatail'], /--suite spatail: expected all, spatial/);
    await refused(['--suite', 'long'], /suite long: .* it knows object/);
    await refused(['--pace', '5'], /--pace 5: expected 1, 3, 10, 0/);
    await refused(['--range', '9:6'], /start must be at most end/);
    await refused(['--set', 'colour=red'], /c3ache has no setting "colour"/);
    await expect(watch('--bundle', goldenCase('libero_micro').folder)).rejects.toThrow(
      /cannot act in the simulated world/,
    );
  });

  it('refuses a port that is taken, and names it', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await expect(watch('--bundle', bundle, '--port', String(port))).rejects.toThrow(
      `--port ${port}: another program listens there`,
    );
    other.close();
  });

  it(
    'serves the page until Ctrl-C, and ends well',
    async () => {
      const main = join(ROOT, 'src', 'cli', 'main.ts');
      const words = [
        '-r',
        'ts-node/register/transpile-only',
        main,
        'watch',
        '--bundle',
        bundle,
        '--threads',
        '1',
      ];
      const child = spawn(process.execPath, words, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
      const ended = once(child, 'exit');
      let complaints = '';
      child.stderr.on('data', (part: Buffer) => (complaints += part.toString()));
      let url = '';
      for await (const line of createInterface(child.stdout)) {
        url = /http:\/\/127\.0\.0\.1:\d+\//.exec(line)?.[0] ?? '';
        if (url !== '') break;
      }
      const page = await fetch(url);
      expect(await page.text()).toMatch(/^<!doctype html>/);
      // An open page does not hold it up.
      const events = await fetch(`${url}events`);
      const reader = events.body!.getReader();
      await reader.read();
      child.kill('SIGINT');
      expect(await ended).toEqual([0, null]);
      await reader.cancel().catch(() => undefined);
      expect(complaints).toBe('');
    },
    PATIENCE,
  );
});
