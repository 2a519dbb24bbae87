import { FileFormatError, InputError, messageOf } from '../errors';
import { quoted } from '../words/quoted';
import { checkStatistic } from './checkStatistic';
import { Budget } from './Budget';
import { RangedFile } from './RangedFile';
import { countValues } from './readJson';

export const STATISTICS = ['min', 'max', 'mean', 'std', 'q01', 'q99'] as const;
export type Statistic = (typeof STATISTICS)[number];

/** Statistics of one field, each [dim], float32. A file need not have all of them. */
export interface FieldStatistics {
  readonly dim: number;
  readonly values: Readonly<Partial<Record<Statistic, Float32Array>>>;
}

/** Statistics of a dataset: the fields of the proprioceptive state and of the action, by their dataset keys. */
export interface DatasetStats {
  readonly state: ReadonlyMap<string, FieldStatistics>;
  readonly action: ReadonlyMap<string, FieldStatistics>;
}

const LARGEST_FILE = 64 * 2 ** 20;
/** Statistics of 10,000 episodes, of state, actions and four cameras each, have half as many. */
const MOST_VALUES = 5_000_000;

/** What `get_dataset_stats` of the original writes beside the fields. */
const COUNTS = ['num_episodes', 'num_transition'];

/** The features that matter in statistics of LeRobot and openpi. */
const LEROBOT_STATE = 'observation.state';
const FIELD = 'default';

/**
 * Reads statistics of a dataset in any of four forms, told apart by their keys:
 * - the original's `dataset_stats.json`: `{"state": {"<key>": {"global_mean": [..], "global_std": [..], ...}}, "action": {...}}`
 *   (`save_dataset_stats_to_json` in its `utils/normalizer.py`); names may also stand without `global_`, and `stepwise_`
 *   statistics are passed over;
 * - LeRobot's `meta/stats.json` (v2.0 to 3.0): `{"observation.state": {"mean": [..], ...}, "action": {...}, ...}`;
 * - LeRobot's `meta/episodes_stats.jsonl` (v2.1), the same for each episode, which are joined;
 * - openpi's `norm_stats.json`: `{"norm_stats": {"state": {"mean": [..], ...}, "actions": {...}}}`.
 *
 * Numbers are rounded to float32, as the original does. A byte-order mark is skipped.
 *
 * Throws FileFormatError naming the key, for what is not JSON, not numbers, or not of one length in a field, and the
 * index too for a number that cannot be (a standard deviation below 0, a minimum above its maximum).
 */
export function openDatasetStats(path: string): DatasetStats {
  const text = RangedFile.reading(path, (file) => {
    if (file.size > LARGEST_FILE) {
      throw new FileFormatError(
        path,
        `has ${file.size} bytes, expected a statistics file of at most ${LARGEST_FILE}`,
      );
    }
    return file
      .read(0, file.size, 'the statistics')
      .toString('utf8')
      .replace(/^\uFEFF/, '');
  });
  const budget = new Budget({ elements: MOST_VALUES });
  if (path.endsWith('.jsonl')) return joinEpisodes(text, path, budget);
  const root = asObject(parseJson(text, path, budget), path, 'the file');
  const openpi = root.norm_stats;
  if (openpi !== undefined) {
    const { state, actions } = asObject(openpi, path, '"norm_stats"');
    return {
      state: oneField(state, path, 'norm_stats.state'),
      action: oneField(actions, path, 'norm_stats.actions'),
    };
  }
  if (isLerobot(root)) {
    return {
      state:
        root[LEROBOT_STATE] === undefined ? new Map() : oneField(root[LEROBOT_STATE], path, LEROBOT_STATE),
      action: oneField(root.action, path, 'action'),
    };
  }
  const unknown = Object.keys(root).find(
    (key) => key !== 'state' && key !== 'action' && !COUNTS.includes(key),
  );
  if (unknown !== undefined) {
    throw new FileFormatError(
      path,
      `has the unknown key ${quoted(unknown)}, expected "state" and "action" (of the original), "observation.state" and "action" (LeRobot) or "norm_stats" (openpi)`,
    );
  }
  return { state: readFields(root.state, path, 'state'), action: readFields(root.action, path, 'action') };
}

/** @param where the part of the file that it is, for messages */
function parseJson(text: string, path: string, budget: Budget, where = ''): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FileFormatError(path, `${where}is not JSON: ${messageOf(error)}`, { cause: error });
  }
  try {
    countValues(value, budget);
  } catch (error) {
    throw new FileFormatError(path, messageOf(error), { cause: error });
  }
  return value;
}

/** LeRobot's features hold statistics themselves; the original's hold fields. */
function isLerobot(root: Readonly<Record<string, unknown>>): boolean {
  const { action } = root;
  const holdsStatistics = (value: unknown): boolean =>
    typeof value === 'object' &&
    value !== null &&
    STATISTICS.some((name) => Array.isArray((value as Record<string, unknown>)[name]));
  return Object.keys(root).some((key) => key.startsWith('observation.')) || holdsStatistics(action);
}

/** The statistics of one feature as the only field of its kind. */
function oneField(json: unknown, path: string, key: string): ReadonlyMap<string, FieldStatistics> {
  if (json === undefined) throw new FileFormatError(path, `lacks the key ${quoted(key)}`);
  return new Map([[FIELD, readField(json, path, key)]]);
}

/** Statistics of a whole dataset from those of its episodes, weighted by their lengths; quantiles cannot be joined. */
function joinEpisodes(text: string, path: string, budget: Budget): DatasetStats {
  const episodes = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, i) => {
      const entry = asObject(parseJson(line, path, budget, `line ${i + 1} `), path, `line ${i + 1}`);
      return asObject(entry.stats, path, `"stats" of line ${i + 1}`);
    });
  const join = (feature: string): ReadonlyMap<string, FieldStatistics> => {
    const parts = episodes.flatMap((stats, i) => {
      if (stats[feature] === undefined) return [];
      const { count } = asObject(stats[feature], path, quoted(feature));
      const frames = Array.isArray(count) ? Number(count[0]) : NaN;
      if (!(frames > 0)) {
        throw new FileFormatError(path, `"${feature}.count" of line ${i + 1} is no number of frames`);
      }
      return [{ frames, field: readField(stats[feature], path, feature) }];
    });
    return parts.length === 0 ? new Map() : new Map([[FIELD, joined(parts, path, feature)]]);
  };
  const action = join('action');
  if (action.size === 0) throw new FileFormatError(path, 'lacks the key "action"');
  return { state: join(LEROBOT_STATE), action };
}

function joined(
  parts: readonly { readonly frames: number; readonly field: FieldStatistics }[],
  path: string,
  feature: string,
): FieldStatistics {
  const dim = parts[0]?.field.dim ?? 0;
  if (parts.some(({ field }) => field.dim !== dim)) {
    throw new FileFormatError(path, `${quoted(feature)} has not the same length in all episodes`);
  }
  const frames = parts.reduce((sum, part) => sum + part.frames, 0);
  const at = (part: (typeof parts)[number], name: Statistic, i: number): number => {
    const value = part.field.values[name]?.[i];
    if (value === undefined) throw new FileFormatError(path, `lacks "${feature}.${name}" in an episode`);
    return value;
  };
  const each = (value: (i: number) => number): Float32Array =>
    Float32Array.from({ length: dim }, (_, i) => value(i));
  const mean = each((i) => parts.reduce((sum, part) => sum + part.frames * at(part, 'mean', i), 0) / frames);
  return {
    dim,
    values: {
      min: each((i) => Math.min(...parts.map((part) => at(part, 'min', i)))),
      max: each((i) => Math.max(...parts.map((part) => at(part, 'max', i)))),
      mean,
      // Var = mean of (variance + squared distance of the means)
      std: each((i) =>
        Math.sqrt(
          parts.reduce((sum, part) => {
            const distance = at(part, 'mean', i) - (mean[i] ?? 0);
            return sum + part.frames * (at(part, 'std', i) ** 2 + distance ** 2);
          }, 0) / frames,
        ),
      ),
    },
  };
}

/**
 * Several fields as one, in the order of `keys` (all, in the file's order, where they are not given), as the
 * original concatenates them (`ConcatLeftAlign`). Only statistics that every field has are kept.
 *
 * Throws InputError that lists the known keys for one that is not there.
 */
export function concatenateFields(
  fields: ReadonlyMap<string, FieldStatistics>,
  keys: readonly string[] = [...fields.keys()],
): FieldStatistics {
  const chosen = keys.map((key) => {
    const field = fields.get(key);
    if (field === undefined) {
      throw new InputError(
        `the statistics have no key ${quoted(key)}; they have ${[...fields.keys()].map((k) => quoted(k)).join(', ')}`,
      );
    }
    return field;
  });
  const dim = chosen.reduce((sum, field) => sum + field.dim, 0);
  const values: Partial<Record<Statistic, Float32Array>> = {};
  for (const name of STATISTICS) {
    const parts = chosen.map((field) => field.values[name]);
    if (parts.length === 0 || !parts.every((part) => part !== undefined)) continue;
    const joined = new Float32Array(dim);
    let at = 0;
    for (const part of parts) {
      joined.set(part, at);
      at += part.length;
    }
    values[name] = joined;
  }
  return { dim, values };
}

function readFields(json: unknown, path: string, kind: string): ReadonlyMap<string, FieldStatistics> {
  if (json === undefined) throw new FileFormatError(path, `lacks the key "${kind}"`);
  const entries = Object.entries(asObject(json, path, `"${kind}"`));
  return new Map(entries.map(([key, entry]) => [key, readField(entry, path, `${kind}.${key}`)]));
}

/** @param where the key of the field */
function readField(entry: unknown, path: string, where: string): FieldStatistics {
  const found = asObject(entry, path, quoted(where));
  const keyOf = (name: string): string => (found[`global_${name}`] === undefined ? name : `global_${name}`);
  const values: Partial<Record<Statistic, Float32Array>> = {};
  let dim: number | undefined;
  for (const name of STATISTICS) {
    const key = keyOf(name);
    if (found[key] === undefined) continue;
    const numbers = asNumbers(found[key], path, `${where}.${key}`);
    dim ??= numbers.length;
    if (numbers.length !== dim) {
      throw new FileFormatError(
        path,
        `${quoted(`${where}.${key}`)} has ${numbers.length} numbers, expected ${dim} as the others of this field`,
      );
    }
    values[name] = numbers;
  }
  if (dim === undefined) {
    throw new FileFormatError(
      path,
      `${quoted(where)} has none of ${STATISTICS.map((s) => `global_${s}`).join(', ')}`,
    );
  }
  checkStatistic(path, (name) => `${where}.${keyOf(name)}`, values);
  return { dim, values };
}

function asObject(json: unknown, path: string, what: string): Readonly<Record<string, unknown>> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new FileFormatError(
      path,
      `${what} is not an object, expected {"state": ..., "action": ...} of statistics`,
    );
  }
  return json as Record<string, unknown>;
}

function asNumbers(json: unknown, path: string, where: string): Float32Array {
  const valid = (list: unknown): list is number[] =>
    Array.isArray(list) &&
    list.length > 0 &&
    list.every((x) => typeof x === 'number' && Number.isFinite(Math.fround(x)));
  if (!valid(json)) throw new FileFormatError(path, `${quoted(where)} is not a list of finite numbers`);
  return Float32Array.from(json);
}
