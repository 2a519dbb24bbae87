import { InputError } from '../errors';
import { elementNames } from '../settings/sources';
import type { VectorSource } from '../settings/sources';
import { checkAges, checkFinite, checkSkew, futureSource } from './guards';
import type { ObservationLimits, SourceAge } from './guards';
import { History } from './History';
import type { Stamped } from './History';
import { readVector } from './readVector';
import type { VectorReading } from './readVector';
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
}

export type SampleResult<Frame> =
  | { readonly kind: 'sampled'; readonly sources: SampledSources<Frame> }
  | { readonly kind: 'refused'; readonly refusals: readonly Refusal[] };

export interface ObservationBufferOptions {
  readonly cameras: readonly string[];
  readonly proprio: readonly VectorSource[];
  readonly limits: ObservationLimits;
  /** entries kept for each source; default 4 */
  readonly depth?: number;
}

const DEFAULT_DEPTH = 4;

/**
 * Holds the newest messages of all sources and gives, for a time, the newest frame of each camera and the newest
 * proprioception that are not later. It has no clock: stamps and times are passed in, so that replay and a live node
 * get the same observations from the same messages.
 */
export class ObservationBuffer<Frame> {
  /** May be replaced while running; it holds from the next sample on. */
  limits: ObservationLimits;

  readonly #cameras: ReadonlyMap<string, History<Frame>>;
  readonly #proprio: ReadonlyMap<
    string,
    { readonly source: VectorSource; readonly history: History<VectorReading> }
  >;
  readonly #refused = new Map<RefusalKind, number>(REFUSAL_KINDS.map((kind) => [kind, 0]));

  constructor({ cameras, proprio, limits, depth = DEFAULT_DEPTH }: ObservationBufferOptions) {
    this.limits = limits;
    this.#cameras = new Map(cameras.map((name) => [name, new History<Frame>(depth)]));
    this.#proprio = new Map(
      proprio.map((source) => [source.name, { source, history: new History<VectorReading>(depth) }]),
    );
  }

  /** How often each kind of refusal has occurred since the buffer was made. */
  get refused(): ReadonlyMap<RefusalKind, number> {
    return this.#refused;
  }

  /** Adds a frame. `stamp` is the header's, else the time of receipt, nanoseconds. */
  addFrame(camera: string, stamp: bigint, frame: Frame): void {
    const history = this.#cameras.get(camera);
    if (history === undefined) throw new InputError(`the buffer has no camera ${camera}`);
    history.add(stamp, frame);
  }

  /** Adds a decoded message of a proprioception source. One about other joints only is passed over. */
  addProprio(source: string, stamp: bigint, message: unknown): void {
    const entry = this.#proprio.get(source);
    if (entry === undefined) throw new InputError(`the buffer has no proprioception source ${source}`);
    const reading = readVector(entry.source, message);
    if (reading.kind !== 'unrelated') entry.history.add(stamp, reading);
  }

  /** Forgets all messages: a new episode, or time jumped back. The counts stay. */
  clear(): void {
    for (const history of this.#cameras.values()) history.clear();
    for (const { history } of this.#proprio.values()) history.clear();
  }

  /** The observation at `time` (nanoseconds), or every reason why there is none. Refusals are counted. */
  sample(time: bigint): SampleResult<Frame> {
    const refusals: Refusal[] = [];
    const frames = this.#newestFrames(time, refusals);
    const vectors = this.#newestProprio(time, refusals);

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
    return { kind: 'sampled', sources: { time, stamp, frames, proprio, ages, skew } };
  }

  #newestFrames(time: bigint, refusals: Refusal[]): Map<string, Stamped<Frame>> {
    const frames = new Map<string, Stamped<Frame>>();
    for (const [camera, history] of this.#cameras) {
      const newest = history.notLaterThan(time);
      if (newest === undefined) refusals.push(nothingYet(`camera ${camera}`, camera, history, time));
      else frames.set(camera, newest);
    }
    return frames;
  }

  #newestProprio(time: bigint, refusals: Refusal[]): Map<string, Stamped<Float64Array>> {
    const vectors = new Map<string, Stamped<Float64Array>>();
    for (const [name, { source, history }] of this.#proprio) {
      const newest = history.notLaterThan(time);
      if (newest === undefined) {
        refusals.push(nothingYet(`${name} (${source.topic})`, name, history, time));
      } else if (newest.value.kind === 'refused') {
        refusals.push(newest.value.refusal);
      } else if (newest.value.kind === 'values') {
        const { values } = newest.value;
        refusals.push(...checkFinite(name, values, elementNames(source)));
        vectors.set(name, { stamp: newest.stamp, value: values });
      }
    }
    return vectors;
  }
}

function nothingYet(what: string, source: string, history: History<unknown>, time: bigint): Refusal {
  const ahead = history.oldest;
  if (ahead !== undefined) return futureSource(source, toSeconds(ahead.stamp - time));
  return { kind: 'missing', source, message: `${what} has sent nothing yet` };
}

function max(values: readonly bigint[]): bigint {
  return values.reduce((a, b) => (b > a ? b : a));
}

function min(values: readonly bigint[]): bigint {
  return values.reduce((a, b) => (b < a ? b : a));
}
