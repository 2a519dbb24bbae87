import { FileFormatError, InputError, messageOf } from '../errors';
import { RangedFile } from './RangedFile';
import { quoted } from './quoted';

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

/** What `get_dataset_stats` of the original writes beside the fields. */
const COUNTS = ['num_episodes', 'num_transition'];

/**
 * Reads a dataset-statistics JSON: `{"state": {"<key>": {"global_mean": [..], "global_std": [..], ...}}, "action": {...}}`, as
 * `save_dataset_stats_to_json` of the original writes it (`utils/normalizer.py`). Names may also stand without
 * `global_`; `stepwise_` statistics are passed over. Numbers are rounded to float32, as the original does.
 *
 * Throws FileFormatError naming the key, for what is not JSON, not numbers, or not of one length in a field.
 */
export function openDatasetStats(path: string): DatasetStats {
  const text = RangedFile.reading(path, (file) => {
    if (file.size > LARGEST_FILE) {
      throw new FileFormatError(
        path,
        `has ${file.size} bytes, expected a statistics file of at most ${LARGEST_FILE}`,
      );
    }
    return file.read(0, file.size, 'the statistics').toString('utf8');
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new FileFormatError(path, `is not JSON: ${messageOf(error)}`, { cause: error });
  }
  const root = asObject(json, path, 'the file');
  const unknown = Object.keys(root).find(
    (key) => key !== 'state' && key !== 'action' && !COUNTS.includes(key),
  );
  if (unknown !== undefined) {
    throw new FileFormatError(path, `has the unknown key ${quoted(unknown)}, expected "state" and "action"`);
  }
  return { state: readFields(root.state, path, 'state'), action: readFields(root.action, path, 'action') };
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
  const fields = new Map<string, FieldStatistics>();
  for (const [key, entry] of Object.entries(asObject(json, path, `"${kind}"`))) {
    const where = `${kind}.${key}`;
    const found = asObject(entry, path, quoted(where));
    const values: Partial<Record<Statistic, Float32Array>> = {};
    let dim: number | undefined;
    for (const name of STATISTICS) {
      const full = found[`global_${name}`] === undefined ? name : `global_${name}`;
      if (found[full] === undefined) continue;
      const numbers = asNumbers(found[full], path, `${where}.${full}`);
      dim ??= numbers.length;
      if (numbers.length !== dim) {
        throw new FileFormatError(
          path,
          `${quoted(`${where}.${full}`)} has ${numbers.length} numbers, expected ${dim} as the others of this field`,
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
    fields.set(key, { dim, values });
  }
  return fields;
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
