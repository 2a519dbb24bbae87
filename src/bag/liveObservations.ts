import { InputError } from '../errors';
import { detached, rawFrame } from '../observation/RawFrame';
import type { RawFrame } from '../observation/RawFrame';
import type { Stamped } from '../observation/History';
import { doubtsAbout } from '../observation/plausibility';
import type { Plausibility } from '../observation/plausibility';
import { readVector } from '../observation/readVector';
import { fromSeconds, headerStamp, toSeconds } from '../observation/stamp';
import type { TopicMapping } from '../settings/mapping';
import type { LiveChunk } from './liveChunks';
import type { BagObservation, BagSample } from './types';
import { topicKey } from './MessageDecoder';
import { RecordedCommands } from './RecordedCommands';
import { resolveTopics } from './resolveTopics';
import { SampleQueue } from './SampleQueue';
import type { BagMessage, BagReader } from './types';

/** Ages went through the message as doubles of seconds; stamps of one source are further apart than this. */
const SAME_STAMP = fromSeconds(1e-5);
/** A message may have been recorded so much later than it is stamped. */
const DELAY = fromSeconds(1);

export interface LiveOptions {
  /** seconds between actions */
  readonly period: number;
  /** actions of a chunk: how far recorded actions are looked up */
  readonly horizon: number;
  /** what numbers are held against; without it all are plausible */
  readonly plausibility?: Plausibility;
}

interface Source {
  readonly name: string;
  readonly recent: Stamped<unknown>[];
}

/**
 * What a node saw when it made its chunks, found in the recording that was played to it: each chunk says of every
 * source how old its message was. One sample for each chunk, in their order.
 */
export class LiveSampler implements AsyncIterable<BagSample> {
  /** the chunks of the observations that were given out, in their order */
  readonly matched: LiveChunk[] = [];
  readonly #reader: BagReader;
  readonly #mapping: TopicMapping;
  readonly #chunks: readonly LiveChunk[];
  readonly #options: LiveOptions;
  #unreadable = 0;

  constructor(reader: BagReader, mapping: TopicMapping, chunks: readonly LiveChunk[], options: LiveOptions) {
    this.#reader = reader;
    this.#mapping = mapping;
    this.#chunks = chunks;
    this.#options = options;
  }

  get warnings(): readonly string[] {
    return [
      ...this.#reader.warnings,
      ...(this.#unreadable > 0 ? [`${this.#unreadable} messages of the recording are unreadable`] : []),
    ];
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<BagSample, void, void> {
    const topics = resolveTopics(this.#reader, this.#mapping);
    const names = [...topics.cameras, ...topics.proprio, topics.commands].flatMap((one) => one?.topic ?? []);
    const { period, horizon } = this.#options;
    const commands = topics.commands && new RecordedCommands(topics.commands.source, period, horizon);
    const named = [...topics.cameras, ...topics.proprio];
    const sources = new Map(named.map(({ source }) => [source.name, { name: source.name, recent: [] }]));
    const cameras = topics.cameras.map(({ source }) => source.name);
    const oldest = Math.max(0, ...this.#chunks.flatMap((chunk) => chunk.sources.map(({ age }) => age)));
    const kept = fromSeconds(oldest) + 2n * DELAY;
    const queue = new SampleQueue(commands);
    let next = 0;
    let index = 0;

    const assemble = (time: bigint): void => {
      for (let chunk = this.#chunks[next]; chunk && chunk.time + DELAY < time; chunk = this.#chunks[next]) {
        next += 1;
        const sample = this.#observation(chunk, sources, cameras, index);
        if (sample.kind === 'observation') {
          index += 1;
          this.matched.push(chunk);
        }
        queue.add(sample, chunk.stamp, chunk.time);
      }
    };

    const handlers = new Map<string, (message: BagMessage, decoded: unknown) => void>();
    const on = (key: string, handle: (stamp: bigint, decoded: unknown) => void): void => {
      const before = handlers.get(key);
      handlers.set(key, (message, decoded) => {
        before?.(message, decoded);
        handle(headerStamp(decoded) ?? message.logTime, decoded);
      });
    };
    for (const { source, key } of topics.cameras) {
      const recent: Stamped<unknown>[] = sources.get(source.name)?.recent ?? [];
      on(key, (stamp, decoded) => recent.push({ stamp, value: rawFrame(source, decoded) }));
    }
    for (const { source, key } of topics.proprio) {
      const recent: Stamped<unknown>[] = sources.get(source.name)?.recent ?? [];
      on(key, (stamp, decoded) => {
        const reading = readVector(source, decoded);
        if (reading.kind === 'values') recent.push({ stamp, value: reading.values });
      });
    }
    if (topics.commands) on(topics.commands.key, (stamp, decoded) => commands?.add(stamp, decoded));

    for await (const message of this.#reader.messages({ topics: names })) {
      const { logTime } = message;
      assemble(logTime);
      yield* queue.released(logTime);
      for (const { recent } of sources.values() as Iterable<Source>) {
        while (recent[0] && recent[0].stamp < logTime - kept) recent.shift();
      }
      try {
        handlers.get(topicKey({ ...message, name: message.topic }))?.(message, this.#reader.decode(message));
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        this.#unreadable += 1;
      }
    }
    const last = this.#chunks.reduce((time, chunk) => (chunk.time > time ? chunk.time : time), 0n);
    assemble(last + 2n * DELAY);
    yield* queue.released();
  }

  #observation(
    chunk: LiveChunk,
    sources: ReadonlyMap<string, Source>,
    cameras: readonly string[],
    index: number,
  ): BagSample {
    const time = toSeconds(chunk.time - (this.#reader.start ?? chunk.time));
    const frames = new Map<string, Stamped<RawFrame>>();
    const proprio: number[] = [];
    const names = this.#mapping.proprio.map(({ name }) => name);
    const missing: string[] = [];
    let vectors = 0;
    for (const { name, age } of chunk.sources) {
      const isCamera = cameras.includes(name);
      // A chunk may call its only source of proprioception by another name than the params file.
      const known = isCamera || names.includes(name) ? name : names[vectors];
      if (!isCamera) vectors += 1;
      const wanted = chunk.time - fromSeconds(age);
      const found = sources.get(known ?? name)?.recent.find(({ stamp }) => near(stamp, wanted));
      if (!found) missing.push(name);
      else if (isCamera) frames.set(name, { stamp: found.stamp, value: detached(found.value as RawFrame) });
      else proprio.push(...(found.value as Float64Array));
    }
    if (missing.length > 0) {
      const message = `the recording does not hold what chunk ${chunk.episode}:${chunk.chunk} was made from (${missing.join(', ')}): is it the one that was played, once and whole?`;
      const [source = ''] = missing;
      return {
        kind: 'skipped',
        episode: chunk.episode,
        time,
        refusals: [{ kind: 'missing', source, message }],
      };
    }
    const stamps = [...frames.values()].map(({ stamp }) => stamp);
    const skew = stamps.reduce((most, a) => Math.max(most, ...stamps.map((b) => toSeconds(a - b))), 0);
    const observation: BagObservation = {
      kind: 'observation',
      index,
      episode: chunk.episode,
      chunk: chunk.chunk,
      time,
      stamp: chunk.stamp,
      instruction: chunk.instruction,
      frames: new Map(cameras.flatMap((name) => inOrder(name, frames))),
      proprio: Float64Array.from(proprio),
      ages: chunk.sources,
      skew,
      doubts: doubtsAbout(proprio, this.#options.plausibility),
    };
    return observation;
  }
}

function near(a: bigint, b: bigint): boolean {
  return (a > b ? a - b : b - a) < SAME_STAMP;
}

function inOrder<T>(name: string, values: ReadonlyMap<string, T>): [string, T][] {
  const value = values.get(name);
  return value === undefined ? [] : [[name, value]];
}
