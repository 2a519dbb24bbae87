import type { EulerStep } from '../sampler/eulerStep';
import type { Schedule } from '../sampler/types';
import type { ExpertShape } from './ExpertShape';
import type { DefaultContext, FieldTable, FieldValues } from './fields';

export type { ExpertShape } from './ExpertShape';

/** What of the action expert a policy needs to be able to address. `stack` is served by every expert graph. */
export type Grain = 'stack' | 'block';

/** y = x W^T + b. `weight` [out, in] row-major, `bias` [out], float32. */
export interface LinearMap {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly inputs: number;
  readonly outputs: number;
}

/**
 * One full denoising step. Before the stack runs, x <- x P + q where `before` is given (row vectors). Afterwards x makes
 * the Euler step of the chunk, which guidance may change.
 */
export interface FullStep {
  /** Denoising step index k. */
  readonly index: number;
  /** P [a, a], or [T, a, a] where rows differ, and q [T, a], float32: the reused steps before this one, see affine.ts. */
  readonly before?: { readonly P: Float32Array; readonly q: Float32Array };
  /** Euler step size in place of the schedule's, where the step also stands for those after it. */
  readonly delta?: number;
}

/** Result of M full steps. All float32, freshly allocated (never an alias of a runtime buffer). */
export interface FullRun {
  /** x after the last step, [T, a] */
  readonly x: Float32Array;
  /** x that entered each stack (after `before`), [M, T, a] */
  readonly xs: Float32Array;
  /** velocity of each step as the stack gives it, without guidance, [M, T, a] */
  readonly vs: Float32Array;
  /** hL - h0 of each step, [M, T, d]; only if asked for */
  readonly residuals?: Float32Array;
  /** contributions of every sub-block (SA, CA, FFN) to the residual stream, [M, L, 3, T, d]; only if asked for */
  readonly parts?: Float32Array;
}

/** The block inputs that belong to stored residuals, and what the gate needs to know of them. */
export interface StoredFingerprints {
  /** [N, L, T, d] */
  readonly inputs: Float32Array;
  /** their means over the horizon, each scaled to length 1 [N, L, d] */
  readonly unitMeans: Float32Array;
  /** tokens that the spatial entry compares, ascending */
  readonly tokens: readonly number[];
  /** Euclidean norm of each input at those tokens [N, L] */
  readonly norms: Float32Array;
  /** mean magnitude of its elements there [N, L] */
  readonly magnitudes: Float32Array;
}

/** Inputs of the in-graph X-Cache gate for all N steps; see xCache.ts. */
export interface BlockGate {
  readonly fingerprints: StoredFingerprints;
  /** stored block residuals [N, L, T, d] */
  readonly residuals: Float32Array;
  /** cosine threshold of each cell [N, L] */
  readonly tauCos: Float32Array;
  /** smallest cosine of the condition entries against those stored in each cell [N, L] */
  readonly conditionCosine: Float32Array;
  /** 1 where skipping is allowed at all [N, L] */
  readonly allowed: Uint8Array;
  readonly tauDev: number;
  readonly epsilon: number;
}

export interface GatedRun extends FullRun {
  /** 1 where the block was skipped [N, L] */
  readonly skipped: Uint8Array;
  /** s_cos of each evaluated gate, NaN elsewhere [N, L] */
  readonly similarity: Float32Array;
  /** d_max of each evaluated gate, NaN elsewhere [N, L] */
  readonly deviation: Float32Array;
  /** block inputs h_l of each step, and hL last, [N, L+1, T, d] */
  readonly hidden: Float32Array;
}

/**
 * The action expert during one chunk, as cache policies see it: the context and the video K/V of the chunk are
 * already bound. Every call counts what it computes. Nothing here knows of onnxruntime.
 */
export interface Expert {
  readonly shape: ExpertShape;
  readonly schedule: Schedule;
  /** a -> d */
  readonly encoder: LinearMap;
  /** d -> a; plain linear, so a reused step is affine in x, see affine.ts. */
  readonly head: LinearMap;
  /** A = W_h W_e, [a, a] row-major, float64: v = x A^T + D on a reused step. */
  readonly A: Float64Array;

  /**
   * How x moves in denoising step k of this chunk: `advance` it with this after every step that is not run here, so that
   * guidance towards the chunk before holds there too.
   * @param delta its length in place of the schedule's, where the step also stands for those after it
   */
  step(index: number, delta?: number): EulerStep;

  /** Full steps in one call; x [T, a]. */
  fullSteps(
    x: Float32Array,
    steps: readonly FullStep[],
    record?: { residuals?: boolean; parts?: boolean },
  ): Promise<FullRun>;

  /** h0 = encode(x) and y = blocks 0..depth-1, both [T, d]. Needs grain `block`. */
  probe(x: Float32Array, index: number, depth: number): Promise<{ h0: Float32Array; y: Float32Array }>;

  /** Blocks depth..L-1 from y, head and Euler step. Needs grain `block`. */
  resume(
    x: Float32Array,
    y: Float32Array,
    index: number,
    depth: number,
  ): Promise<{ x: Float32Array; v: Float32Array; hL: Float32Array }>;

  /** All N steps with a fixed schedule of sub-blocks: computed [N, L, 3]; a 0 re-uses the contribution held
   * from the last step in this call that computed it. Needs grain `block`. `steps` defaults to all N, in which
   * case `computed` has N rows; otherwise one row for each step. `hold` says what is kept of a sub-block: the gated
   * term that was added (default), or the term before its gate, to which the gate of the current step is applied. */
  scheduledSteps(
    x: Float32Array,
    computed: Uint8Array,
    steps?: readonly FullStep[],
    hold?: 'gated' | 'ungated',
  ): Promise<FullRun>;

  /** All N steps with the dual gate of X-Cache between the blocks. Needs grain `block`. */
  gatedSteps(x: Float32Array, gate: BlockGate): Promise<GatedRun>;
}

/** What is known of a chunk before its images are looked at. */
export interface EarlyContext {
  /** number of the chunk in its episode, from 0 */
  readonly chunk: number;
  /** stamp of the observation, seconds */
  readonly time: number;
  /** seconds between two actions */
  readonly period: number;
  /** actions executed before the next chunk */
  readonly replanSteps: number;
  /** for normalised actions [T, a] the side of its threshold that each gripper is commanded to, [T] each; none where absent */
  readonly gripperSides?: (actions: Float32Array) => readonly Uint8Array[];
  /** keep the whole-stack residual of every full step for evaluation */
  readonly recordResiduals?: boolean;
  /** the policies that this one hands work to, by name */
  readonly companions?: Companions;
}

/** What a policy may look at in one chunk. */
export interface ChunkContext extends EarlyContext {
  /** starting noise [T, a] */
  readonly noise: Float32Array;
  /** normalised proprioception [p]; empty if the model has none */
  readonly proprio: Float32Array;
  /** normalised VAE latents of the first frame, [48, h, w] */
  readonly latents: Float32Array;
  readonly latentShape: readonly [number, number, number];
  /** action dimensions that are grippers; none where absent */
  readonly grippers?: readonly number[];
}

/** A policy to which another one hands work, with its settings filled in. */
export interface Companion {
  readonly policy: CachePolicy;
  readonly values: FieldValues<FieldTable>;
}
export type Companions = Readonly<Record<string, Companion>>;

/** What belongs to a bundle and is not a setting. */
export interface CacheResources {
  /** All records that a calibration has left beside the bundle; none where nothing was calibrated. */
  learnt?<L>(calibration: Calibration<FieldTable, L>): readonly L[];
}

/** What settings are held against: a model, and what lies beside it. */
export interface CacheModel extends DefaultContext {
  readonly resources?: CacheResources;
}

/** What a refusal may depend on beside a policy's own settings. */
export interface RefusalContext extends CacheResources {
  readonly companions?: Companions;
}

export type ComputedShape = 'steps' | 'blocks' | 'subblocks';

/** What the cache did in one chunk: the report that every chunk carries, on the wire and into every figure. */
export interface ChunkReport {
  /** name of the cache policy */
  readonly policy: string;
  /** the settings in force; 0 and [0, 0] for policies without them */
  readonly refreshInterval: number;
  readonly range: readonly [number, number];
  readonly refreshed: boolean;
  /** why it refreshed; empty for a reuse chunk */
  readonly reason: string;
  readonly fullSteps: number;
  readonly reusedSteps: number;
  /** full-stack equivalents */
  readonly stackEvaluations: number;
  readonly computedSubBlocks: number;
  /** sub-blocks of an uncached chunk */
  readonly totalSubBlocks: number;
  /** [N], [N, L] or [N, L, 3] by `computedShape`: 1 where computed */
  readonly computed: Uint8Array;
  readonly computedShape: ComputedShape;
  /** time spent deciding, seconds */
  readonly gateSeconds: number;
  /** figures behind the decision, by name (drift, proprio jump ...) */
  readonly signals: Readonly<Record<string, number>>;
  /** stored values that did not fit (non-finite, wrong shape) and were recomputed */
  readonly fallbacks: number;
  /** bytes that the cache holds after the chunk */
  readonly bytes: number;
}

/** What a policy did in one chunk. */
export interface ChunkOutcome extends Omit<
  ChunkReport,
  'policy' | 'refreshInterval' | 'range' | 'totalSubBlocks' | 'bytes'
> {
  /** final x, normalised actions [T, a] */
  readonly x: Float32Array;
  /** velocity of each step, before guidance, [N, T, a] */
  readonly velocity: Float32Array;
  /** hL - h0 of the full steps by step index, if `recordResiduals` */
  readonly residuals?: ReadonlyMap<number, Float32Array>;
}

/** What happened in consecutive denoising steps of one chunk. */
export interface StepRun {
  /** x after the last step, [T, a] */
  readonly x: Float32Array;
  /** velocity of each step, [steps, T, a] */
  readonly velocity: Float32Array;
  /** 1 where the stack ran, [steps] */
  readonly computed: Uint8Array;
  /** the same in finer grain, where a policy decides below the whole stack */
  readonly finer?: { readonly computed: Uint8Array; readonly shape: ComputedShape };
  readonly computedSubBlocks: number;
  /** hL - h0 of the full steps by step index, as far as it was recorded */
  readonly residuals: ReadonlyMap<number, Float32Array>;
  /** time spent deciding and predicting outside the graph, seconds */
  readonly gateSeconds: number;
  /** bytes that the steps held on to while they ran */
  readonly bytes: number;
  readonly signals: Readonly<Record<string, number>>;
}

/**
 * The state of one policy in one episode. `run` computes a chunk and stages what it would store; `commit` makes it
 * the state, `discard` forgets it: an aborted chunk changes nothing.
 */
export interface CacheState<S> {
  /**
   * A chunk that needs nothing of the new observation: then neither images, VAE and prefill nor the action expert run.
   * Undefined if the chunk is to be computed, by `run`. What it stages is committed or discarded as with `run`.
   */
  beforePerception?(chunk: EarlyContext, settings: S): ChunkOutcome | undefined;
  run(chunk: ChunkContext, settings: S, expert: Expert): Promise<ChunkOutcome>;
  commit(): void;
  discard(): void;
  /** Empties the cache; the next chunk is computed in full with this reason. */
  clear(reason: string): void;
  /** bytes held */
  readonly bytes: number;
}

/** Offered by a policy that caches within a chunk only: it may take over the steps that another one leaves. */
export interface Tail<F extends FieldTable = FieldTable> {
  /** Runs the steps `first`..N-1 from x, as the policy itself does from 0. */
  run(
    expert: Expert,
    x: Float32Array,
    first: number,
    settings: FieldValues<F>,
    recordResiduals: boolean,
    resources?: CacheResources,
  ): Promise<StepRun>;
  /** The fewest steps of which it could skip one. */
  fewestSteps(settings: FieldValues<F>): number;
}

/** Offered by a policy that one number trades between closeness and speed: `fastwam calibrate` searches it. */
export interface Threshold<F extends FieldTable = FieldTable> {
  /** The settings that belong to a looseness above 0: the larger, the more is reused. Numbers are rounded to four digits. */
  settings(looseness: number, schedule: Schedule): Partial<FieldValues<F>>;
  /** looseness at which the search begins */
  readonly start: number;
  /** what is searched, for people: `tau_floor = 1 - u with margin = u` */
  readonly says: string;
}

/** Learns for one policy from the uncached chunks of one model. */
export interface Learner<F extends FieldTable, L> {
  /** Takes in all N steps of one uncached chunk, with what the calibration `looksAt`. */
  add(run: FullRun): void;
  /** What was learnt for these settings. @throws InputError before the first chunk */
  solve(settings: FieldValues<F>): L;
}

/**
 * Offered by a policy that learns from recordings beforehand. `fastwam calibrate` keeps the records L, plain JSON, in a
 * file beside the bundle; the policy finds them in `CacheResources`.
 */
export interface Calibration<F extends FieldTable = FieldTable, L = unknown> {
  /** name of the policy */
  readonly policy: string;
  /** name of the file beside the bundle */
  readonly file: string;
  /** what the steps of an uncached chunk are recorded with: the terms of all sub-blocks, or the residuals of the stack */
  readonly looksAt: 'parts' | 'residuals';
  begin(shape: ExpertShape): Learner<F, L>;
  /** A record from JSON. @throws FileFormatError */
  parse(json: unknown, file: string): L;
  /** The settings that a record was learnt for; they tell records apart. */
  settingsOf(record: L): Partial<FieldValues<F>>;
  /** Settings that need no record, because they compute everything. */
  withoutRecord(shape: ExpertShape): Partial<FieldValues<F>>;
  /** A record for people, and its figures for programs. */
  describe(record: L): { readonly text: string; readonly figures: Readonly<Record<string, number>> };
}

/** A cache policy: settings documented field by field, and its state for one episode. One file each. */
export interface CachePolicy<F extends FieldTable = FieldTable> {
  readonly name: string;
  /** one line for people */
  readonly title: string;
  /** paper or origin */
  readonly source: string;
  readonly fields: F;
  grain(settings: FieldValues<F>, companions?: Companions): Grain;
  /** A sentence that says what would fit if the settings do not fit this model; undefined if they do. */
  refuse(
    settings: FieldValues<F>,
    shape: ExpertShape,
    schedule: Schedule,
    context?: RefusalContext,
  ): string | undefined;
  /** A sentence for settings that are allowed but unwise. */
  warn?(settings: FieldValues<F>, shape: ExpertShape, schedule: Schedule): string | undefined;
  createState(shape: ExpertShape, schedule: Schedule, resources?: CacheResources): CacheState<FieldValues<F>>;
  readonly tail?: Tail<F>;
  readonly threshold?: Threshold<F>;
  readonly calibration?: Calibration<F>;
}
