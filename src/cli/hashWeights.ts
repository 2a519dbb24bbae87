import { spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import type { Bundle } from '../bundle/Bundle';
import { recordHashes } from '../bundle/recordHashes';
import { ownProgram } from '../ownProgram';
import { ProgressBar } from '../report/ProgressBar';
import { say } from '../terminal';

/** Up to this size hashing takes less than a second, and the command that made the bundle waits for it. */
const HASHED_AT_ONCE = 256 * 2 ** 20;

/** Records the hashes of a bundle's files, with a bar: gigabytes take a while, and the bundle can be used meanwhile. */
export async function hashWeights(bundle: Bundle): Promise<void> {
  const total = sizeOf(bundle);
  const bar = new ProgressBar({ stream: process.stderr, label: 'percent of the weights hashed', total: 100 });
  let done = 0;
  try {
    await recordHashes(bundle, (bytes) => {
      done += bytes;
      bar.update(Math.floor((100 * done) / Math.max(total, 1)));
    });
  } finally {
    bar.finish();
  }
}

/**
 * Records the hashes of a bundle's files: of small ones now, of large ones by a process of its own at low priority,
 * which outlives the command and its terminal.
 * @param atOnce bytes up to which they are small
 */
export async function hashInBackground(bundle: Bundle, atOnce = HASHED_AT_ONCE): Promise<void> {
  const size = sizeOf(bundle);
  if (size <= atOnce) return hashWeights(bundle);
  const { file, execArgv } = ownProgram(__dirname, 'main');
  const child = spawn(process.execPath, [...execArgv, file, 'info', bundle.folder, '--record'], {
    detached: true,
    stdio: 'ignore',
  });
  child.on('error', () => undefined);
  child.unref();
  if (child.pid === undefined) {
    say('the weights could not be hashed in the background: fastwam info --record does it');
    return;
  }
  try {
    setPriority(child.pid, constants.priority.PRIORITY_LOW);
  } catch {
    // It has ended already, or the system has no priorities.
  }
  say(
    `${(size / 1e9).toFixed(1)} GB of weights are hashed in the background (process ${child.pid}), for fastwam info --verify; the bundle can be used meanwhile`,
  );
}

function sizeOf(bundle: Bundle): number {
  return bundle.weightFiles().reduce((sum, { size }) => sum + size, 0);
}
