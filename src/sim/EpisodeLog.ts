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
   * @throws UsageError if the file is there and not to be continued, or belongs to another run; FileFormatError if it
   * is damaged (a half-written last line is not damage: it is dropped)
   */
  static open(
    path: string,
    run: RunIdentity,
    configurations: readonly Configuration[],
    resume: boolean,
  ): EpisodeLog {
    makeOutputFolder(dirname(path));
    const definitions = configurations.map(definitionOf);
    if (!existsSync(path)) {
      writeText(path, [{ run }, ...definitions.map((define) => ({ define }))].map(line).join(''));
      return new EpisodeLog(path, []);
    }
    if (!resume) {
      throw new UsageError(
        `${path} holds episodes already; continue them with --resume, begin anew with --overwrite, or choose another --out`,
      );
    }
    const found = readLog(path);
    const differing = Object.keys({ ...run, ...found.run }).find(
      (key) =>
        JSON.stringify(run[key as keyof RunIdentity]) !== JSON.stringify(found.run[key as keyof RunIdentity]),
    );
    if (differing !== undefined) {
      const value = (of: RunIdentity): string => JSON.stringify(of[differing as keyof RunIdentity] ?? null);
      throw new UsageError(
        `${path} belongs to another run: its ${differing} is ${value(found.run)}, now it would be ${value(run)}; choose another --out`,
      );
    }
    const added = definitions.filter((one) => {
      const known = found.configurations.find(({ name }) => name === one.name);
      if (known && JSON.stringify(known) !== JSON.stringify(one)) {
        throw new UsageError(
          `${path}: configuration ${one.name} was ${JSON.stringify(known.settings)}, now it would be ${JSON.stringify(one.settings)}; choose another --out`,
        );
      }
      return known === undefined;
    });
    writeText(path, `${found.text}${added.map((define) => line({ define })).join('')}`);
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

function readLog(path: string): {
  readonly run: RunIdentity;
  readonly configurations: readonly DefinedConfiguration[];
  readonly records: readonly EpisodeRecord[];
  /** what was read, whole lines only */
  readonly text: string;
} {
  const content = readText(path, LARGEST_LOG);
  // What follows the last line break was cut off while it was written.
  const text = content.slice(0, content.lastIndexOf('\n') + 1);
  let run: RunIdentity | undefined;
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
      else if ('define' in data) configurations.push(data.define);
      else records.push(data);
    });
  if (!run)
    throw new FileFormatError(path, 'does not say which run its episodes belong to; choose another --out');
  return { run, configurations, records, text };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
