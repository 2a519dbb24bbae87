import { createHash } from 'node:crypto';
import { UsageError } from '../errors';
import type { RunIdentity } from './episodeRecord';

/** One of several equal parts of a run, to be done somewhere else than the others. */
export interface Shard {
  /** from 1 */
  readonly index: number;
  readonly of: number;
}

const LARGEST_DIVISION = 100_000;

/** `3/8`. @throws UsageError for anything else */
export function readShard(text: string): Shard {
  const [, first, second] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const [index, of] = [Number(first), Number(second)];
  if (index >= 1 && index <= of && of <= LARGEST_DIVISION) return { index, of };
  throw new UsageError(`--shard ${text}: expected i/N with i from 1 to N, for instance 3/8`);
}

/**
 * The episodes of a shard. Who does an episode follows from its content hash: tasks and their lengths are mixed, and no
 * shard has more than one episode more than another. An episode is run there with all its configurations, so that times
 * that are compared are of one machine.
 */
export function ofShard<T extends { readonly index: number }>(
  plans: readonly T[],
  run: RunIdentity,
  { index, of }: Shard,
): readonly T[] {
  const shards = shardsOf(
    plans.map((plan) => plan.index),
    run,
    of,
  );
  return plans.filter((plan) => shards.get(plan.index) === index);
}

/** Which of `of` shards does each episode of a run, from 1. */
export function shardsOf(
  episodes: readonly number[],
  run: RunIdentity,
  of: number,
): ReadonlyMap<number, number> {
  const ranked = episodes
    .map((episode) => ({ episode, hash: episodeHash(run, episode) }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1));
  return new Map(ranked.map(({ episode }, rank) => [episode, (rank % of) + 1]));
}

/** sha256 of all that decides what happens in an episode, but for the policy's settings. */
function episodeHash(run: RunIdentity, episode: number): string {
  return createHash('sha256')
    .update(JSON.stringify([run, episode]))
    .digest('hex');
}
