import type { PolicySettings } from '../cache/choice';
import { ChunkDiscarded, OutsideLimits, PictureRefused, messageOf } from '../errors';
import type { SampledSources, SampleResult } from '../observation/ObservationBuffer';
import type { Refusal } from '../observation/Refusal';
import type { RtcSettings } from '../settings/rtc';
import { InferenceDelay } from './InferenceDelay';
import { toSeconds } from '../observation/stamp';
import type { RawFrame } from '../observation/RawFrame';
import type { RtcRequest } from './Continuation';
import type { EpisodeHandle } from './PolicyClient';
import type { ActionChunk } from './types';

/** Everything that is fixed for one chunk at its beginning, so that no change ever takes effect inside one. */
export interface ChunkConditions {
  readonly settings: PolicySettings;
  readonly rtc: RtcSettings;
  /** seconds between actions */
  readonly period: number;
  readonly replanSteps: number;
  readonly instruction: string;
  /** whether a chunk of which the limits cut something is dropped */
  readonly refuseLimited: boolean;
  /** how long a camera may repeat a picture, seconds; see {@link InferOptions.maxFrozen} */
  readonly maxFrozen: number;
}

/** A chunk that may go to the robot, and what it was made from. */
export interface ProducedChunk {
  readonly chunk: ActionChunk;
  readonly conditions: ChunkConditions;
  readonly sources: SampledSources<RawFrame>;
}

/** What came of asking for a chunk. */
export type ChunkResult =
  { readonly produced: ProducedChunk } | { readonly produced: undefined; readonly problem: string };

/** Counted since the node was configured. */
export interface ProducerCounts {
  produced: number;
  /** chunks that were not begun because the observation was refused */
  withoutObservation: number;
  /** of those, because a picture was the same for too long */
  frozen: number;
  /** chunks thrown away by a reset, a new instruction or deactivation */
  discarded: number;
  /** chunks that failed: not finite, or the model itself */
  failed: number;
  /** chunks dropped because the limits cut them */
  limited: number;
  /** values pulled inside the limits */
  clamped: number;
  /** chunks that were due while the one before was still being computed */
  late: number;
  episodes: number;
}

export interface ChunkProducerOptions {
  readonly episode: Pick<EpisodeHandle, 'infer' | 'reset'>;
  /** nanoseconds of the node's clock */
  readonly now: () => bigint;
  readonly observe: (time: bigint) => SampleResult<RawFrame>;
  /** A frame that was observed cannot be decoded: it is not to be observed again, but the one before it. */
  readonly takeBack: (camera: string, stamp: bigint, problem: string) => void;
  /** The last time at which the robot was held, seconds; undefined if it never was, or nobody tells. */
  readonly heldSince?: () => number | undefined;
  /** The conditions of a chunk that begins now, or the sentence why none can. */
  readonly conditions: () => ChunkConditions | string;
  readonly publish: (produced: ProducedChunk) => void;
  /** Told of each chunk that did not come about; `kind` says which of two problems are the same. */
  readonly onProblem: (kind: string, message: string) => void;
}

/**
 * Makes chunks: by the clock, `tick` being called once for each control step, or on request. One at a time; what is
 * asked for meanwhile waits. A chunk whose episode has ended when it is finished is thrown away.
 */
export class ChunkProducer {
  readonly counts: ProducerCounts = {
    produced: 0,
    withoutObservation: 0,
    frozen: 0,
    discarded: 0,
    failed: 0,
    limited: 0,
    clamped: 0,
    late: 0,
    episodes: 0,
  };
  /** what stood in the way of the chunk that is due; empty once one has come about */
  refusals: readonly Refusal[] = [];
  last: ProducedChunk | undefined;
  /** what the last chunk that failed said; undefined since one has succeeded */
  failure: string | undefined;
  /** why the last chunk was dropped, if the limits cut it and that is to be refused; undefined since one has succeeded */
  dropped: string | undefined;

  readonly #options: ChunkProducerOptions;
  #active = false;
  /** moves on with every episode, so that a chunk in flight notices */
  #generation = 0;
  #queue: Promise<unknown> = Promise.resolve();
  #pending = 0;
  /** time of the observation's sampling for the last chunk by the clock */
  #begun: bigint | undefined;
  #lateCounted = false;
  readonly #delay = new InferenceDelay();
  /** ends the wait for the chunk in flight; without effect where there is none */
  #abort: (reason: ChunkDiscarded) => void = () => undefined;

  constructor(options: ChunkProducerOptions) {
    this.#options = options;
  }

  get active(): boolean {
    return this.#active;
  }

  /** Whether a chunk is being computed or waited for. */
  get busy(): boolean {
    return this.#pending > 0;
  }

  /** Begins to make chunks, with a new episode. */
  async start(): Promise<void> {
    await this.reset();
    this.#active = true;
  }

  /** Makes no more chunks; one in flight will not be published, and whoever asked for it is told so at once. */
  stop(): void {
    this.#active = false;
    this.#abort(new ChunkDiscarded('the node was deactivated while this chunk was computed'));
    this.#generation += 1;
    this.#begun = undefined;
  }

  /**
   * Starts a new episode: empty cache, chunk 0, the next chunk at once. A chunk in flight is thrown away, and whoever
   * asked for it is told so at once.
   */
  async reset(): Promise<void> {
    this.#abort(new ChunkDiscarded());
    this.#generation += 1;
    this.#begun = undefined;
    this.counts.episodes += 1;
    await this.#options.episode.reset();
  }

  /**
   * One control step has come. Begins a chunk if one is due and none is under way; if the observation does not allow
   * it, the next step tries again.
   */
  tick(): void {
    if (!this.#active) return;
    const now = this.#options.now();
    const conditions = this.#options.conditions();
    if (typeof conditions === 'string') {
      this.#options.onProblem('conditions', conditions);
      return;
    }
    if (!this.#isDue(now, conditions)) return;
    if (this.busy) {
      if (!this.#lateCounted && this.#begun !== undefined) {
        this.counts.late += 1;
        this.#lateCounted = true;
      }
      return;
    }
    void this.request().then(({ produced }) => {
      // after an overload the next chunk may be due already
      if (produced) this.tick();
    });
  }

  /** The next chunk, from the newest observation when its turn comes. Never rejects. */
  request(): Promise<ChunkResult> {
    this.#pending += 1;
    const turn = this.#queue.then(async () => {
      try {
        return await this.#produce();
      } finally {
        this.#pending -= 1;
      }
    });
    this.#queue = turn;
    return turn;
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    await this.#queue;
  }

  #isDue(now: bigint, { period, replanSteps }: ChunkConditions): boolean {
    if (this.#begun === undefined) return true;
    // A step that comes a little early, as timers do, still is the one that was meant.
    return toSeconds(now - this.#begun) >= (replanSteps - 0.5) * period;
  }

  async #produce(): Promise<ChunkResult> {
    if (!this.#active) return this.#problem('inactive', 'the node is not active');
    const conditions = this.#options.conditions();
    if (typeof conditions === 'string') return this.#problem('conditions', conditions);
    const now = this.#options.now();
    const sampled = this.#options.observe(now);
    if (sampled.kind === 'refused') {
      this.counts.withoutObservation += 1;
      this.refusals = sampled.refusals;
      const kinds = sampled.refusals.map(({ kind, source }) => `${kind} ${source}`).join();
      return this.#problem(kinds, sampled.refusals.map(({ message }) => message).join('; '));
    }
    this.refusals = [];
    this.#begun = now;
    this.#lateCounted = false;
    return this.#infer(sampled.sources, conditions, this.#generation);
  }

  async #infer(
    sources: SampledSources<RawFrame>,
    conditions: ChunkConditions,
    generation: number,
  ): Promise<ChunkResult> {
    let chunk: ActionChunk;
    try {
      const inferred = this.#options.episode.infer(
        {
          cameras: new Map([...sources.frames].map(([name, { value }]) => [name, value])),
          proprio: sources.proprio,
          stamp: toSeconds(sources.stamp),
          instruction: conditions.instruction,
        },
        conditions.settings,
        {
          period: conditions.period,
          replanSteps: conditions.replanSteps,
          refuseLimited: conditions.refuseLimited,
          maxFrozen: conditions.maxFrozen,
          rtc: this.#rtcRequest(conditions),
        },
      );
      chunk = await this.#unlessAborted(inferred);
      if (generation !== this.#generation) {
        throw new ChunkDiscarded('the episode ended while this chunk was computed');
      }
    } catch (error) {
      if (error instanceof ChunkDiscarded) {
        this.counts.discarded += 1;
        return { produced: undefined, problem: error.message };
      }
      if (error instanceof PictureRefused) {
        const { reason: kind, camera: source, message } = error;
        // Nothing was made of it: the next control step tries again.
        this.#begun = undefined;
        const frame = sources.frames.get(source);
        if (kind === 'undecodable' && frame !== undefined) {
          this.#options.takeBack(source, frame.stamp, message);
          this.#options.onProblem(`${kind} ${source}`, message);
          // The frame before it may still be good enough.
          return this.#produce();
        }
        this.counts.withoutObservation += 1;
        if (kind === 'frozen') this.counts.frozen += 1;
        this.refusals = [{ kind, source, message }];
        return this.#problem(`${kind} ${source}`, message);
      }
      if (error instanceof OutsideLimits) {
        this.counts.limited += 1;
        this.dropped = error.message;
        return this.#problem('limits', error.message);
      }
      this.counts.failed += 1;
      this.failure = messageOf(error);
      return this.#problem(`failed ${this.failure}`, `the chunk failed: ${this.failure}`);
    }
    const problem = this.#unfit(chunk);
    if (problem !== undefined) return problem;
    const produced = { chunk, conditions, sources };
    for (const { camera, message } of chunk.still) this.#options.onProblem(`still ${camera}`, message);
    for (const doubt of sources.doubts) this.#options.onProblem('doubt', doubt);
    this.#options.publish(produced);
    this.#delay.add(toSeconds(this.#options.now() - sources.stamp));
    this.counts.produced += 1;
    this.last = produced;
    this.failure = undefined;
    this.dropped = undefined;
    return { produced };
  }

  /** What comes of a chunk, or a rejection as soon as nobody wants it any more: the model finishes its work unheard. */
  #unlessAborted(inferred: Promise<ActionChunk>): Promise<ActionChunk> {
    return new Promise((resolve, reject) => {
      this.#abort = reject;
      inferred.then(resolve, reject);
    });
  }

  #rtcRequest({ rtc: settings, period }: ChunkConditions): RtcRequest {
    const measuredDelay = this.#delay.steps(period);
    const heldSince = this.#options.heldSince?.();
    return {
      settings,
      ...(measuredDelay === undefined ? {} : { measuredDelay }),
      ...(heldSince === undefined ? {} : { heldSince }),
    };
  }

  /** The last guard before the robot. */
  #unfit({ actions, clamped }: ActionChunk): ChunkResult | undefined {
    if (!actions.every(Number.isFinite)) {
      this.counts.failed += 1;
      this.failure = 'the model gave an action that is not finite';
      return this.#problem('not_finite', this.failure);
    }
    this.counts.clamped += clamped;
    return undefined;
  }

  #problem(kind: string, message: string): ChunkResult {
    this.#options.onProblem(kind, message);
    return { produced: undefined, problem: message };
  }
}
