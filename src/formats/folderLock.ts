import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError, messageOf } from '../errors';
import { beforeExit } from '../signals';
import { readText } from './readText';

const LOCK = '.fastwam.lock';

/**
 * Takes a folder of results for this process until it is given back or the process ends: two that write into one
 * folder would mix their results.
 * @param blocking the work never waits for anything: a signal then ends the process at once, which a handler would have
 * to wait for, and whoever comes next finds the lock to be left behind
 * @returns what gives it back
 * @throws UsageError where another process has it
 */
export function lockFolder(folder: string, { blocking = false } = {}): () => void {
  const path = join(folder, LOCK);
  for (let attempt = 0; ; attempt++) {
    try {
      const descriptor = openSync(path, 'wx');
      writeSync(descriptor, `${process.pid}\n`);
      closeSync(descriptor);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw new UsageError(`${folder}: cannot be written into: ${messageOf(error)}`, { cause: error });
      }
      const owner = ownerOf(path);
      if (attempt > 0 || (owner !== undefined && isAlive(owner))) {
        throw new UsageError(
          `${folder}: process ${owner ?? '?'} is writing into it; wait for it, or choose another --out (if nothing runs, delete ${path})`,
          { cause: error },
        );
      }
      // Left behind by a process that was killed.
      rmSync(path, { force: true });
    }
  }
  const remove = (): void => rmSync(path, { force: true });
  const forget = blocking ? () => undefined : beforeExit(remove);
  return () => {
    forget();
    remove();
  };
}

function ownerOf(path: string): number | undefined {
  try {
    const pid = Number(readText(path, 64).trim());
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
