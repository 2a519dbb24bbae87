import { Worker } from 'node:worker_threads';
import { Bundle } from '../bundle/Bundle';
import { fit } from '../cache/choice';
import type { Choice, PolicySettings, Settings } from '../cache/choice';
import type { Grain } from '../cache/types';
import {
  ChunkDiscarded,
  FastWamError,
  FileFormatError,
  InputError,
  OutsideLimits,
  PictureRefused,
  ProviderError,
  UsageError,
} from '../errors';
import { DEFAULT_EXECUTION } from '../model/execution';
import type { ExecutionOptions } from '../model/execution';
import { ownProgram } from '../ownProgram';
import type { Sampler } from '../sampler/types';
import { modelFacts } from './modelFacts';
import type { ActionChunk, InferOptions, Observation } from './types';
import type { LoadReport, WorkerError, WorkerMethods, WorkerResponse } from './workerMessages';

export interface LoadOptions {
  readonly execution?: Partial<ExecutionOptions>;
  /** what the cache policies to come will need, or what they are; loaded later where nothing is said */
  readonly grain?: Grain;
  readonly choice?: Choice;
}

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A loaded policy. The model lives in a worker thread, so that no call here blocks the event loop; one client
 * serves any number of episodes.
 */
export class PolicyClient {
  #nextRequest = 0;
  #nextEpisode = 0;
  #nextRecorder = 0;
  readonly #pending = new Map<number, Pending>();
  #grain: Grain = 'stack';
  #closed: Promise<void> | undefined;
  readonly #exited: Promise<void>;

  private constructor(
    readonly bundle: Bundle,
    private readonly worker: Worker,
  ) {
    worker.on('message', (response: WorkerResponse) => this.#settle(response));
    worker.on('error', (error) => this.#failAll(error instanceof Error ? error : new Error(String(error))));
    this.#exited = new Promise((resolve) => {
      worker.once('exit', () => {
        this.#failAll(new FastWamError('the inference worker has ended'));
        resolve();
      });
    });
  }

  /**
   * Loads a bundle in a new worker and warms it up.
   * @throws FileFormatError, ProviderError
   */
  static async load(
    folder: string,
    options: LoadOptions = {},
  ): Promise<PolicyClient & { readonly loaded: LoadReport }> {
    const client = new PolicyClient(Bundle.describe(folder), startWorker());
    try {
      const execution = { ...DEFAULT_EXECUTION, ...options.execution };
      client.#grain = options.grain ?? (options.choice ? client.#grainOf(options.choice) : 'stack');
      const loaded = await client.#call('load', client.bundle.folder, execution, client.#grain);
      return Object.assign(client, { loaded });
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  /** Whether what is loaded, or is being loaded, serves a policy with these settings. */
  serves(choice: Choice): boolean {
    return this.#grain === 'block' || this.#grainOf(choice) === 'stack';
  }

  /**
   * Loads what a policy with these settings needs beyond what is loaded. Chunks that are asked for meanwhile come
   * after it; without this call the first of them would load it.
   * @returns seconds
   */
  async prepare(choice: Choice): Promise<number> {
    const before = this.#grain;
    const grain = this.#grainOf(choice);
    if (grain === 'block') this.#grain = grain;
    try {
      return await this.#call('prepare', grain);
    } catch (error) {
      this.#grain = before;
      throw error;
    }
  }

  /**
   * Takes the context of a task, [n, textDim] of its prompt's own tokens; the task is known from then on.
   * @throws InputError where it does not fit the model
   */
  async learn(task: string, rows: Float32Array): Promise<void> {
    await this.#call('learnContext', task, rows);
    this.bundle.learn(task, rows);
  }

  /** Opens a stream of chunks with a cache of its own. */
  async createEpisode(): Promise<EpisodeHandle> {
    const id = this.#nextEpisode++;
    await this.#call('openEpisode', id);
    let resets = 0;
    return {
      infer: async (observation, settings, inferOptions = {}) => {
        const before = resets;
        const chunk = await this.#call('infer', id, observation, settings, inferOptions);
        // The worker may have finished before it heard of the reset.
        if (resets !== before) throw new ChunkDiscarded();
        return chunk;
      },
      reset: () => {
        resets += 1;
        return this.#call('reset', id);
      },
      close: () => this.#call('closeEpisode', id),
    };
  }

  /** Opens what learns for a policy from uncached chunks. @throws UsageError for one that learns nothing beforehand */
  async createRecorder(policy: string): Promise<RecorderHandle> {
    const id = this.#nextRecorder++;
    await this.#call('openRecorder', id, policy);
    return {
      learn: (observation, sampler, options = {}) => this.#call('learn', id, observation, sampler, options),
      solve: (values) => this.#call('solve', id, values),
      close: () => this.#call('closeRecorder', id),
    };
  }

  /** Resolves when the worker has ended, by {@link close} or by itself; every later call fails. */
  get ended(): Promise<void> {
    return this.#exited;
  }

  /** Lets the call in progress finish, releases the model and ends the worker. */
  close(): Promise<void> {
    this.#closed ??= this.#call('stop')
      .catch(() => undefined)
      .then(() => this.#exited);
    return this.#closed;
  }

  /** What a choice needs to be loaded. One that does not fit needs nothing: its first chunk says why it is refused. */
  #grainOf(choice: Choice): Grain {
    try {
      return fit(choice, modelFacts(this.bundle)).grain;
    } catch {
      return 'stack';
    }
  }

  #call<M extends keyof WorkerMethods>(
    method: M,
    ...args: Parameters<WorkerMethods[M]>
  ): Promise<ReturnType<WorkerMethods[M]>> {
    if (this.#closed) return Promise.reject(new FastWamError('the policy is closed'));
    const id = this.#nextRequest++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.worker.postMessage({ id, method, args });
    });
  }

  #settle(response: WorkerResponse): void {
    const pending = this.#pending.get(response.id);
    this.#pending.delete(response.id);
    if ('error' in response) pending?.reject(revive(response.error));
    else pending?.resolve(response.result as never);
  }

  #failAll(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

/** One robot's stream of chunks. */
export interface EpisodeHandle {
  /** The next chunk of the running episode; a new instruction starts a new one. */
  infer(observation: Observation, settings: PolicySettings, options?: InferOptions): Promise<ActionChunk>;
  /** Starts the next episode; the chunk in flight is discarded (its promise rejects with ChunkDiscarded). */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** Learns for a policy; see `CalibrationRecorder`. */
export interface RecorderHandle {
  /** Computes one chunk without a cache and learns from it. */
  learn(observation: Observation, sampler: Sampler, options?: Pick<InferOptions, 'noise'>): Promise<void>;
  /** The record for settings, from all chunks so far. */
  solve(values: Settings): Promise<unknown>;
  close(): Promise<void>;
}

/** The worker's garbage is tensors outside V8's heap, so a large young generation would only hold memory. */
const WORKER_LIMITS = { maxYoungGenerationSizeMb: 4 };

function startWorker(): Worker {
  const { file, execArgv } = ownProgram(__dirname, 'inferenceWorker');
  return new Worker(file, { execArgv: [...execArgv], resourceLimits: WORKER_LIMITS });
}

/** An error that crossed the thread boundary, in its own class again. */
function revive({ kind, message, picture }: WorkerError): Error {
  if (picture) return new PictureRefused(picture.reason, picture.camera, message);
  switch (kind) {
    case 'FileFormatError': {
      const at = message.indexOf(': ');
      return new FileFormatError(message.slice(0, at), message.slice(at + 2));
    }
    case 'InputError':
      return new InputError(message);
    case 'ChunkDiscarded':
      return new ChunkDiscarded(message);
    case 'OutsideLimits':
      return new OutsideLimits(message);
    case 'ProviderError':
      return new ProviderError(message);
    case 'UsageError':
      return new UsageError(message);
    case 'FastWamError':
      return new FastWamError(message);
    default:
      return new Error(message);
  }
}
