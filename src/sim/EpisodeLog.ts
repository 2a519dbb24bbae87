import { appendFileSync, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { FileFormatError, UsageError } from '../errors';
import { makeOutputFolder } from '../formats/outputFolder';
import { readText } from '../formats/readText';
import { writeText } from '../formats/writeAtomically';
import type { Configuration } from '../cache/choice';
import {
  definitionOf,
  lineSchema,
  type DefinedConfiguration,
  type EpisodeRecord,
  type RunIdentity,
  type RunPart,
} from './episodeRecord';

/** Bytes; a hundred thousand episodes. */
const LARGEST_LOG = 2 ** 28;

/**
 * `episodes.jsonl`: the run on the first line, then configurations and episodes as they came. Each episode is on disk
 * as soon as it has ended, so that a run can be broken off and resumed.
 */
export class EpisodeLog {
  readonly #records: EpisodeRecord[];

  private constructor(
    private readonly path: string,
    records: readonly EpisodeRecord[],
  ) {
    this.#records = [...records];
  }

  /**
   * Begins the file of a run, or continues it. More episodes and configurations may join a run, but nothing that would
   * make episodes of the same number differ.
   *
   * @param resume continue a file that is there; without it a file that is there is refused
   * @param part what of the run the file has, where it is divided
   * @throws UsageError if the file is there and not to be continued, or belongs to another run; FileFormatError if it
   * is damaged (a half-written last line is not damage: it is dropped)
   */
  static open(
    path: string,
    run: RunIdentity,
    configurations: readonly Configuration[],
    resume: boolean,
    part?: RunPart,
  ): EpisodeLog {
    makeOutputFolder(dirname(path));
    const definitions = configurations.map(definitionOf);
    if (!existsSync(path)) {
      writeText(path, episodeLogText({ run, part, configurations: definitions, records: [] }));
      return new EpisodeLog(path, []);
    }
    if (!resume) {
      throw new UsageError(
        `${path} holds episodes already; continue them with --resume, begin anew with --overwrite, or choose another --out`,
      );
    }
    const found = readEpisodeLog(path);
    const difference = differenceOf(found.run, run);
    if (difference !== undefined) {
      throw new UsageError(`${path} belongs to another run: ${difference}; choose another --out`);
    }
    const otherPart = partDifference(found.part, part);
    if (otherPart !== undefined) {
      throw new UsageError(`${path} is another part of the run: ${otherPart}; choose another --out`);
    }
    const moved = part !== undefined && !part.machines.every((one) => found.part?.machines.includes(one));
    const added = definitions.filter((one) => {
      const known = found.configurations.find(({ name }) => name === one.name);
      if (known && JSON.stringify(known) !== JSON.stringify(one)) {
        throw new UsageError(
          `${path}: configuration ${one.name} was ${JSON.stringify(known.settings)}, now it would be ${JSON.stringify(one.settings)}; choose another --out`,
        );
      }
      return known === undefined;
    });
    const more = [...(moved ? [{ part }] : []), ...added.map((define) => ({ define }))];
    writeText(path, `${found.text}${more.map(line).join('')}`);
    return new EpisodeLog(path, found.records);
  }

  /** All episodes so far, in the order in which they ended. */
  get records(): readonly EpisodeRecord[] {
    return this.#records;
  }

  append(record: EpisodeRecord): void {
    appendFileSync(this.path, line(record));
    this.#records.push(record);
  }
}

const line = (value: unknown): string => `${JSON.stringify(value)}\n`;

/** The text of a file of episodes. */
export function episodeLogText({ run, part, configurations, records }: Omit<FoundLog, 'text'>): string {
  const head = [{ run }, ...(part ? [{ part }] : []), ...configurations.map((define) => ({ define }))];
  return [...head, ...records].map(line).join('');
}

/** What differs between two descriptions of a run, as part of a sentence; undefined where nothing does. */
export function differenceOf<T extends object>(found: T, wanted: T): string | undefined {
  const names = new Set([...Object.keys(found), ...Object.keys(wanted)]) as Set<keyof T & string>;
  const value = (of: T, name: keyof T): string => JSON.stringify(of[name] ?? null);
  const name = [...names].find((one) => value(found, one) !== value(wanted, one));
  return name === undefined
    ? undefined
    : `its ${name} is ${value(found, name)}, now it would be ${value(wanted, name)}`;
}

/** How two parts of a run cannot be of one file; a part may move to another machine. */
function partDifference(found: RunPart | undefined, wanted: RunPart | undefined): string | undefined {
  const shownPart = (part: RunPart | undefined): string =>
    part === undefined ? 'all of it' : `shard ${part.shards.join(', ')} of ${part.of}`;
  if (shownPart(found) !== shownPart(wanted)) {
    return `it is ${shownPart(found)}, now it would be ${shownPart(wanted)}`;
  }
  if (!found || !wanted) return undefined;
  if (JSON.stringify(found.episodes) !== JSON.stringify(wanted.episodes)) {
    return `it is of ${found.episodes.length} episodes, now it would be of ${wanted.episodes.length}`;
  }
  return differenceOf(found.engine, wanted.engine);
}

/** A file of episodes as it stands. */
export interface FoundLog {
  readonly run: RunIdentity;
  /** undefined where the run was not divided */
  readonly part: RunPart | undefined;
  readonly configurations: readonly DefinedConfiguration[];
  readonly records: readonly EpisodeRecord[];
  /** what was read, whole lines only */
  readonly text: string;
}

/** @throws FileFormatError for what is no file of episodes; a half-written last line is dropped */
export function readEpisodeLog(path: string): FoundLog {
  const content = readText(path, LARGEST_LOG);
  // What follows the last line break was cut off while it was written.
  const text = content.slice(0, content.lastIndexOf('\n') + 1);
  let run: RunIdentity | undefined;
  let part: RunPart | undefined;
  const configurations: DefinedConfiguration[] = [];
  const records: EpisodeRecord[] = [];
  text
    .split('\n')
    .slice(0, -1)
    .forEach((one, i) => {
      const parsed = lineSchema.safeParse(parseJson(one));
      if (!parsed.success) {
        throw new FileFormatError(
          path,
          `line ${i + 1} is no episode: ${one.slice(0, 60)}; remove it, or choose another --out`,
        );
      }
      const { data } = parsed;
      if ('run' in data) run = data.run;
      else if ('part' in data) {
        part = { ...data.part, machines: [...new Set([...(part?.machines ?? []), ...data.part.machines])] };
      } else if ('define' in data) configurations.push(data.define);
      else records.push(data);
    });
  if (!run)
    throw new FileFormatError(path, 'does not say which run its episodes belong to; choose another --out');
  return { run, part, configurations, records, text };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
