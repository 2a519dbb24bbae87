import { InputError } from '../errors';
import { checkFrame, decodeFrame, rawFrame } from '../observation/RawFrame';
import { toSeconds } from '../observation/stamp';
import type { RgbImage } from '../observation/types';
import type { Transport } from '../settings/sources';
import { topicKey } from './MessageDecoder';
import type { BagMessage, BagReader, BagTopic } from './types';

/** Messages of one topic that are looked into: what they are like shows in the first ones. */
const LOOKED_INTO = 50;
/** Intervals that a rate is the median of. */
const INTERVALS = 20_000;
/** Different texts, and different lists of joints, that are kept of one topic. */
const KEPT = 20;

/** What the pictures on a topic are. */
export interface SurveyedPicture {
  readonly width: number;
  readonly height: number;
  /** `rgb8`, or the format of a compressed picture */
  readonly encoding: string;
}

/** What a recording has on one topic. */
export interface SurveyedTopic {
  readonly name: string;
  readonly type: string;
  readonly encoding: string;
  readonly count: number;
  /** messages a second: one over the median interval; undefined below two messages */
  readonly rate: number | undefined;
  /** the longest silence between two messages, and when it began, seconds from the start of the recording */
  readonly longestGap: { readonly seconds: number; readonly at: number } | undefined;
  /** JointState: each different list of names, the most frequent first */
  readonly joints: readonly (readonly string[])[];
  /** arrays: the number of values in a message */
  readonly elements: number | undefined;
  /** std_msgs/msg/String: the different texts, in order of time */
  readonly texts: readonly string[];
  /** Image and CompressedImage: the first that can be read */
  readonly picture: SurveyedPicture | undefined;
  /** why messages could not be read, of the first one */
  readonly problem: string | undefined;
}

export interface BagSurvey {
  readonly path: string;
  readonly storage: string;
  /** seconds */
  readonly length: number;
  readonly topics: readonly SurveyedTopic[];
  readonly warnings: readonly string[];
}

export interface SurveyOptions {
  /** told of the first picture of every topic that has pictures */
  readonly onPicture?: (topic: string, picture: RgbImage) => Promise<void>;
  /** told how much of the recording's time is read, 0 to 1 */
  readonly onProgress?: (share: number) => void;
  readonly signal?: AbortSignal;
}

const TRANSPORT_OF: ReadonlyMap<string, Transport> = new Map([
  ['sensor_msgs/msg/Image', 'raw'],
  ['sensor_msgs/msg/CompressedImage', 'compressed'],
]);
const ARRAY_TYPE = /^std_msgs\/msg\/Float(32|64)MultiArray$/;

/** What is found out about one topic while its messages pass. */
class TopicFindings {
  readonly #topic: BagTopic;
  #count = 0;
  #last: bigint | undefined;
  readonly #intervals: number[] = [];
  #gap: { seconds: number; at: number } | undefined;
  readonly #joints = new Map<string, { names: readonly string[]; count: number }>();
  #elements: number | undefined;
  readonly #texts = new Set<string>();
  #picture: SurveyedPicture | undefined;
  #problem: string | undefined;

  constructor(topic: BagTopic) {
    this.#topic = topic;
  }

  /** Takes the time of a message. @param start of the recording, nanoseconds */
  time({ logTime }: BagMessage, start: bigint): void {
    this.#count++;
    if (this.#last !== undefined) {
      const seconds = toSeconds(logTime - this.#last);
      if (this.#intervals.length < INTERVALS) this.#intervals.push(seconds);
      if (seconds > (this.#gap?.seconds ?? 0)) this.#gap = { seconds, at: toSeconds(this.#last - start) };
    }
    this.#last = logTime;
  }

  /** Whether the content of the next message could still tell something. */
  get curious(): boolean {
    if (TRANSPORT_OF.has(this.#topic.type)) return this.#picture === undefined && this.#count <= LOOKED_INTO;
    if (this.#topic.type === 'std_msgs/msg/String') return this.#texts.size < KEPT;
    return this.#count <= LOOKED_INTO;
  }

  /** Takes the content of a message. @returns the picture, if it is the first that can be read */
  async content(decoded: unknown): Promise<RgbImage | undefined> {
    const fields = (decoded ?? {}) as Readonly<Record<string, unknown>>;
    const { type } = this.#topic;
    const transport = TRANSPORT_OF.get(type);
    if (transport !== undefined) {
      const frame = rawFrame({ transport }, decoded);
      checkFrame(frame);
      const picture = await decodeFrame(frame);
      const { width, height } = picture;
      const encoding = frame.kind === 'raw' ? frame.encoding : frame.format;
      this.#picture = { width, height, encoding };
      return picture;
    }
    if (type === 'sensor_msgs/msg/JointState' && Array.isArray(fields['name'])) {
      const names = fields['name'].filter((name): name is string => typeof name === 'string');
      const key = JSON.stringify(names);
      const known = this.#joints.get(key);
      if (known !== undefined) known.count++;
      else if (this.#joints.size < KEPT) this.#joints.set(key, { names, count: 1 });
    }
    if (type === 'std_msgs/msg/String' && typeof fields['data'] === 'string') {
      const text = fields['data'].trim();
      if (text !== '') this.#texts.add(text);
    }
    if (ARRAY_TYPE.test(type)) {
      const length = (fields['data'] as { readonly length?: unknown } | undefined)?.length;
      if (typeof length === 'number') this.#elements ??= length;
    }
    return undefined;
  }

  cannotBeRead(problem: string): void {
    this.#problem ??= problem;
  }

  survey(): SurveyedTopic {
    const { name, type, encoding } = this.#topic;
    const sorted = [...this.#intervals].sort((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)];
    return {
      name,
      type,
      encoding,
      count: this.#count,
      rate: median === undefined || median <= 0 ? undefined : 1 / median,
      longestGap: this.#gap,
      joints: [...this.#joints.values()].sort((a, b) => b.count - a.count).map(({ names }) => names),
      elements: this.#elements,
      texts: [...this.#texts],
      picture: this.#picture,
      problem: this.#problem,
    };
  }
}

/** Reads a recording once and says what is in it. */
export async function surveyBag(
  reader: BagReader,
  { onPicture, onProgress, signal }: SurveyOptions = {},
): Promise<BagSurvey> {
  const found = new Map(reader.topics.map((topic) => [topicKey(topic), new TopicFindings(topic)]));
  const start = reader.start ?? 0n;
  const length = reader.end === undefined ? 0 : toSeconds(reader.end - start);
  for await (const message of reader.messages()) {
    if (signal?.aborted === true) break;
    const topic = found.get(topicKey({ ...message, name: message.topic }));
    if (topic === undefined) continue;
    topic.time(message, start);
    if (length > 0) onProgress?.(Math.min(1, toSeconds(message.logTime - start) / length));
    if (!topic.curious) continue;
    try {
      const picture = await topic.content(reader.decode(message));
      if (picture !== undefined) await onPicture?.(message.topic, picture);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      topic.cannotBeRead(error.message);
    }
  }
  return {
    path: reader.path,
    storage: reader.storage,
    length,
    topics: [...found.values()].map((topic) => topic.survey()),
    warnings: [
      ...reader.warnings,
      ...(signal?.aborted === true
        ? ['stopped by the user: the figures cover the recording up to here']
        : []),
    ],
  };
}
