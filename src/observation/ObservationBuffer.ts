import { InputError } from '../errors';
import { elementNames } from '../settings/sources';
import type { VectorSource } from '../settings/sources';
import { checkAges, checkFinite, checkSkew } from './guards';
import type { ObservationLimits, SourceAge } from './guards';
import type { Stamped } from './History';
import { doubtsAbout } from './plausibility';
import type { Plausibility } from './plausibility';
import { ObservationSource } from './ObservationSource';
import { readVector } from './readVector';
import { REFUSAL_KINDS } from './Refusal';
import type { Refusal, RefusalKind } from './Refusal';
import { toSeconds } from './stamp';

/** What the sources showed at one time. */
export interface SampledSources<Frame> {
  /** the time that was asked for, nanoseconds */
  readonly time: bigint;
  /** stamp of the observation: that of its newest frame, or of its newest proprioception where there is no camera */
  readonly stamp: bigint;
  /** the frame of each camera, in the order of the cameras */
  readonly frames: ReadonlyMap<string, Stamped<Frame>>;
  /** all sources one after another, physical units */
  readonly proprio: Float64Array;
  /** cameras, then proprioception sources: time - stamp, seconds */
  readonly ages: readonly SourceAge[];
  /** newest less oldest stamp of the cameras, seconds; 0 for fewer than two */
  readonly skew: number;
  /** what is used and can hardly be so, one line each */
  readonly doubts: readonly string[];
}

export type SampleResult<Frame> =
  | { readonly kind: 'sampled'; readonly sources: SampledSources<Frame> }
  | { readonly kind: 'refused'; readonly refusals: readonly Refusal[] };

export interface ObservationBufferOptions {
  readonly cameras: readonly string[];
  /** fitted to the bundle, so that all say how many numbers they give */
  readonly proprio: readonly VectorSource[];
  readonly limits: ObservationLimits;
  /** what numbers are held against; without it all are plausible */
  readonly plausibility?: Plausibility;
  /** entries kept for each source; default 4 */
  readonly depth?: number;
  /** frames kept of a camera, where they are to be more: of those that turn out to be unreadable */
  readonly framesOf?: (camera: string) => number;
}

const DEFAULT_DEPTH = 4;

/**
 * Holds the newest messages of all sources and gives, for a time, the newest frame of each camera and the newest
 * proprioception that are not later. A message that cannot be used is counted and takes the place of none that can.
 * It has no clock: stamps and times are passed in, so that replay and a live node get the same observations from the
 * same messages.
 */
export class ObservationBuffer<Frame> {
  /** May be replaced while running; it holds from the next sample on. */
  limits: ObservationLimits;

  readonly #cameras: ReadonlyMap<string, ObservationSource<Frame>>;
  readonly #proprio: ReadonlyMap<
    string,
    {
      readonly from: VectorSource;
      /** place of its first number in the whole proprioception */
      readonly offset: number;
      readonly source: ObservationSource<Float64Array>;
    }
  >;
  readonly #plausibility: Plausibility | undefined;
  readonly #refused = new Map<RefusalKind, number>(REFUSAL_KINDS.map((kind) => [kind, 0]));

  constructor({
    cameras,
    proprio,
    limits,
    plausibility,
    depth = DEFAULT_DEPTH,
    framesOf = () => depth,
  }: ObservationBufferOptions) {
    this.limits = limits;
    this.#plausibility = plausibility;
    this.#cameras = new Map(
      cameras.map((name) => [
        name,
        new ObservationSource({ name, title: `camera ${name}`, depth: framesOf(name) }),
      ]),
    );
    let offset = 0;
    this.#proprio = new Map(
      proprio.map((from) => {
        const { name, topic } = from;
        const source = new ObservationSource<Float64Array>({ name, title: `${name} (${topic})`, depth });
        const entry = { from, offset, source };
        offset += elementNames(from)?.length ?? 0;
        return [name, entry];
      }),
    );
  }

  /** How often each kind of refusal has kept an observation from being made, since the buffer was made. */
  get refused(): ReadonlyMap<RefusalKind, number> {
    return this.#refused;
  }

  /** How many messages of each source were refused for what they are, since the buffer was made. */
  get messagesRefused(): ReadonlyMap<string, ReadonlyMap<RefusalKind, number>> {
    return new Map(this.#sources().map((source) => [source.name, source.refused]));
  }

  /**
   * Adds a frame.
   * @param stamp the header's, else the time of receipt, nanoseconds
   * @param received time of receipt, nanoseconds
   */
  addFrame(camera: string, stamp: bigint, frame: Frame, received: bigint): void {
    this.#camera(camera).add(stamp, frame, received, this.limits.maxAge);
  }

  /** Adds a decoded message of a proprioception source. One about other joints only is passed over. */
  addProprio(name: string, stamp: bigint, message: unknown, received: bigint): void {
    const entry = this.#proprio.get(name);
    if (entry === undefined) throw new InputError(`the buffer has no proprioception source ${name}`);
    const { from, offset, source } = entry;
    const reading = readVector(from, message);
    if (reading.kind !== 'values') {
      source.refuse(reading.refusal, reading.kind === 'unrelated');
      return;
    }
    const { values } = reading;
    const [refusal] = [
      ...checkFinite(name, values, elementNames(from)),
      ...this.#implausible(name, values, offset),
    ];
    if (refusal === undefined) source.add(stamp, values, received, this.limits.maxAge);
    else source.refuse(refusal);
  }

  #implausible(source: string, values: Float64Array, offset: number): Refusal[] {
    const { maxDeviation = 0 } = this.limits;
    const deviation = maxDeviation > 0 ? this.#plausibility?.(values, offset) : undefined;
    if (deviation === undefined || deviation.spreads <= maxDeviation) return [];
    const message = `${source}: ${deviation.message} (observation.max_deviation)`;
    return [{ kind: 'implausible', source, message }];
  }

  /**
   * A frame that was sampled has turned out to be unreadable: the one before it is used again.
   * @param stamp of the frame, nanoseconds
   */
  takeBack(camera: string, stamp: bigint, problem: string): void {
    this.#camera(camera).takeBack(stamp, { kind: 'undecodable', source: camera, message: problem });
  }

  /** A message has come from a camera or proprioception source that cannot be read. */
  refuse(name: string, problem: string): void {
    const source = this.#sources().find((candidate) => candidate.name === name);
    source?.refuse({ kind: 'malformed', source: name, message: `${name}: ${problem}` });
  }

  /** Forgets all messages: a new episode, or time jumped back. The counts stay. */
  clear(): void {
    for (const source of this.#sources()) source.clear();
  }

  /** The observation at `time` (nanoseconds), or every reason why there is none. Refusals are counted. */
  sample(time: bigint): SampleResult<Frame> {
    const refusals: Refusal[] = [];
    const newest = <T>(sources: readonly ObservationSource<T>[]): Map<string, Stamped<T>> => {
      const found = new Map<string, Stamped<T>>();
      for (const source of sources) {
        const entry = source.newest(time, this.limits.maxAge);
        if ('kind' in entry) refusals.push(entry);
        else found.set(source.name, entry);
      }
      return found;
    };
    const frames = newest([...this.#cameras.values()]);
    const vectors = newest([...this.#proprio.values()].map(({ source }) => source));

    const stamps = [...frames.values()].map((frame) => frame.stamp);
    const skew = stamps.length === 0 ? 0 : toSeconds(max(stamps) - min(stamps));
    const ages = [...frames, ...vectors].map(([name, { stamp }]) => ({ name, age: toSeconds(time - stamp) }));
    refusals.push(...checkAges(ages, this.limits), ...checkSkew(skew, this.limits));

    if (refusals.length > 0) {
      for (const { kind } of refusals) this.#refused.set(kind, (this.#refused.get(kind) ?? 0) + 1);
      return { kind: 'refused', refusals };
    }
    const stampsOfObservation =
      stamps.length > 0 ? stamps : [...vectors.values()].map((vector) => vector.stamp);
    const proprio = Float64Array.from([...vectors.values()].flatMap((vector) => [...vector.value]));
    const stamp = stampsOfObservation.length > 0 ? max(stampsOfObservation) : time;
    const doubts = doubtsAbout(proprio, this.#plausibility);
    return { kind: 'sampled', sources: { time, stamp, frames, proprio, ages, skew, doubts } };
  }

  #camera(name: string): ObservationSource<Frame> {
    const source = this.#cameras.get(name);
    if (source === undefined) throw new InputError(`the buffer has no camera ${name}`);
    return source;
  }

  #sources(): readonly ObservationSource<unknown>[] {
    return [...this.#cameras.values(), ...[...this.#proprio.values()].map(({ source }) => source)];
  }
}

function max(values: readonly bigint[]): bigint {
  return values.reduce((a, b) => (b > a ? b : a));
}

function min(values: readonly bigint[]): bigint {
  return values.reduce((a, b) => (b < a ? b : a));
}
