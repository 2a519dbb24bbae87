import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { bagCommand } from '../../src/cli/bag';
import { paramsCommand } from '../../src/cli/params';
import { Interrupted } from '../../src/errors';
import { goldenCase, removeFolders, temporaryFolder } from '../helpers';

const BAG = join(__dirname, '..', '..', 'bags', 'tabletop_demo');

/** Runs a command that gets a Ctrl-C as soon as it listens for one; what it printed, and how it ended. */
async function interrupted(...words: string[]): Promise<{ printed: string; error: unknown }> {
  let printed = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const program = new Command().exitOverride();
  bagCommand(program);
  paramsCommand(program);
  const listeners = process.listenerCount('SIGINT');
  const ended = program.parseAsync(words, { from: 'user' }).then(
    () => undefined,
    (error: unknown) => error,
  );
  await vi.waitUntil(() => process.listenerCount('SIGINT') > listeners);
  process.emit('SIGINT', 'SIGINT');
  return { error: await ended, printed };
}

describe('a command that reads a recording and is interrupted', () => {
  afterEach(() => void vi.restoreAllMocks());
  afterAll(removeFolders);

  it('shows what it has read, and says that this is not all (fastwam bag)', async () => {
    const { printed, error } = await interrupted('bag', BAG);
    expect(printed).toMatch(/\/front\/image_raw +sensor_msgs\/msg\/Image/);
    expect(error).toBeInstanceOf(Interrupted);
    expect(error).toMatchObject({
      exitCode: 130,
      message: 'interrupted: what is shown is of the part that was read',
    });
  });

  it('writes nothing where half of it would mislead (fastwam params)', async () => {
    const out = join(temporaryFolder(), 'params.yaml');
    const { folder } = goldenCase('libero_micro');
    const { printed, error } = await interrupted('params', BAG, '--bundle', folder, '--out', out);
    expect([printed, existsSync(out)]).toEqual(['', false]);
    expect(error).toMatchObject({ exitCode: 130, message: 'interrupted: no params file was written' });
  });
});
