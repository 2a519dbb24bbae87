/**
 * Run as a process of its own, with --expose-gc: resident memory that 2,000 chunks add after 200. V8 collects what was
 * dropped every few thousand chunks, so it is asked to at both ends.
 */
import { PolicyClient } from '../../src/policy/PolicyClient';
import { RecordedInputs } from '../../src/policy/recordedEpisode';
import { DEFAULT_SETTINGS } from '../../src/policy/types';

async function main([folder = '', file = '', task = '']: string[]): Promise<void> {
  const client = await PolicyClient.load(folder, { execution: { threads: 1 } });
  const inputs = new RecordedInputs(file, client.bundle);
  const episode = await client.createEpisode();
  const observation = inputs.observation(0, task);
  const run = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await episode.infer({ ...observation, stamp: i }, DEFAULT_SETTINGS);
  };
  /** The least of three readings, over 150 chunks: single ones are now and then some 30 MB above. */
  const lowest = async (): Promise<number> => {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 3; i++) {
      least = Math.min(least, resident());
      await run(50);
    }
    return least;
  };
  await run(200);
  const before = await lowest();
  await run(2000 - 150);
  const megabytes = ((await lowest()) - before) / 1e6;
  await client.close();
  process.stdout.write(JSON.stringify({ megabytes }));
}

/** Resident bytes but for what V8 keeps free for itself, which it gives back when it likes. */
function resident(): number {
  global.gc?.();
  const { rss, heapTotal, heapUsed } = process.memoryUsage();
  return rss - (heapTotal - heapUsed);
}

void main(process.argv.slice(2));
