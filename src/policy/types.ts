import type { ChunkReport } from '../cache/types';
import type { StillPicture } from '../observation/PictureWatch';
import type { RawFrame } from '../observation/RawFrame';
import type { GuidanceReport, RtcRequest } from './Continuation';

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
  /** the bare task; any name where `context` is given */
  readonly instruction: string;
  /** [tokens, textDim], the T5 context of the prompt, in place of the bundle's cached one */
  readonly context?: Float32Array;
}

export interface InferOptions {
  /** drop a chunk of which the bundle's limits would cut something, instead of cutting */
  readonly refuseLimited?: boolean;
  /** how long a camera may repeat a picture with new stamps, seconds; 0 = as long as it likes (the default), below 0 = see PictureWatch */
  readonly maxFrozen?: number;
  /** seconds between actions, as they are executed; default: the bundle's */
  readonly period?: number;
  /** actions executed before the next chunk; default: the bundle's */
  readonly replanSteps?: number;
  /** real-time chunking: how the chunk is to continue the one before it; absent: not at all */
  readonly rtc?: RtcRequest;
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

/** Wall-clock time of one chunk by stage, seconds. `total` also holds what lies between the stages. */
export interface StageTimes {
  /** decoding and composing images */
  readonly decode: number;
  readonly vae: number;
  readonly prefill: number;
  /** action expert: full steps, reused steps and the policy's decisions */
  readonly expert: number;
  /** from the observation's arrival in the worker to the finished chunk */
  readonly total: number;
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
  /** cameras that have repeated a picture for so long that one should know */
  readonly still: readonly StillPicture[];
  readonly report: ChunkReport;
  readonly guidance: GuidanceReport;
  readonly times: StageTimes;
  /** hL - h0 of full steps by step index, if recorded */
  readonly residuals?: ReadonlyMap<number, Float32Array>;
  /** if recorded */
  readonly trace?: ChunkTrace;
}
