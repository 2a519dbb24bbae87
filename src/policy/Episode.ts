import { fit } from '../cache/choice';
import type { PolicySettings } from '../cache/choice';
import type { FieldTable, FieldValues } from '../cache/fields';
import { subBlocksOfStack } from '../cache/StepRun';
import type {
  CacheModel,
  CachePolicy,
  CacheState,
  ChunkOutcome,
  ChunkReport,
  EarlyContext,
  Grain,
} from '../cache/types';
import { ChunkDiscarded, OutsideLimits, PictureRefused } from '../errors';
import type { FastWamModel } from '../model/FastWamModel';
import { PictureWatch } from '../observation/PictureWatch';
import type { StillPicture } from '../observation/PictureWatch';
import type { RgbImage } from '../observation/types';
import { chunkNoise } from '../sampler/noise';
import { ActionTransform } from './actions';
import { continuation } from './Continuation';
import type { FormerChunk, GuidanceReport } from './Continuation';
import { BundleResources } from './CalibrationFile';
import { Perception } from './Perception';
import type { CheckedObservation } from './Perception';
import type { ActionChunk, InferOptions, Observation, StageTimes } from './types';

type Values = FieldValues<FieldTable>;

/** A policy and its state in this episode. */
interface Cache {
  readonly policy: CachePolicy;
  readonly state: CacheState<Values>;
}

/** What it takes to compute a chunk. */
interface Computation {
  readonly early: EarlyContext;
  readonly values: Values;
  readonly state: CacheState<Values>;
  readonly grain: Grain;
  readonly settings: PolicySettings;
  readonly options: InferOptions;
  readonly started: number;
  readonly look: (camera: string, picture: RgbImage) => void;
}

interface Computed {
  readonly outcome: ChunkOutcome;
  readonly guidance: GuidanceReport;
  readonly latents: Float32Array;
  readonly times: Omit<StageTimes, 'total'>;
}

/** Times of a chunk for which nothing ran. */
const NO_STAGES: Computed['times'] = { decode: 0, vae: 0, prefill: 0, expert: 0 };
const PLAN_REUSED: GuidanceReport = { rows: 0, delay: 0, executed: 0, reason: 'plan_reused' };

/**
 * One stream of chunks: episode and chunk numbers, and the cache. Observation -> normalise -> model with cache ->
 * denormalise -> action chunk. A chunk that fails or is discarded changes nothing, and its number is used again.
 */
export class Episode {
  readonly #actions: ActionTransform;
  readonly #perception: Perception;
  readonly #grippers: readonly number[];
  readonly #facts: CacheModel;
  #episode = 0;
  #chunk = 0;
  #instruction: string | undefined;
  #cache: Cache | undefined;
  #sampler: string | undefined;
  #former: FormerChunk | undefined;
  /** A camera that has stopped has not started again because an episode does: it outlives them. */
  readonly #pictures = new PictureWatch();
  /** moves on at every reset, so that a chunk in flight notices */
  #generation = 0;

  constructor(private readonly model: FastWamModel) {
    this.#actions = new ActionTransform(model.bundle);
    this.#perception = new Perception(model);
    this.#grippers = model.bundle.manifest.actions.gripper.map(({ index }) => index);
    const { shape, schedule, bundle } = model;
    this.#facts = { shape, schedule, resources: new BundleResources(bundle) };
  }

  /** Starts the next episode: empty cache, chunk 0. A chunk in flight is discarded. */
  reset(): void {
    this.#generation += 1;
    if (this.#chunk > 0) this.#episode += 1;
    this.#chunk = 0;
    this.#instruction = undefined;
    this.#former = undefined;
    this.#cache?.state.clear('first_chunk');
  }

  /**
   * The next chunk. A new instruction starts a new episode.
   * @throws InputError for an observation or settings that do not fit, PictureRefused; ChunkDiscarded after a reset;
   * OutsideLimits
   */
  async infer(
    observation: Observation,
    settings: PolicySettings,
    options: InferOptions = {},
  ): Promise<ActionChunk> {
    const started = performance.now();
    const { instruction } = observation;
    const checked = this.#perception.check(observation);
    const { policy, values, companions, grain } = fit(settings, this.#facts);
    if (this.#instruction !== undefined && this.#instruction !== instruction) this.reset();
    const generation = this.#generation;

    const still: StillPicture[] = [];
    const look = (camera: string, picture: RgbImage): void => {
      const seen = this.#pictures.see(
        camera,
        picture,
        observation.stamp,
        observation.proprio,
        options.maxFrozen ?? 0,
      );
      if (seen?.refused) throw new PictureRefused('frozen', camera, seen.message);
      if (seen) still.push(seen);
    };
    const cache = this.#cacheFor(policy, settings);
    const { state } = cache;
    const { control } = this.model.bundle.manifest;
    const period = options.period ?? 1 / control.rate;
    const early: EarlyContext = {
      chunk: this.#chunk,
      time: observation.stamp,
      period,
      replanSteps: options.replanSteps ?? control.replan_steps,
      gripperSides: (actions) => this.#gripperSides(actions),
      companions,
      ...(options.recordResiduals ? { recordResiduals: true } : {}),
    };
    const unseen = state.beforePerception?.(early, values);
    try {
      const { outcome, guidance, latents, times } = unseen
        ? { outcome: unseen, guidance: PLAN_REUSED, latents: undefined, times: NO_STAGES }
        : await this.#compute(checked, { early, values, state, grain, settings, options, started, look });
      // A plan that goes on still counts from where it was made.
      const origin = unseen && this.#former ? this.#former.state : observation.proprio;
      const { actions, clamped } = this.#actions.apply(outcome.x, origin);
      if (clamped > 0 && options.refuseLimited) {
        throw new OutsideLimits(
          `${clamped} values of the chunk lie outside the limits of the bundle; it was dropped (safety.limits: refuse)`,
        );
      }
      if (generation !== this.#generation) {
        throw new ChunkDiscarded();
      }
      state.commit();
      this.#cache = cache;
      this.#sampler = samplerKey(settings);
      const chunk: ActionChunk = {
        episode: this.#episode,
        chunk: this.#chunk,
        instruction,
        stamp: observation.stamp,
        actions,
        normalised: outcome.x,
        clamped,
        still,
        report: this.#report(policy, values, outcome, state),
        guidance,
        times: {
          ...times,
          total: (performance.now() - started) / 1000,
        },
        ...(outcome.residuals ? { residuals: outcome.residuals } : {}),
        ...(options.recordTrace
          ? { trace: { latents: latents ?? this.#noLatents(), velocity: outcome.velocity } }
          : {}),
      };
      this.#chunk += 1;
      this.#instruction = instruction;
      this.#former = {
        normalised: outcome.x.slice(),
        state: Array.from(origin),
        stamp: observation.stamp,
        period,
      };
      return chunk;
    } catch (error) {
      state.discard();
      throw error;
    }
  }

  /** Perceives the observation and runs the policy. */
  async #compute(
    checked: CheckedObservation,
    { early, values, state, grain, settings, options, started, look }: Computation,
  ): Promise<Computed> {
    const { observation } = checked;
    const percept = await this.#perception.perceive(checked, started, look);
    await this.model.ensureGrain(grain);
    const now = { stamp: observation.stamp, proprio: observation.proprio, period: early.period };
    const { target, report: guidance } = continuation(this.#former, now, options.rtc, {
      horizon: this.model.shape.horizon,
      actions: this.#actions,
    });
    const { proprio, latents } = percept;
    const expertStarted = performance.now();
    const outcome = await state.run(
      {
        ...early,
        noise: options.noise ?? this.#noise(settings),
        proprio,
        latents,
        latentShape: this.model.latentShape,
        grippers: this.#grippers,
      },
      values,
      this.model.expert(percept.binding, target),
    );
    const expert = (performance.now() - expertStarted) / 1000;
    return { outcome, guidance, latents, times: { ...percept.times, expert } };
  }

  /** For each gripper the side of its threshold that normalised actions [T, a] command it to, [T]. */
  #gripperSides(normalised: Float32Array): readonly Uint8Array[] {
    const { bundle, shape } = this.model;
    const { actions } = this.#actions.apply(normalised, this.#former?.state ?? []);
    return bundle.manifest.actions.gripper.map(({ index, threshold }) =>
      Uint8Array.from({ length: shape.horizon }, (_, token) =>
        Number((actions[token * shape.actionDim + index] ?? Number.NaN) > threshold),
      ),
    );
  }

  /** What stands for the latents of a chunk whose images nobody looked at. */
  #noLatents(): Float32Array {
    const [channels, height, width] = this.model.latentShape;
    return new Float32Array(channels * height * width).fill(Number.NaN);
  }

  /** The cache for this chunk: a change of policy or sampler empties it within the episode. */
  #cacheFor(policy: CachePolicy, settings: PolicySettings): Cache {
    const started = this.#chunk > 0;
    if (this.#cache?.policy === policy) {
      if (started && this.#sampler !== samplerKey(settings)) this.#cache.state.clear('sampler_changed');
      return this.#cache;
    }
    const { shape, schedule, resources } = this.#facts;
    const state = policy.createState(shape, schedule, resources);
    if (started) state.clear('policy_changed');
    return { policy, state };
  }

  #noise(settings: PolicySettings): Float32Array {
    const { horizon, actionDim } = this.model.shape;
    const place = { chunk: this.#chunk, episode: this.#episode };
    return chunkNoise(settings, place, horizon * actionDim);
  }

  #report(
    policy: CachePolicy,
    values: Values,
    outcome: ChunkOutcome,
    state: CacheState<Values>,
  ): ChunkReport {
    const settings: { refresh_interval?: number; range?: readonly [number, number] } = values;
    const { shape } = this.model;
    return {
      policy: policy.name,
      refreshInterval: settings.refresh_interval ?? 0,
      range: settings.range ?? [0, 0],
      refreshed: outcome.refreshed,
      reason: outcome.reason,
      fullSteps: outcome.fullSteps,
      reusedSteps: outcome.reusedSteps,
      stackEvaluations: outcome.stackEvaluations,
      computedSubBlocks: outcome.computedSubBlocks,
      totalSubBlocks: shape.steps * subBlocksOfStack(shape),
      computed: outcome.computed,
      computedShape: outcome.computedShape,
      gateSeconds: outcome.gateSeconds,
      signals: outcome.signals,
      fallbacks: outcome.fallbacks,
      bytes: state.bytes,
    };
  }
}

const samplerKey = ({ noise, seed }: PolicySettings): string => `${noise}:${seed}`;
