import type * as Ort from 'onnxruntime-node';
import { cudaError, hasCudaProvider } from './cudaProvider';
import { FastWamError, messageOf } from '../errors';
import type { ExecutionOptions } from './execution';
import type { Provider } from './precisions';
import type { OrtModule } from './runtime';

export type Tensor = Ort.Tensor;
export type Feeds = Readonly<Record<string, Tensor>>;

/**
 * How long a thread of the pool waits for the next kernel before it sleeps. Not waiting at all costs a quarter of the
 * latency; waiting longer than this gains none, and burns a third more CPU.
 */
const SPIN_MICROSECONDS = '50';

interface SessionOptions extends Pick<ExecutionOptions, 'device' | 'threads'> {
  /**
   * Keep the memory of a run for the next, in steps of powers of two. It is for graphs of many small branches, each of
   * which would ask for its memory anew; one that needs much once would hold it for nothing.
   */
  readonly arena?: boolean;
  /** where a profile of the runs goes: the beginning of a file's path */
  readonly profile?: string;
  /**
   * The session runs a few times and is let go: weights stay in the file, are converted when they are used, and nothing
   * is packed for speed, which would take longer than it saves and hold the weights several times over.
   */
  readonly once?: boolean;
}

/** One onnxruntime session. Creating and running it block the thread it lives on. */
export class Session {
  private constructor(
    private readonly ort: OrtModule,
    private readonly session: Ort.InferenceSession,
    readonly provider: Provider,
  ) {}

  /**
   * @param graph ONNX model
   * @param folder where external data lies
   * @throws ProviderError if the provider cannot start
   */
  static async create(
    ort: OrtModule,
    graph: Uint8Array,
    folder: string,
    provider: Provider,
    options: SessionOptions,
  ): Promise<Session> {
    const session: Record<string, unknown> = {
      model_external_initializers_file_folder_path: folder,
      intra_op: { spin_duration_us: SPIN_MICROSECONDS },
      use_device_allocator_for_initializers: '1', // weights stay out of the arena
      ...(options.once ? { disable_prepacking: '1' } : {}),
    };
    if (provider === 'cuda') {
      // Where it is not even installed, onnxruntime would also print a report of its own to stderr.
      if (!hasCudaProvider()) throw cudaError(undefined, options.device);
    }
    try {
      const created = await ort.InferenceSession.create(graph, {
        executionProviders:
          provider === 'cuda' ? [{ name: 'cuda', deviceId: options.device }, 'cpu'] : ['cpu'],
        graphOptimizationLevel: options.once ? 'disabled' : 'all',
        interOpNumThreads: 1,
        enableCpuMemArena: options.arena ?? false,
        ...(options.profile === undefined
          ? {}
          : { enableProfiling: true, profileFilePrefix: options.profile }),
        ...(options.threads > 0 ? { intraOpNumThreads: options.threads } : {}),
        logSeverityLevel: 3,
        extra: { session },
      });
      return new Session(ort, created, provider);
    } catch (error) {
      if (/External data path|escapes/.test(messageOf(error))) {
        throw new FastWamError(
          `onnxruntime refuses the weights in ${folder} for the place where they lie (symbolic links); export again, which follows them, or with --self-contained`,
          { cause: error },
        );
      }
      if (messageOf(error).includes('hard link')) {
        throw severalHardLinks(folder, error);
      }
      if (provider === 'cuda') throw cudaError(error, options.device);
      throw new FastWamError(
        `onnxruntime cannot load a graph with the weights in ${folder}: ${messageOf(error).replace(/\s+/g, ' ').trim()}; export the bundle again`,
        { cause: error },
      );
    }
  }

  /** All outputs by name. */
  run(feeds: Feeds): Promise<Readonly<Record<string, Tensor>>>;
  /** The outputs in `fetches`; what else the graph has is not copied out. */
  run<K extends string>(feeds: Feeds, fetches: readonly K[]): Promise<Readonly<Record<K, Tensor>>>;
  async run(feeds: Feeds, fetches?: readonly string[]): Promise<Readonly<Record<string, Tensor>>> {
    return fetches ? this.session.run(feeds, [...fetches]) : this.session.run(feeds);
  }

  tensor(type: 'float32', data: Float32Array, dims: readonly number[]): Tensor;
  tensor(type: 'int64', data: BigInt64Array, dims: readonly number[]): Tensor;
  tensor(type: 'bool' | 'uint8', data: Uint8Array, dims: readonly number[]): Tensor;
  tensor(type: Ort.Tensor.Type, data: Ort.Tensor.DataType, dims: readonly number[]): Tensor {
    return new this.ort.Tensor(type, data, dims);
  }

  /** Writes the profile that was asked for. */
  endProfiling(): void {
    this.session.endProfiling();
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}

/** The refusal of a file that has several names, one of which could be used to change it. @param where the file or its folder */
export function severalHardLinks(where: string, cause?: unknown): FastWamError {
  return new FastWamError(
    `${where}: a weight file has several hard links, which onnxruntime refuses; copy it (cp), or export with --self-contained`,
    { cause },
  );
}
