import { join } from 'node:path';
import { z } from 'zod';
import { FileFormatError } from '../../errors';
import { readJson } from '../../formats/readJson';

export const INFO_FILE = join('meta', 'info.json');

/** The metadata of thousands of episodes stays far below. */
const LIMITS = { bytes: 2 ** 24, elements: 2 ** 20 };

/** `names` of a feature: a list, or lists under a heading such as `motors` or `axes`. */
const Names = z.union([z.array(z.string()), z.record(z.string(), z.unknown())]).nullish();

const Feature = z.object({
  dtype: z.string(),
  shape: z.array(z.number().int().nonnegative()),
  names: Names,
  info: z.record(z.string(), z.unknown()).nullish(),
});

const Info = z.object({
  codebase_version: z.string(),
  fps: z.number().positive().max(10_000),
  chunks_size: z.number().int().positive().default(1000),
  data_path: z.string(),
  video_path: z.string().nullish(),
  total_frames: z.number().int().nonnegative().optional(),
  robot_type: z.string().nullish(),
  features: z.record(z.string(), Feature),
});

/** What `meta/info.json` of a LeRobot dataset says, as far as it is read (lerobot/datasets/utils.py, DatasetInfo). */
export type DatasetInfo = z.infer<typeof Info> & {
  /** of the layout: 2 has a file for each episode, 3 has many episodes in a file */
  readonly version: 2 | 3;
};

export type DatasetFeature = z.infer<typeof Feature>;

/**
 * Reads `meta/info.json`.
 * @throws FileFormatError naming the key that is missing or wrong, or the version that cannot be read
 */
export function readDatasetInfo(folder: string): DatasetInfo {
  const path = join(folder, INFO_FILE);
  const parsed = Info.safeParse(readJson(path, LIMITS));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new FileFormatError(
      path,
      `is not that of a LeRobot dataset: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unreadable'}`,
    );
  }
  const info = parsed.data;
  const major = /^v?(\d+)/.exec(info.codebase_version)?.[1];
  if (major !== '2' && major !== '3') {
    throw new FileFormatError(
      path,
      `codebase_version is ${info.codebase_version}; datasets of version 2.x and 3.x can be read, convert it with LeRobot's own script`,
    );
  }
  return { ...info, version: major === '2' ? 2 : 3 };
}

/** Names of the numbers of a vector, in order; undefined where the dataset does not give one for each. */
export function elementNamesOf({ names, shape }: DatasetFeature): readonly string[] | undefined {
  const lists = Array.isArray(names) ? [names] : Object.values(names ?? {});
  const listed = lists.flat().filter((name): name is string => typeof name === 'string' && name !== '');
  return listed.length > 0 && listed.length === shape[0] && new Set(listed).size === listed.length
    ? listed
    : undefined;
}

/**
 * Fills a template such as `data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet`.
 * @throws FileFormatError for a placeholder that is unknown, or a path that leaves the dataset
 */
export function datasetPath(
  folder: string,
  template: string,
  values: Readonly<Record<string, number | string>>,
): string {
  const filled = template.replace(
    /\{(\w+)(?::0?(\d+)d)?\}/g,
    (_, name: string, width: string | undefined) => {
      const value = values[name];
      if (value === undefined) {
        throw new FileFormatError(
          join(folder, INFO_FILE),
          `a path has the placeholder {${name}}; known are ${Object.keys(values).join(', ')}`,
        );
      }
      return String(value).padStart(Number(width ?? 0), '0');
    },
  );
  if (filled.startsWith('/') || filled.split(/[\\/]/).includes('..')) {
    throw new FileFormatError(join(folder, INFO_FILE), `the path ${filled} leaves the dataset's folder`);
  }
  return join(folder, filled);
}
