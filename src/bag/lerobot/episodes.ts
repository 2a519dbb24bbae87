import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { FileFormatError } from '../../errors';
import { readText } from '../../formats/readText';
import { datasetPath } from './datasetInfo';
import type { DatasetInfo } from './datasetInfo';
import { readRows } from './parquet';
import type { Row } from './parquet';

/** A stretch of a video file. */
export interface VideoStretch {
  readonly path: string;
  /** seconds into the file */
  readonly from: number;
}

/** One episode of a dataset. */
export interface DatasetEpisode {
  readonly index: number;
  /** frames */
  readonly length: number;
  /** the Parquet file that has its rows, and perhaps those of others */
  readonly data: string;
  /** by feature */
  readonly videos: ReadonlyMap<string, VideoStretch>;
}

/** Of the text tables of version 2; a line has some hundred bytes. */
const MAX_TEXT = 2 ** 26;

/** The episodes of a dataset, in order. @throws FileFormatError where the table is missing or damaged */
export async function readEpisodes(
  folder: string,
  info: DatasetInfo,
  videoKeys: readonly string[],
): Promise<readonly DatasetEpisode[]> {
  const episodes =
    info.version === 2
      ? episodesOfVersion2(folder, info, videoKeys)
      : await episodesOfVersion3(folder, info, videoKeys);
  if (episodes.length === 0) throw new FileFormatError(folder, 'is a LeRobot dataset without episodes');
  return episodes.sort((a, b) => a.index - b.index);
}

function episodesOfVersion2(
  folder: string,
  info: DatasetInfo,
  videoKeys: readonly string[],
): DatasetEpisode[] {
  const path = join(folder, 'meta', 'episodes.jsonl');
  return readLines(path).map((line) => {
    const index = wholeNumber(line, 'episode_index', path);
    const place = { episode_index: index, episode_chunk: Math.floor(index / info.chunks_size) };
    return {
      index,
      length: wholeNumber(line, 'length', path),
      data: datasetPath(folder, info.data_path, place),
      videos: videosOf(folder, info, videoKeys, (key) => ({ values: { ...place, video_key: key }, from: 0 })),
    };
  });
}

async function episodesOfVersion3(
  folder: string,
  info: DatasetInfo,
  videoKeys: readonly string[],
): Promise<DatasetEpisode[]> {
  const columns = [
    'episode_index',
    'length',
    'data/chunk_index',
    'data/file_index',
    ...videoKeys.flatMap((key) =>
      ['chunk_index', 'file_index', 'from_timestamp'].map((name) => `videos/${key}/${name}`),
    ),
  ];
  const episodes: DatasetEpisode[] = [];
  for (const path of parquetFilesBelow(join(folder, 'meta', 'episodes'))) {
    for (const row of await readRows(path, columns)) {
      const number = (name: string): number => wholeNumber(row, name, path);
      episodes.push({
        index: number('episode_index'),
        length: number('length'),
        data: datasetPath(folder, info.data_path, {
          chunk_index: number('data/chunk_index'),
          file_index: number('data/file_index'),
        }),
        videos: videosOf(folder, info, videoKeys, (key) => ({
          values: {
            video_key: key,
            chunk_index: number(`videos/${key}/chunk_index`),
            file_index: number(`videos/${key}/file_index`),
          },
          from: seconds(row, `videos/${key}/from_timestamp`, path),
        })),
      });
    }
  }
  return episodes;
}

function videosOf(
  folder: string,
  { video_path: template }: DatasetInfo,
  keys: readonly string[],
  placeOf: (key: string) => { readonly values: Record<string, number | string>; readonly from: number },
): ReadonlyMap<string, VideoStretch> {
  if (template === null || template === undefined) return new Map();
  return new Map(
    keys.map((key) => {
      const { values, from } = placeOf(key);
      return [key, { path: datasetPath(folder, template, values), from }] as const;
    }),
  );
}

/** Task texts by `task_index`. @throws FileFormatError where the table is damaged; an absent one is empty */
export async function readTasks(folder: string, info: DatasetInfo): Promise<ReadonlyMap<number, string>> {
  if (info.version === 2) {
    const path = join(folder, 'meta', 'tasks.jsonl');
    return existsSync(path) ? tasksOf(readLines(path), path) : new Map();
  }
  const path = join(folder, 'meta', 'tasks.parquet');
  if (!existsSync(path)) return new Map();
  // The text is the index of the table, which pandas names `task`, or not at all.
  const rows = await readRows(path, ['task_index', 'task', '__index_level_0__']);
  return tasksOf(
    rows.map((row) => ({ ...row, task: row['task'] ?? row['__index_level_0__'] })),
    path,
  );
}

function tasksOf(rows: readonly Row[], path: string): ReadonlyMap<number, string> {
  return new Map(
    rows.flatMap((row) => {
      const { task } = row;
      return typeof task === 'string' ? [[wholeNumber(row, 'task_index', path), task.trim()] as const] : [];
    }),
  );
}

function readLines(path: string): Row[] {
  const rows: Row[] = [];
  for (const [i, line] of readText(path, MAX_TEXT).split('\n').entries()) {
    if (line.trim() === '') continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw new FileFormatError(path, `line ${i + 1} is not JSON`, { cause: error });
    }
    if (typeof value !== 'object' || value === null)
      throw new FileFormatError(path, `line ${i + 1} is not an object`);
    rows.push(value as Row);
  }
  return rows;
}

function parquetFilesBelow(folder: string): string[] {
  if (!existsSync(folder)) throw new FileFormatError(folder, 'does not exist, so the episodes are not known');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.parquet') && !name.split('/').some((part) => part.startsWith('.')))
    .sort()
    .map((name) => join(folder, name));
}

/** Parquet's 64-bit numbers arrive as bigint. */
function wholeNumber(row: Row, name: string, path: string): number {
  const number = Number(row[name] ?? Number.NaN);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new FileFormatError(path, `a row has no whole number in ${name}`);
}

function seconds(row: Row, name: string, path: string): number {
  const number = Number(row[name] ?? Number.NaN);
  if (Number.isFinite(number) && number >= 0) return number;
  throw new FileFormatError(path, `a row has no time in ${name}`);
}
