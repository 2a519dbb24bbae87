import type { PolicySettings, Settings } from '../cache/choice';
import type { Grain } from '../cache/types';
import type { PictureRefused } from '../errors';
import type { ExecutionOptions } from '../model/execution';
import type { Sampler } from '../sampler/types';
import type { ActionChunk, InferOptions, Observation } from './types';

/** What the main thread can ask of the inference worker. */
export interface WorkerMethods {
  load: (bundle: string, execution: ExecutionOptions, grain: Grain) => LoadReport;
  /** loads what this grain needs, if it is not there; @returns seconds */
  prepare: (grain: Grain) => number;
  openEpisode: (id: number) => void;
  infer: (
    id: number,
    observation: Observation,
    settings: PolicySettings,
    options: InferOptions,
  ) => ActionChunk;
  reset: (id: number) => void;
  closeEpisode: (id: number) => void;
  /** the context of a task, [n, textDim], for as long as the policy is loaded */
  learnContext: (task: string, rows: Float32Array) => void;
  openRecorder: (id: number, policy: string) => void;
  learn: (
    id: number,
    observation: Observation,
    sampler: Sampler,
    options: Pick<InferOptions, 'noise'>,
  ) => void;
  solve: (id: number, values: Settings) => unknown;
  closeRecorder: (id: number) => void;
  stop: () => void;
}

export interface LoadReport {
  readonly provider: 'cpu' | 'cuda';
  readonly seconds: number;
  /** what a user should know, one line each */
  readonly notices: readonly string[];
}

export type WorkerRequest = {
  [M in keyof WorkerMethods]: {
    readonly id: number;
    readonly method: M;
    readonly args: Parameters<WorkerMethods[M]>;
  };
}[keyof WorkerMethods];

export type WorkerResponse =
  { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: WorkerError };

/** An error as it crosses the thread boundary. */
export interface WorkerError {
  /** name of its class */
  readonly kind: string;
  readonly message: string;
  /** of a PictureRefused */
  readonly picture?: Pick<PictureRefused, 'reason' | 'camera'>;
}
