import type { ComputedShape } from '../cache/types';
import type { RawFrame } from '../observation/RawFrame';

/** What the robot saw at one moment. */
export interface Observation {
  /** the image as the model takes it, uint8 [H, W, 3]; or `cameras` */
  readonly image?: Uint8Array;
  /** newest frame of each camera, composed as the bundle says */
  readonly cameras?: ReadonlyMap<string, RawFrame>;
  /** [p], physical units if the bundle has statistics */
  readonly proprio: ArrayLike<number>;
  /** time of the observation, seconds */
  readonly stamp: number;
  /** the bare task */
  readonly instruction: string;
}

/** Everything that may change from chunk to chunk. */
export interface PolicySettings {
  /** name of a cache policy */
  readonly policy: string;
  /** the policy's settings by field name; defaults fill the rest */
  readonly values: Readonly<Record<string, unknown>>;
  /** settings of other policies, by policy and field name, for a policy that hands steps to one of them */
  readonly companions?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly noise: 'fixed' | 'fresh';
  readonly seed: number;
}

export const DEFAULT_SETTINGS: PolicySettings = { policy: 'c3ache', values: {}, noise: 'fixed', seed: 42 };

export interface InferOptions {
  /** drop a chunk of which the bundle's limits would cut something, instead of cutting */
  readonly refuseLimited?: boolean;
  /** starting noise [T, a] instead of the sampler's */
  readonly noise?: Float32Array;
  /** keep the whole-stack residuals of full steps, for evaluation */
  readonly recordResiduals?: boolean;
  /** return latents and velocities too; a robot has no use for them, and they are most of a chunk's bytes */
  readonly recordTrace?: boolean;
}

/** What a chunk was made from, for evaluation; float32, row-major. */
export interface ChunkTrace {
  /** [48, h, w] */
  readonly latents: Float32Array;
  /** [N, T, a] */
  readonly velocity: Float32Array;
}

/** Seconds. */
export interface StageTimes {
  /** decoding and composing images */
  readonly decode: number;
  readonly vae: number;
  readonly prefill: number;
  /** action expert: full steps, reused steps and the policy's decisions */
  readonly expert: number;
  /** part of `expert` spent inside onnxruntime */
  readonly expertRuntime: number;
  /** from the observation's arrival in the worker to the finished chunk */
  readonly total: number;
}

/** What the cache did in a chunk. */
export interface CacheReport {
  readonly policy: string;
  /** 0 and [0, 0] for policies without them */
  readonly refreshInterval: number;
  readonly range: readonly [number, number];
  readonly refreshed: boolean;
  readonly reason: string;
  readonly fullSteps: number;
  readonly reusedSteps: number;
  /** full-stack equivalents */
  readonly stackEvaluations: number;
  readonly computedSubBlocks: number;
  readonly totalSubBlocks: number;
  /** 1 where computed; [N], [N, L] or [N, L, 3] by `computedShape` */
  readonly computed: Uint8Array;
  readonly computedShape: ComputedShape;
  readonly gateSeconds: number;
  readonly signals: Readonly<Record<string, number>>;
  readonly fallbacks: number;
  /** bytes the cache holds after this chunk */
  readonly bytes: number;
}

/** One action chunk. All arrays are float32, row-major. */
export interface ActionChunk {
  readonly episode: number;
  readonly chunk: number;
  readonly instruction: string;
  readonly stamp: number;
  /** [T, a], units of the bundle, gripper rule and limits applied */
  readonly actions: Float32Array;
  /** [T, a], as the network gives them */
  readonly normalised: Float32Array;
  /** values that the bundle's limits cut */
  readonly clamped: number;
  readonly report: CacheReport;
  readonly times: StageTimes;
  /** hL - h0 of full steps by step index, if recorded */
  readonly residuals?: ReadonlyMap<number, Float32Array>;
  /** if recorded */
  readonly trace?: ChunkTrace;
}
