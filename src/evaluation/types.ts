import type { Configuration } from '../cache/choice';
import type { ChunkReport } from '../cache/types';
import type { SourceAge } from '../observation/guards';
import type { StageTimes } from '../policy/types';

export type Stage = keyof StageTimes;

/** In the order in which a chunk passes through them; `total` last. */
export const STAGES: readonly Stage[] = ['decode', 'vae', 'prefill', 'expert', 'total'];

/** What figures are drawn from. */
type ReportedFields = Exclude<keyof ChunkReport, 'policy' | 'refreshInterval' | 'range' | 'totalSubBlocks'>;

/** One chunk as the engine returns it. */
export interface ChunkResult {
  /** [T, a], units of the bundle */
  readonly actions: Float32Array;
  /** [T, a], as the network sees them; equal to `actions` where the bundle has no statistics */
  readonly normalised: Float32Array;
  readonly times: StageTimes;
  readonly report: Pick<ChunkReport, ReportedFields>;
  /** actions that the limits changed, as found by the engine */
  readonly clamped?: number;
}

/** What evaluation keeps of an observation. The observation itself is the runner's affair. */
export interface ObservationFacts {
  readonly episode: number;
  /** number of the chunk in its episode, from 0 */
  readonly chunk: number;
  /** seconds since the start of the recording */
  readonly time: number;
  readonly instruction: string;
  readonly sources: readonly SourceAge[];
  /** largest difference between the stamps of the sources, seconds */
  readonly skew: number;
  /** what the recording did at stamp + (k+1)/rate, [T, a]; NaN where it has nothing (after its end) */
  readonly recorded?: Float32Array;
}

/** Actions that belong together: one unit, one meaning. */
export interface ActionGroup {
  /** translation, rotation, gripper, joints ... */
  readonly name: string;
  readonly unit: string;
  /** columns of the action */
  readonly indices: readonly number[];
  /** `delta`: each action is a displacement, so that position is its running sum (this matters for jerk). */
  readonly kind: 'absolute' | 'delta';
}

/** A column that is read as a decision: closed (or on) where the action is above the threshold. */
export interface GripperRule {
  readonly index: number;
  readonly threshold: number;
}

/** What the numbers of an action mean. */
export interface ActionLayout {
  readonly names: readonly string[];
  readonly units: readonly string[];
  /** every column belongs to exactly one group */
  readonly groups: readonly ActionGroup[];
  readonly grippers: readonly GripperRule[];
  /** T */
  readonly horizon: number;
  /** actions executed of each chunk before the next one takes over */
  readonly replanSteps: number;
  /** control steps per second */
  readonly controlRate: number;
  /** N, denoising steps */
  readonly steps: number;
}

/** All chunks of one configuration; `chunks[i]` was computed from `observations[i]` of the evaluation. */
export interface ConfigurationRun {
  readonly configuration: Configuration;
  readonly chunks: readonly ChunkResult[];
}

export type WarningKind =
  'stale' | 'skew' | 'dropped' | 'clamped' | 'fallback' | 'range' | 'random_weights' | 'recording' | 'other';

/** Something a reader must know before believing the figures. */
export interface Warning {
  readonly kind: WarningKind;
  readonly message: string;
  /** seconds since the start of the recording */
  readonly time?: number;
  readonly configuration?: string;
}

/** What a camera saw, small enough for a report. */
export interface SmallPicture {
  readonly camera: string;
  /** pixels */
  readonly width: number;
  readonly height: number;
  readonly jpeg: Uint8Array;
}

/** Everything an evaluation measured, before any figure is drawn from it. */
export interface Evaluation {
  readonly layout: ActionLayout;
  readonly observations: readonly ObservationFacts[];
  /** the first one has policy `none` */
  readonly runs: readonly ConfigurationRun[];
  /** cosine of the whole-stack residuals of adjacent chunks, one row of N for each observation; a row is absent
   * for the first chunk of an episode, the whole if it was not asked for */
  readonly residualCosines?: readonly (Float64Array | undefined)[];
  readonly warnings: readonly Warning[];
  /** what the cameras saw at the worst moments, by index of the observation */
  readonly pictures?: ReadonlyMap<number, readonly SmallPicture[]>;
}

/** Where the figures come from: enough to run the same again. */
export interface Provenance {
  /** the command line, one word each */
  readonly command: readonly string[];
  /** ISO 8601 */
  readonly startedAt: string;
  /** wall-clock seconds of the whole evaluation */
  readonly duration: number;
  readonly model: {
    readonly name: string;
    readonly path: string;
    readonly fingerprint: string;
    readonly randomWeights: boolean;
    /** label and value, for people: sizes, steps, shift, image */
    readonly facts: readonly (readonly [string, string])[];
  };
  readonly recording: {
    readonly name: string;
    readonly path: string;
    readonly facts: readonly (readonly [string, string])[];
  };
  /** product, node, onnxruntime ... */
  readonly versions: readonly (readonly [string, string])[];
  /** CPU, cores, memory, GPU, provider, precision, threads ... */
  readonly machine: readonly (readonly [string, string])[];
  /** the settings in force, by their full parameter names */
  readonly settings: readonly (readonly [string, string])[];
}

/** How much a cached action may differ from the uncached one to be accepted. */
export interface Tolerance {
  readonly measure: 'rmse' | 'worst';
  /** limit for each group of actions, in its unit, over the executed part */
  readonly groups: Readonly<Record<string, number>>;
  /** limit over all actions as the network sees them (1 is about the range, or one standard deviation, of the data) */
  readonly normalised?: number;
  /** gripper decisions of the executed part that may flip */
  readonly flips: number;
}
