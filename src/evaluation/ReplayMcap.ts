import { randomBytes } from 'node:crypto';
import { renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TopicFile } from '../bag/TopicFile';
import type { Bundle } from '../bundle/Bundle';
import type { Configuration } from '../cache/choice';
import { FastWamError, messageOf, UsageError } from '../errors';
import type { RawFrame } from '../observation/RawFrame';
import { fromSeconds, timeMessage } from '../observation/stamp';
import { ACTION_CHUNK_TYPE, actionChunkMessage } from '../policy/actionChunkMessage';
import type { ActionChunk } from '../policy/types';
import { executedSteps } from './deviation';
import type { ActionLayout, ObservationFacts } from './types';

/** The package's own message definitions, from the sources and from the built program alike. */
const MESSAGES = join(__dirname, '..', '..', 'msgs', 'msg');

const CACHE_REPORT_TYPE = 'fast_wam_msgs/msg/CacheReport';
const IMAGE_TYPES = {
  raw: 'sensor_msgs/msg/Image',
  compressed: 'sensor_msgs/msg/CompressedImage',
} as const satisfies Readonly<Record<RawFrame['kind'], string>>;
const JOINTS_TYPE = 'sensor_msgs/msg/JointState';

/** What one observation gave. */
export interface ReplayedObservation {
  readonly facts: Pick<ObservationFacts, 'sources' | 'recorded'>;
  /** stamp of the observation as the recording has it, nanoseconds */
  readonly stamp: bigint;
  readonly cameras: ReadonlyMap<string, RawFrame>;
  /** one for each configuration, in their order */
  readonly chunks: readonly ActionChunk[];
}

/**
 * Writes a replay as one MCAP file, for viewers: what the cameras saw, and of each configuration the chunks, the executed
 * actions as joint states (lines over time) and what the cache did. The file is there only when it is whole.
 */
export class ReplayMcap {
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: TopicFile;
  readonly #layout: ActionLayout;
  readonly #manifest: Bundle['manifest'];
  /** names of the configurations as topics have them */
  readonly #names: readonly string[];
  readonly #topics = new Set<string>();

  private constructor(options: ReplayMcapOptions, temporary: string, file: TopicFile) {
    this.#path = options.path;
    this.#temporary = temporary;
    this.#file = file;
    this.#layout = options.layout;
    this.#manifest = options.manifest;
    this.#names = topicNames(options.configurations);
  }

  /** @throws UsageError where the file cannot be written */
  static async create(options: ReplayMcapOptions): Promise<ReplayMcap> {
    const { path } = options;
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      const file = await TopicFile.create(temporary, {
        compression: 'zstd',
        messageFolders: { fast_wam_msgs: MESSAGES },
      });
      return new ReplayMcap(options, temporary, file);
    } catch (error) {
      throw new UsageError(
        `--mcap ${path}: cannot be written: ${messageOf(error)}; is there a folder ${dirname(path)}?`,
        { cause: error },
      );
    }
  }

  /** Topics of the file. */
  get topics(): readonly string[] {
    return [...this.#topics];
  }

  async write({ facts, stamp, cameras, chunks }: ReplayedObservation): Promise<void> {
    for (const [name, frame] of cameras) {
      const { kind, ...picture } = frame;
      await this.#write(`/cameras/${topicWord(name)}`, IMAGE_TYPES[kind], stamp, {
        header: headerAt(stamp, name),
        ...picture,
      });
    }
    if (facts.recorded) await this.#writeActions('recorded', stamp, facts.recorded);
    for (const [i, chunk] of chunks.entries()) {
      const name = this.#names[i] ?? String(i);
      const message = actionChunkMessage(
        {
          chunk,
          conditions: { period: 1 / this.#layout.controlRate, replanSteps: this.#layout.replanSteps },
          sources: { stamp, ages: facts.sources },
        },
        this.#manifest.actions,
      );
      await this.#write(`/${name}/action_chunk`, ACTION_CHUNK_TYPE, stamp, message);
      await this.#write(`/${name}/cache_report`, CACHE_REPORT_TYPE, stamp, message.cache);
      await this.#writeActions(name, stamp, chunk.actions);
    }
  }

  /** Puts the whole file in its place. */
  async close(): Promise<void> {
    try {
      await this.#file.end();
      renameSync(this.#temporary, this.#path);
    } catch (error) {
      rmSync(this.#temporary, { force: true });
      throw new FastWamError(`${this.#path}: cannot be written: ${messageOf(error)}`, { cause: error });
    }
  }

  /** Leaves nothing behind. */
  async discard(): Promise<void> {
    try {
      await this.#file.abandon();
    } finally {
      rmSync(this.#temporary, { force: true });
    }
  }

  /** Action k of a chunk holds from the stamp of its observation + (k+1)/rate on; NaN where there is none. */
  async #writeActions(name: string, stamp: bigint, actions: Float32Array): Promise<void> {
    const { names, controlRate } = this.#layout;
    for (let k = 0; k < executedSteps(this.#layout); k += 1) {
      const position = Float64Array.from(actions.subarray(k * names.length, (k + 1) * names.length));
      if (!position.every(Number.isFinite)) continue;
      const time = stamp + fromSeconds((k + 1) / controlRate);
      await this.#write(`/${name}/actions`, JOINTS_TYPE, time, {
        header: headerAt(time, this.#manifest.actions.frame),
        name: names,
        position,
      });
    }
  }

  async #write(topic: string, type: string, time: bigint, message: object): Promise<void> {
    if (!this.#topics.has(topic)) {
      await this.#file.addTopic({ name: topic, type });
      this.#topics.add(topic);
    }
    await this.#file.write(topic, time, message);
  }
}

export interface ReplayMcapOptions {
  readonly path: string;
  readonly configurations: readonly Pick<Configuration, 'name'>[];
  readonly layout: ActionLayout;
  readonly manifest: Bundle['manifest'];
}

function headerAt(stamp: bigint, frame: string): object {
  return { stamp: timeMessage(stamp), frame_id: frame };
}

/** `c3ache_R4_0_6` of `c3ache R=4 [0,6]`; names that would become one word are told apart by a number. */
function topicNames(configurations: readonly Pick<Configuration, 'name'>[]): readonly string[] {
  // What the recording did has its own topic.
  const taken = new Set(['recorded', 'cameras']);
  return configurations.map(({ name }) => {
    const word = topicWord(name);
    let free = word;
    for (let i = 2; taken.has(free); i += 1) free = `${word}_${i}`;
    taken.add(free);
    return free;
  });
}

/** A name as a part of a topic's: letters, digits and underscores. */
function topicWord(name: string): string {
  const word = name
    .replaceAll('=', '')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
  return /^[A-Za-z]/.test(word) ? word : `_${word}`;
}
