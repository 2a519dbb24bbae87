/**
 * Run as a process of its own, with --expose-gc: memory that 2,000 chunks add after 200, in megabytes. V8 collects what
 * was dropped every few thousand chunks, so it is asked to at both ends, in both threads.
 */
import { join } from 'node:path';
import threads from 'node:worker_threads';
import { DEFAULT_SETTINGS } from '../helpers';
import { PolicyClient } from '../../src/policy/PolicyClient';
import { RecordedInputs } from '../../src/policy/recordedEpisode';

threads.Worker = class extends threads.Worker {
  constructor(file: string, options: threads.WorkerOptions) {
    const { execArgv = [] } = options;
    super(file, { ...options, execArgv: [...execArgv, '-r', join(__dirname, 'collectOnDemand.ts')] });
  }
};

async function collect(): Promise<void> {
  global.gc?.();
  const asked = new threads.BroadcastChannel('collect');
  const done = new threads.BroadcastChannel('collected');
  await new Promise((resolve) => {
    done.onmessage = resolve;
    asked.postMessage('');
  });
  asked.close();
  done.close();
}

async function main([folder = '', file = '', task = '']: string[]): Promise<void> {
  const client = await PolicyClient.load(folder, { execution: { threads: 1 } });
  const inputs = new RecordedInputs(file, client.bundle);
  const episode = await client.createEpisode();
  const observation = inputs.observation(0, task);
  const run = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await episode.infer({ ...observation, stamp: i }, DEFAULT_SETTINGS);
  };
  await run(200);
  const before = await memory(run);
  await run(2000 - 150);
  const after = await memory(run);
  await client.close();
  const grown = (of: keyof Memory): number => (after[of] - before[of]) / 1e6;
  process.stdout.write(JSON.stringify({ megabytes: grown('resident'), held: grown('held') }));
}

interface Memory {
  /** resident size, bytes */
  readonly resident: number;
  /** after a collection, less what V8 keeps free for itself and gives back when it likes */
  readonly held: number;
}

/** The least of three readings, over 150 chunks: single ones are now and then some 30 MB above. */
async function memory(run: (count: number) => Promise<void>): Promise<Memory> {
  let least = { resident: Number.POSITIVE_INFINITY, held: Number.POSITIVE_INFINITY };
  for (let i = 0; i < 3; i++) {
    const resident = process.memoryUsage.rss();
    await collect();
    const { rss, heapTotal, heapUsed } = process.memoryUsage();
    const held = rss - (heapTotal - heapUsed);
    least = { resident: Math.min(least.resident, resident), held: Math.min(least.held, held) };
    await run(50);
  }
  return least;
}

void main(process.argv.slice(2));
