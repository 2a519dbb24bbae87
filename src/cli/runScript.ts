import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { FastWamError } from '../errors';
import { setupHome } from '../setupHome';

const SCRIPTS = join(__dirname, '..', '..', 'scripts');

/**
 * Runs a script of the package in this terminal; its exit code becomes the command's. Ctrl-C reaches it by itself, an
 * order to end is passed on.
 * @throws FastWamError where there is no bash
 */
export async function runScript(name: string, args: readonly string[]): Promise<void> {
  const child = spawn('bash', [join(SCRIPTS, name), ...args], {
    stdio: 'inherit',
    env: { ROS_SETUP_DIR: join(setupHome(), '.ros'), ...process.env },
  });
  const end = (): void => void child.kill('SIGTERM');
  const wait = (): void => undefined;
  process.on('SIGTERM', end).on('SIGINT', wait);
  try {
    process.exitCode = await new Promise<number>((resolve, reject) => {
      child.on('error', (error) => reject(new FastWamError(`bash cannot be started: ${error.message}`)));
      child.on('close', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
    });
  } finally {
    process.off('SIGTERM', end).off('SIGINT', wait);
  }
}
