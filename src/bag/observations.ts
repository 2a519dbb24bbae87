import { InputError, messageOf } from '../errors';
import type { ObservationLimits } from '../observation/guards';
import { ObservationBuffer } from '../observation/ObservationBuffer';
import { decodeFrame, detached, rawFrame } from '../observation/RawFrame';
import type { RawFrame } from '../observation/RawFrame';
import type { Plausibility } from '../observation/plausibility';
import { fromSeconds, headerStamp, toSeconds } from '../observation/stamp';
import type { RgbImage } from '../observation/types';
import type { TopicMapping } from '../settings/mapping';
import { JointsSeen } from './JointsSeen';
import { topicKey } from './MessageDecoder';
import { RecordedCommands } from './RecordedCommands';
import { resolveTopics } from './resolveTopics';
import { SampleQueue } from './SampleQueue';
import type { BagMessage, BagObservation, BagReader, BagSample, SkippedSample } from './types';

export interface SampleOptions {
  /** seconds between actions, 1 / control.rate */
  readonly period: number;
  /** actions executed of each chunk: an observation is due every `replanSteps` periods */
  readonly replanSteps: number;
  /** actions of a chunk: how far recorded actions are looked up; default `replanSteps` */
  readonly horizon?: number;
  readonly limits: ObservationLimits;
  /** what numbers are held against; without it all are plausible */
  readonly plausibility?: Plausibility;
  /** silence of all sources that ends an episode, seconds; default 2 */
  readonly gap?: number;
}

const DEFAULT_GAP = 2;
/** Log times of one recording may be a little out of order; more is a jump back, which is a new episode. */
const JUMP_BACK = fromSeconds(0.5);
/** A stamp further than this from the time of receipt comes from another clock (simulated time, a camera's own). */
const OTHER_CLOCK = fromSeconds(10);

/** Commands are kept this long while no observation needs them. */
const COMMANDS_KEPT = fromSeconds(60);

/** By topic, type and encoding. */
function keyOf({ topic: name, type, encoding }: BagMessage): string {
  return topicKey({ name, type, encoding });
}

type Handler = (message: BagMessage, decoded: unknown) => void;

/**
 * Samples a recording as the node would have seen it: from the moment when every source has sent something, an
 * observation every `replanSteps` periods of log time, made of the newest message of each source that was received
 * by then. An episode ends where the instruction changes, time jumps back, or all sources are silent.
 */
export class BagSampler implements AsyncIterable<BagSample> {
  readonly #reader: BagReader;
  readonly #options: SampleOptions & Required<Pick<SampleOptions, 'horizon' | 'gap'>>;
  readonly #handlers = new Map<string, Handler[]>();
  readonly #buffer: ObservationBuffer<RawFrame>;
  readonly #commands: RecordedCommands | undefined;
  /** Sources that have not sent anything in this episode. */
  readonly #awaited = new Set<string>();
  readonly #sources: readonly string[];
  /** sources that never gave a readable message, with their topics */
  readonly #silent: Map<string, string>;
  /** names of all topics that are read */
  readonly #topics: readonly string[];
  /** keys of their topics, as those of the handlers */
  readonly #sourceTopics: ReadonlySet<string>;
  readonly #topicWarnings: readonly string[];
  readonly #joints: readonly JointsSeen[];
  readonly #otherClocks = new Set<string>();
  readonly #unreadable = new Map<string, { count: number; first: string }>();

  #instruction: string | undefined;
  #episode = 0;
  #chunk = 0;
  #index = 0;
  /** whether reading has begun */
  #read = false;
  /** Log time of the next sample, once all sources are there. */
  #due: bigint | undefined;
  /** Log time of the newest message of a camera or proprioception. */
  #lastSource: bigint | undefined;
  #latest: bigint | undefined;
  readonly #queue: SampleQueue;
  readonly #ready: BagSample[] = [];

  /** @throws UsageError where the recording lacks a topic of the mapping or has it as another type. */
  constructor(reader: BagReader, mapping: TopicMapping, options: SampleOptions) {
    this.#reader = reader;
    this.#options = { gap: DEFAULT_GAP, horizon: options.replanSteps, ...options };
    this.#instruction = mapping.instruction;
    const topics = resolveTopics(reader, mapping);
    this.#buffer = new ObservationBuffer({
      cameras: topics.cameras.map(({ source }) => source.name),
      proprio: topics.proprio.map(({ source }) => source),
      limits: options.limits,
      ...(options.plausibility && { plausibility: options.plausibility }),
    });
    this.#commands =
      topics.commands && new RecordedCommands(topics.commands.source, options.period, this.#options.horizon);
    this.#queue = new SampleQueue(this.#commands);
    const sources = [...topics.cameras, ...topics.proprio];
    this.#sources = sources.map(({ source }) => source.name);
    this.#silent = new Map(sources.map(({ source, topic }) => [source.name, topic]));
    this.#sourceTopics = new Set(sources.map(({ key }) => key));
    this.#topicWarnings = topics.warnings;

    this.#topics = [topics.instruction, ...sources, topics.commands].flatMap((one) => one?.topic ?? []);
    // Instructions first: where one arrives together with a frame, the frame belongs to the new episode.
    if (topics.instruction !== undefined)
      this.#on(topics.instruction.key, (m, decoded) => this.#instruct(m, decoded));
    for (const { source, key } of topics.cameras) {
      this.#on(key, (message, decoded) => {
        const frame = rawFrame(source, decoded);
        this.#buffer.addFrame(source.name, this.#stampOf(message, decoded), frame, message.logTime);
        this.#received(source.name, message);
      });
    }
    this.#joints = topics.proprio.map(({ source, key }) => {
      const joints = new JointsSeen(source);
      this.#on(key, (message, decoded) => {
        joints.add(decoded);
        this.#buffer.addProprio(source.name, this.#stampOf(message, decoded), decoded, message.logTime);
        this.#received(source.name, message);
      });
      return joints;
    });
    if (topics.commands !== undefined) {
      this.#on(topics.commands.key, (message, decoded) =>
        this.#commands?.add(this.#stampOf(message, decoded), decoded),
      );
    }
  }

  /** What a reader of the results must know, one line each. */
  get warnings(): readonly string[] {
    const commands = this.#commands?.unreadable ?? 0;
    return [
      ...this.#reader.warnings,
      ...this.#topicWarnings,
      ...(this.#read
        ? [...this.#silent].map(
            ([source, topic]) =>
              `${source}: the recording has no readable message on ${topic}, and no chunk is due before every source has one`,
          )
        : []),
      ...this.#joints.flatMap((joints) => joints.problem() ?? []),
      ...[...this.#otherClocks].map(
        (topic) => `${topic}: is stamped by another clock than the recorder's; the time of receipt is used`,
      ),
      ...[...this.#unreadable].map(
        ([topic, { count, first }]) => `${topic}: ${count} unreadable messages, first: ${first}`,
      ),
      ...(commands > 0 ? [`commands: ${commands} messages are not what their type promises`] : []),
    ];
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<BagSample, void, void> {
    this.#awaitSources();
    this.#read = true;
    for await (const message of this.#reader.messages({ topics: this.#topics })) {
      // A name may be used with another type too.
      if (!this.#handlers.has(keyOf(message))) continue;
      this.#advance(message);
      this.#handle(message);
      yield* this.#ready.splice(0);
    }
    this.#finishEpisode();
    yield* this.#ready.splice(0);
  }

  #on(key: string, handler: Handler): void {
    this.#handlers.set(key, [...(this.#handlers.get(key) ?? []), handler]);
  }

  #handle(message: BagMessage): void {
    try {
      const decoded = this.#reader.decode(message);
      for (const handler of this.#handlers.get(keyOf(message)) ?? []) handler(message, decoded);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const seen = this.#unreadable.get(message.topic);
      this.#unreadable.set(message.topic, {
        count: (seen?.count ?? 0) + 1,
        first: seen?.first ?? error.message,
      });
    }
  }

  #stampOf({ topic, logTime }: BagMessage, decoded: unknown): bigint {
    const stamp = headerStamp(decoded);
    if (stamp === undefined || this.#otherClocks.has(topic)) return logTime;
    const difference = stamp > logTime ? stamp - logTime : logTime - stamp;
    if (difference <= OTHER_CLOCK) return stamp;
    this.#otherClocks.add(topic);
    return logTime;
  }

  /** Takes what is due, and ends the episode where time does not run on. */
  #advance(message: BagMessage): void {
    const { logTime: time } = message;
    const { gap } = this.#options;
    const jumpedBack = this.#latest !== undefined && time < this.#latest - JUMP_BACK;
    const silent = this.#lastSource !== undefined && time - this.#lastSource > fromSeconds(gap);
    if (jumpedBack || silent) {
      this.#finishEpisode();
      this.#startEpisode();
    }
    if (this.#latest === undefined || jumpedBack || time > this.#latest) this.#latest = time;
    // Only a source that goes on shows that the episode does: commands may run on after the last frame.
    if (this.#sourceTopics.has(keyOf(message))) this.#sampleBefore(time);
    this.#ready.push(...this.#queue.released(time));
    if (this.#queue.isEmpty) this.#commands?.forgetBefore(time - COMMANDS_KEPT);
  }

  #sampleBefore(time: bigint): void {
    while (this.#due !== undefined && this.#due < time) {
      this.#sample(this.#due);
      this.#due += fromSeconds(this.#options.replanSteps * this.#options.period);
    }
  }

  /** Takes what was due while the sources were still sending, and before `end`. */
  #sampleToLastSource(end?: bigint): void {
    if (this.#lastSource === undefined) return;
    const after = this.#lastSource + 1n;
    this.#sampleBefore(end === undefined || after < end ? after : end);
  }

  #sample(time: bigint): void {
    const seconds = toSeconds(time - (this.#reader.start ?? time));
    const result = this.#buffer.sample(time);
    if (result.kind === 'refused') {
      const { refusals } = result;
      const skipped: SkippedSample = { kind: 'skipped', episode: this.#episode, time: seconds, refusals };
      this.#queue.add(skipped, time, time);
      return;
    }
    const { stamp, proprio, ages, skew, doubts } = result.sources;
    // The buffer that a message was read into holds many others; an observation may be kept for long.
    const frames = new Map(
      [...result.sources.frames].map(([name, frame]) => [name, { ...frame, value: detached(frame.value) }]),
    );
    const observation: BagObservation = {
      kind: 'observation',
      index: this.#index++,
      episode: this.#episode,
      chunk: this.#chunk++,
      time: seconds,
      stamp,
      instruction: this.#instruction,
      frames,
      proprio,
      ages,
      skew,
      doubts,
    };
    this.#queue.add(observation, stamp, time);
  }

  #received(source: string, { logTime }: BagMessage): void {
    this.#silent.delete(source);
    this.#lastSource = logTime;
    if (!this.#awaited.delete(source) || this.#awaited.size > 0) return;
    this.#due = logTime;
  }

  #instruct({ logTime }: BagMessage, decoded: unknown): void {
    const text = (decoded as { data?: unknown } | null)?.data;
    // White space around a task says nothing.
    if (typeof text !== 'string' || text.trim() === '' || text.trim() === this.#instruction?.trim()) return;
    const running = this.#due !== undefined;
    if (running) {
      this.#sampleToLastSource(logTime);
      this.#ready.push(...this.#queue.released(undefined, logTime));
      if (this.#chunk > 0) this.#episode++;
      this.#chunk = 0;
      this.#due = logTime;
    }
    this.#instruction = text;
  }

  #finishEpisode(): void {
    this.#sampleToLastSource();
    this.#ready.push(...this.#queue.released());
  }

  #startEpisode(): void {
    if (this.#chunk > 0) this.#episode++;
    this.#chunk = 0;
    this.#due = undefined;
    this.#lastSource = undefined;
    this.#buffer.clear();
    this.#commands?.clear();
    this.#awaitSources();
  }

  #awaitSources(): void {
    for (const source of this.#sources) this.#awaited.add(source);
  }
}

/** Samples a recording, see {@link BagSampler}. It can be iterated once. */
export function sampleBag(reader: BagReader, mapping: TopicMapping, options: SampleOptions): BagSampler {
  return new BagSampler(reader, mapping, options);
}

/**
 * The pictures of an observation, decoded.
 * @throws InputError naming the camera whose picture cannot be read.
 */
export async function decodeFrames(observation: BagObservation): Promise<Map<string, RgbImage>> {
  const images = new Map<string, RgbImage>();
  for (const [camera, { value }] of observation.frames) {
    try {
      images.set(camera, await decodeFrame(value));
    } catch (error) {
      throw new InputError(`camera ${camera}: ${messageOf(error)}`, { cause: error });
    }
  }
  return images;
}
