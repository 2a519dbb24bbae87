import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FileFormatError, InputError } from '../../errors';
import { fromSeconds, timeMessage } from '../../observation/stamp';
import type { BagMessage, BagMetadata, BagReader, BagTopic, ReadOptions } from '../types';
import { elementNamesOf, INFO_FILE, readDatasetInfo } from './datasetInfo';
import type { DatasetFeature, DatasetInfo } from './datasetInfo';
import { readEpisodes, readTasks } from './episodes';
import type { DatasetEpisode } from './episodes';
import { ParquetFile } from './parquet';
import type { Row } from './parquet';
import { videoFrames, videoSize } from './videoFrames';
import type { FrameSize } from './videoFrames';

/** The topic of the task's text. */
export const TASK_TOPIC = '/task';

/** Seconds between two episodes: more than the silence that ends one. */
const BETWEEN_EPISODES = 10;
/** A dataset has no date; its first episode begins a second after zero, which ROS takes for no time at all. */
const START = 1;
/**
 * The feature with what was commanded at a row's observation: the first action of a chunk from it, which holds until
 * the next row. So it is stamped there, a microsecond early lest rounding makes it the row after.
 */
const ACTION = 'action';
const EARLY = 1000n;
/** The column that says which episode a row is of. */
const EPISODE = 'episode_index';
/** Rows read at once where they hold pictures. */
const PICTURE_ROWS = 32;

const IMAGE = 'sensor_msgs/msg/Image';
const COMPRESSED = 'sensor_msgs/msg/CompressedImage';
const JOINTS = 'sensor_msgs/msg/JointState';
const ARRAY = 'std_msgs/msg/Float64MultiArray';
const TEXT = 'std_msgs/msg/String';

/** A feature of the dataset as a topic. */
interface Channel {
  readonly key: string;
  readonly topic: string;
  readonly kind: 'video' | 'image' | 'vector';
  readonly type: string;
  /** of a vector */
  readonly names: readonly string[] | undefined;
}

/** Where an episode lies in the time of the recording. */
interface Placed {
  readonly episode: DatasetEpisode;
  /** seconds */
  readonly start: number;
}

/** Whether a folder is a LeRobot dataset. */
export function isLerobotDataset(folder: string): boolean {
  return existsSync(join(folder, INFO_FILE));
}

/**
 * A LeRobot dataset (2.x, 3.0) as a recording: every feature is a topic (`observation.images.front` is
 * `/observation/images/front`), named vectors are JointState, others arrays, the task is a text on `/task`. Episodes
 * follow each other ten seconds apart, so that each is one to whoever samples it.
 */
export class LerobotDataset implements BagReader {
  readonly storage = 'lerobot';
  readonly metadata: BagMetadata | undefined = undefined;
  readonly path: string;
  readonly topics: readonly BagTopic[];
  readonly start: bigint;
  readonly end: bigint;
  readonly #info: DatasetInfo;
  readonly #channels: ReadonlyMap<string, Channel>;
  readonly #episodes: readonly Placed[];
  readonly #tasks: ReadonlyMap<number, string>;
  readonly #warnings: Set<string>;
  /** of the frames that `decode` is asked about, by topic */
  readonly #sizes = new Map<string, FrameSize>();
  /** where the episodes of a table begin and end, for the table that was read last: episodes follow each other in it */
  #table: { readonly path: string; readonly stretches: ReadonlyMap<number, Stretch> | undefined } | undefined;

  private constructor(
    path: string,
    info: DatasetInfo,
    channels: readonly Channel[],
    episodes: readonly DatasetEpisode[],
    tasks: ReadonlyMap<number, string>,
    warnings: readonly string[],
  ) {
    this.path = path;
    this.#info = info;
    this.#channels = new Map(channels.map((channel) => [channel.topic, channel]));
    this.#tasks = tasks;
    this.#warnings = new Set(warnings);
    let start = START;
    this.#episodes = episodes.map((episode) => {
      const placed = { episode, start };
      start += episode.length / info.fps + BETWEEN_EPISODES;
      return placed;
    });
    this.start = fromSeconds(START);
    this.end = fromSeconds(start - BETWEEN_EPISODES - 1 / info.fps);
    const frames = episodes.reduce((sum, { length }) => sum + length, 0);
    this.topics = [
      ...channels.map(({ topic, type }) => ({ name: topic, type, encoding: 'lerobot', count: frames })),
      { name: TASK_TOPIC, type: TEXT, encoding: 'lerobot' },
    ].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** @throws FileFormatError where the dataset, or its table of episodes, cannot be read */
  static async open(folder: string): Promise<LerobotDataset> {
    const info = readDatasetInfo(folder);
    const warnings: string[] = [];
    const channels: Channel[] = [];
    for (const [key, feature] of Object.entries(info.features)) {
      const channel = channelOf(key, feature);
      if (typeof channel === 'string') warnings.push(`${folder}: ${key} is left out: ${channel}`);
      else if (channel !== undefined) channels.push(channel);
    }
    const videoKeys = channels.filter(({ kind }) => kind === 'video').map(({ key }) => key);
    const [episodes, tasks] = [await readEpisodes(folder, info, videoKeys), await readTasks(folder, info)];
    return new LerobotDataset(folder, info, channels, episodes, tasks, warnings);
  }

  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  async *messages({ topics, start, end }: ReadOptions = {}): AsyncGenerator<BagMessage, void, void> {
    const wanted = (topic: string): boolean => topics === undefined || topics.includes(topic);
    const channels = [...this.#channels.values()].filter(({ topic }) => wanted(topic));
    for (const placed of this.#episodes) {
      const last = placed.start + placed.episode.length / this.#info.fps;
      if (start !== undefined && fromSeconds(last) < start) continue;
      if (end !== undefined && fromSeconds(placed.start) > end) return;
      try {
        for await (const message of this.#episode(placed, channels, wanted(TASK_TOPIC))) {
          if (start !== undefined && message.logTime < start) continue;
          if (end !== undefined && message.logTime > end) return;
          yield message;
        }
      } catch (error) {
        // One bad episode does not lose the others; a machine without ffmpeg would lose all.
        if (!(error instanceof FileFormatError)) throw error;
        this.#warnings.add(`${error.message}; the rest of episode ${placed.episode.index} is passed over`);
      }
    }
  }

  decode({ topic, data, logTime }: BagMessage): unknown {
    const header = { stamp: timeMessage(logTime), frame_id: '' };
    if (topic === TASK_TOPIC) return { data: Buffer.from(data).toString('utf8') };
    const channel = this.#channels.get(topic);
    if (channel?.kind === 'vector') {
      const values = new Float64Array(data.slice().buffer);
      return channel.names === undefined
        ? { layout: { dim: [], data_offset: 0 }, data: values }
        : {
            header,
            name: channel.names,
            position: values,
            velocity: new Float64Array(0),
            effort: new Float64Array(0),
          };
    }
    if (channel?.kind === 'image') return { header, format: data[0] === 0x89 ? 'png' : 'jpeg', data };
    const size = this.#sizes.get(topic);
    if (size === undefined) throw new InputError(`the dataset has no pictures on ${topic}`);
    return { header, encoding: 'rgb8', is_bigendian: 0, step: 3 * size.width, ...size, data };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async *#episode(
    { episode, start }: Placed,
    channels: readonly Channel[],
    withTask: boolean,
  ): AsyncGenerator<BagMessage, void, void> {
    const videos = new Map<Channel, AsyncGenerator<Uint8Array, void, void>>();
    try {
      for (const channel of channels) {
        const stretch = channel.kind === 'video' ? episode.videos.get(channel.key) : undefined;
        if (stretch === undefined) continue;
        const size = await videoSize(stretch.path);
        this.#sizes.set(channel.topic, size);
        videos.set(channel, videoFrames(stretch, size, episode.length, this.#info.fps));
      }
      let task: string | undefined;
      let number = 0;
      for await (const row of this.#rows(episode, channels)) {
        const logTime = fromSeconds(start + number / this.#info.fps);
        const taskText = this.#tasks.get(Number(row['task_index'] ?? 0));
        if (withTask && taskText !== undefined && taskText !== task) {
          task = taskText;
          yield message(TASK_TOPIC, TEXT, logTime, Buffer.from(taskText, 'utf8'));
        }
        for (const { key, topic, type, kind } of channels) {
          const data = kind === 'video' ? undefined : bytesOf(row[key]);
          if (data !== undefined && key !== ACTION) yield message(topic, type, logTime, data);
        }
        for (const [channel, frames] of videos) {
          const { done, value } = await frames.next();
          if (done !== true) yield message(channel.topic, channel.type, logTime, value);
          else {
            videos.delete(channel);
            this.#warnings.add(
              `${this.path}: the video of ${channel.key} in episode ${episode.index} has ${number} of ${episode.length} frames`,
            );
          }
        }
        number++;
        const action = channels.find(({ key }) => key === ACTION);
        const data = action && bytesOf(row[ACTION]);
        if (action !== undefined && data !== undefined) {
          const until = fromSeconds(start + number / this.#info.fps) - EARLY;
          yield message(action.topic, action.type, until, data);
        }
      }
      if (number !== episode.length) {
        this.#warnings.add(
          `${this.path}: episode ${episode.index} should have ${episode.length} frames, its table has ${number}`,
        );
      }
    } finally {
      for (const frames of videos.values()) await frames.return();
    }
  }

  /** The rows of one episode, in order of their frames. */
  async *#rows(episode: DatasetEpisode, channels: readonly Channel[]): AsyncGenerator<Row, void, void> {
    const file = await ParquetFile.open(episode.data);
    try {
      if (this.#table?.path !== file.path)
        this.#table = { path: file.path, stretches: await stretchesOf(file) };
      const { stretches } = this.#table;
      // A table without the column is that of one episode.
      const whole = { first: 0, count: Math.min(episode.length, file.rows) };
      const stretch = stretches === undefined ? whole : stretches.get(episode.index);
      if (stretch === undefined)
        throw new FileFormatError(file.path, `has no row of episode ${episode.index}`);
      const { first, count } = stretch;
      const stored = channels.filter(({ kind }) => kind !== 'video').map(({ key }) => key);
      const columns = ['task_index', ...stored];
      const step = channels.some(({ kind }) => kind === 'image') ? PICTURE_ROWS : count;
      for (let at = 0; at < count; at += step) {
        yield* await file.read(columns, first + at, first + Math.min(count, at + step));
      }
    } finally {
      file.close();
    }
  }
}

/** Rows of one episode in a table that may have several: they stand together. */
interface Stretch {
  readonly first: number;
  readonly count: number;
}

/** The rows of each episode of a table; undefined where it does not say which episode a row is of. */
async function stretchesOf(file: ParquetFile): Promise<ReadonlyMap<number, Stretch> | undefined> {
  if (!file.columns.includes(EPISODE)) return undefined;
  const stretches = new Map<number, Stretch>();
  const episodes = (await file.read([EPISODE])).map((row) => Number(row[EPISODE]));
  for (let first = 0; first < episodes.length;) {
    const index = episodes[first] as number;
    let end = first + 1;
    while (end < episodes.length && episodes[end] === index) end++;
    if (!stretches.has(index)) stretches.set(index, { first, count: end - first });
    first = end;
  }
  return stretches;
}

/** How a feature is read; a sentence where it cannot be, undefined where it is no observation (indices, times). */
function channelOf(key: string, feature: DatasetFeature): Channel | string | undefined {
  const topic = `/${key
    .split('.')
    .map((part) => part.replace(/[^A-Za-z0-9_]/g, '_'))
    .join('/')}`;
  const { dtype, shape, info } = feature;
  if (dtype === 'video' || dtype === 'image') {
    if (info?.['video.is_depth_map'] === true || info?.['is_depth_map'] === true)
      return 'it is a depth map, not a picture';
    const type = dtype === 'video' ? IMAGE : COMPRESSED;
    return { key, topic, kind: dtype, type, names: undefined };
  }
  if (!/^float(16|32|64)$/.test(dtype) || shape.length !== 1 || key === 'timestamp') return undefined;
  const names = elementNamesOf(feature);
  return { key, topic, kind: 'vector', type: names === undefined ? ARRAY : JOINTS, names };
}

function message(topic: string, type: string, logTime: bigint, data: Uint8Array): BagMessage {
  return { topic, type, encoding: 'lerobot', logTime, publishTime: logTime, data };
}

/** A picture's file, or the numbers of a vector as float64; undefined for an empty cell. */
function bytesOf(cell: unknown): Uint8Array | undefined {
  if (cell === null || cell === undefined) return undefined;
  if (typeof cell === 'number' || typeof cell === 'bigint') return bytesOf([cell]);
  if (cell instanceof Uint8Array) return cell;
  if (Array.isArray(cell) || ArrayBuffer.isView(cell)) {
    const values = Float64Array.from(cell as unknown as ArrayLike<unknown>, Number);
    return new Uint8Array(values.buffer);
  }
  const { bytes } = cell as { readonly bytes?: unknown };
  return bytes instanceof Uint8Array ? bytes : undefined;
}
