import { FileFormatError, UsageError } from '../errors';
import { differenceOf, readEpisodeLog } from './EpisodeLog';
import type { FoundLog } from './EpisodeLog';
import type { DefinedConfiguration, EpisodeRecord, RunIdentity, RunPart } from './episodeRecord';
import { shardsOf } from './shards';

/** Episodes that are named in a sentence; the rest is counted. */
const NAMED = 5;

/** What several shards of one run came to. */
export interface MergedRun {
  readonly run: RunIdentity;
  readonly part: RunPart;
  readonly configurations: readonly DefinedConfiguration[];
  /** by configuration, then by episode */
  readonly records: readonly EpisodeRecord[];
  /** of the whole run, what no file has */
  readonly missing: readonly { readonly configuration: string; readonly episode: number }[];
}

type ShardLog = FoundLog & { readonly path: string; readonly part: RunPart };

/**
 * Puts the files of shards together. The order of the files does not matter, a file may be there twice, and so may the
 * result of an earlier merge: the same episodes give the same result.
 * @param paths files `episodes.jsonl`
 * @throws UsageError for files of other runs, other versions or other configurations; FileFormatError for two different
 * results of one episode, and for what is no file of episodes
 */
export function mergeShards(paths: readonly string[]): MergedRun {
  const logs = [...paths].sort().map(shardLog);
  const [first, ...others] = logs;
  if (!first) throw new UsageError('merge: name the folders of the shards');
  for (const other of others) checkSameRun(first, other);

  const records = new Map<string, { readonly record: EpisodeRecord; readonly path: string }>();
  for (const { path, records: own } of logs) {
    for (const record of own) {
      const key = `${record.episode} ${record.configuration}`;
      const known = records.get(key);
      if (known && outcomeOf(known.record) !== outcomeOf(record)) {
        throw new FileFormatError(
          path,
          `episode ${record.episode} of ${record.configuration} went another way than in ${known.path}: one of them was not computed by what its file says`,
        );
      }
      // Of two runs of an episode, which differ in their times, one is kept, whatever the order of the files.
      if (!known || JSON.stringify(record) < JSON.stringify(known.record)) records.set(key, { record, path });
    }
  }
  const { run, configurations } = first;
  const { episodes, engine } = first.part;
  const ordered = [...episodes].sort((a, b) => a - b);
  const wanted = configurations.flatMap(({ name }) =>
    ordered.map((episode) => ({ configuration: name, episode })),
  );
  const found = wanted.map(({ configuration, episode }) => records.get(`${episode} ${configuration}`));
  const divisions = new Set(logs.map(({ part }) => part.of));
  const shards = new Set(divisions.size === 1 ? logs.flatMap(({ part }) => part.shards) : [1]);
  return {
    run,
    part: {
      shards: [...shards].sort((a, b) => a - b),
      of: divisions.size === 1 ? first.part.of : 1,
      episodes,
      engine,
      machines: [...new Set(logs.flatMap(({ part }) => part.machines))].sort(),
    },
    configurations,
    records: found.flatMap((one) => (one ? [one.record] : [])),
    missing: wanted.filter((_, i) => found[i] === undefined),
  };
}

/** What is missing, as a sentence that says which shards to run again; undefined where all is there. */
export function missingSentence({ missing, run, part }: MergedRun): string | undefined {
  if (missing.length === 0) return undefined;
  const named = missing.slice(0, NAMED).map((one) => `episode ${one.episode} of ${one.configuration}`);
  const more = missing.length > NAMED ? [`${missing.length - NAMED} more`] : [];
  const shardOf = shardsOf(part.episodes, run, part.of);
  const shards = new Set(missing.map(({ episode }) => shardOf.get(episode) ?? 0));
  const again = [...shards].sort((a, b) => a - b).map((index) => `${index}/${part.of}`);
  return `${missing.length} episodes are missing: ${[...named, ...more].join(', ')}; run again with --resume: --shard ${again.join(', ')}`;
}

function shardLog(path: string): ShardLog {
  const log = readEpisodeLog(path);
  if (log.part) return { ...log, part: log.part, path };
  throw new UsageError(`${path}: is a whole run, not a shard of one (fastwam simulate --shard i/N)`);
}

function checkSameRun(first: ShardLog, other: ShardLog): void {
  const beside = (what: string): string => `${other.path} cannot be merged with ${first.path}: ${what}`;
  const run = differenceOf(first.run, other.run);
  if (run !== undefined) throw new UsageError(beside(`they are of different runs: ${between(run)}`));
  const engine = differenceOf(first.part.engine, other.part.engine);
  if (engine !== undefined) {
    throw new UsageError(beside(`they were computed by different versions: ${between(engine)}`));
  }
  if (JSON.stringify(first.part.episodes) !== JSON.stringify(other.part.episodes)) {
    throw new UsageError(
      beside(
        `one is of ${first.part.episodes.length} episodes, the other of ${other.part.episodes.length}; give all shards the same --episodes`,
      ),
    );
  }
  const texts = (log: ShardLog): readonly string[] => log.configurations.map((one) => JSON.stringify(one));
  const odd = [...texts(first), ...texts(other)].find(
    (text) => !texts(first).includes(text) || !texts(other).includes(text),
  );
  if (odd !== undefined) {
    const { name } = JSON.parse(odd) as DefinedConfiguration;
    throw new UsageError(
      beside(`only one of them has the configuration ${name} as it has it; give all shards the same flags`),
    );
  }
}

/** `its seed is 0, now it would be 1` of two files: neither is now. */
function between(difference: string): string {
  return difference.replace(', now it would be ', ' in one and ').replace(/$/, ' in the other');
}

/** All of a record but its times. */
function outcomeOf(record: EpisodeRecord): string {
  return JSON.stringify({ ...record, ms: [] });
}
