import type * as Ort from 'onnxruntime-node';
import type { Bundle, TaskContext } from '../bundle/Bundle';
import { stepMatrix } from '../cache/affine';
import { applyLinear } from '../cache/linearMap';
import type { ExpertShape, Grain, LinearMap } from '../cache/types';
import { InputError, ProviderError } from '../errors';
import { readFloat32 } from '../formats/readTensor';
import type { GraphName } from '../graphs/buildGraph';
import { CONTEXT_PARTS, EXPERTS, TEXT_LOG_COUNT, contextName } from '../graphs/context';
import { distinctRows } from './distinctRows';
import { KeptFeeds } from './KeptFeeds';
import { PrivateWeights } from './PrivateWeights';
import { WeightWatch } from './WeightWatch';
import type { GuidanceTarget } from '../sampler/guidance';
import type { Schedule } from '../sampler/types';
import { BlockExpert } from './BlockExpert';
import { executionOn, refuseExecution } from './execution';
import type { ExecutionOptions } from './execution';
import type { ExpertFacts } from './LoopExpert';
import { openGraph } from './openGraph';
import type { GraphToOpen } from './openGraph';
import type { Provider } from './precisions';
import type { Feeds, Session } from './Session';
import { StackExpert } from './StackExpert';
import { loadOnnxRuntime } from './runtime';
import type { OrtModule } from './runtime';

/** Contexts of former instructions are kept up to this size. */
const CONTEXT_BYTES_KEPT = 2 ** 28;

/** An observation after VAE and prefill: what the expert's calls of one chunk are bound to. */
export interface ChunkBinding {
  readonly feeds: Feeds;
}

interface Sessions {
  readonly vae: Session;
  readonly context?: Session;
  readonly prefill?: Session;
  expert: Session;
  grain: Grain;
}

/**
 * A loaded Fast-WAM: the sessions and what is computed once for each instruction. It knows nothing of episodes; one
 * model serves several at once. Every call blocks the thread it runs on, so it lives in the inference worker.
 */
export class FastWamModel {
  readonly facts: ExpertFacts;
  readonly #contexts = new KeptFeeds(CONTEXT_BYTES_KEPT);
  readonly #proprioEncoder: LinearMap | undefined;

  private constructor(
    readonly bundle: Bundle,
    private readonly ort: OrtModule,
    readonly execution: ExecutionOptions,
    readonly provider: Provider,
    private readonly sessions: Sessions,
    private readonly watch: WeightWatch,
  ) {
    this.facts = expertFacts(bundle);
    const { proprioDim, textDim } = bundle.dimensions;
    if (proprioDim > 0) this.#proprioEncoder = linearMap(bundle, 'proprio_encoder', proprioDim, textDim);
  }

  /**
   * Loads a bundle.
   * @param grain what the cache policy will need; can be changed later by `ensureGrain`
   * @param notice told when `auto` falls back to the CPU
   * @throws ProviderError, FileFormatError
   */
  static async load(
    bundle: Bundle,
    execution: ExecutionOptions,
    grain: Grain = 'stack',
    notice: (message: string) => void = () => undefined,
  ): Promise<FastWamModel> {
    const refusal = refuseExecution(execution);
    if (refusal) throw new ProviderError(refusal);
    const ort = loadOnnxRuntime();
    if (execution.provider !== 'auto') {
      return FastWamModel.#loadOn(bundle, ort, execution, execution.provider, grain);
    }
    try {
      return await FastWamModel.#loadOn(bundle, ort, executionOn('cuda', execution), 'cuda', grain);
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      const onCpu = executionOn('cpu', execution);
      notice(`execution.provider auto runs on the CPU (${onCpu.precision}): ${error.message}`);
      return FastWamModel.#loadOn(bundle, ort, onCpu, 'cpu', grain);
    }
  }

  static async #loadOn(
    bundle: Bundle,
    ort: OrtModule,
    execution: ExecutionOptions,
    provider: Provider,
    grain: Grain,
  ): Promise<FastWamModel> {
    const watch = new WeightWatch(bundle.weightFiles().map(({ path }) => path));
    const weights = PrivateWeights.of(bundle);
    const opened: Session[] = [];
    const open = async (name: GraphName, g: Grain = 'stack'): Promise<Session> => {
      const session = await openGraph({ bundle, weights, ort, execution, provider, name, grain: g });
      opened.push(session);
      return session;
    };
    try {
      const split = provider === 'cpu';
      const sessions: Sessions = {
        vae: await open('vae_encoder'),
        ...(split ? { context: await open('context'), prefill: await open('prefill') } : {}),
        expert: await open('expert', grain),
        grain,
      };
      return new FastWamModel(bundle, ort, execution, provider, sessions, watch);
    } catch (error) {
      for (const session of opened) await session.release();
      throw error;
    } finally {
      weights.remove();
    }
  }

  get #source(): Pick<GraphToOpen, 'bundle' | 'ort' | 'execution' | 'provider'> {
    const { bundle, ort, execution, provider } = this;
    return { bundle, ort, execution, provider };
  }

  /**
   * Opens one of the model's graphs once more, to look at how it runs: what runs where goes to files that begin with
   * `profile`. It holds its weights beside the model's own.
   */
  openProfiled(name: GraphName, profile: string): Promise<Session> {
    return openGraph({ ...this.#source, name, grain: 'stack', profile });
  }

  get shape(): ExpertShape {
    return this.facts.shape;
  }

  get schedule(): Schedule {
    return this.facts.schedule;
  }

  get grain(): Grain {
    return this.sessions.grain;
  }

  /**
   * Composed image [H, W, 3] -> normalised latents [48, h, w].
   * @param image pixels, or where the bundle says so the VAE's own input in [-1, 1]
   */
  async encode(image: Uint8Array | Float32Array): Promise<Float32Array> {
    const { height, width } = this.bundle.dimensions;
    const shape = [height, width, 3];
    if (image.length !== height * width * 3) {
      throw new InputError(`image: expected ${height}x${width}x3 values, got ${image.length}`);
    }
    const type = image instanceof Float32Array ? 'float32' : 'uint8';
    if (type !== this.bundle.imageInput) {
      throw new InputError(`image: expected ${this.bundle.imageInput} values, got ${type}`);
    }
    const { vae } = this.sessions;
    const tensor =
      image instanceof Float32Array ? vae.tensor('float32', image, shape) : vae.tensor('uint8', image, shape);
    const out = await vae.run({ image: tensor });
    return out.latents?.data as Float32Array;
  }

  get latentShape(): readonly [number, number, number] {
    const { latentChannels, height, width, vaeSpatialFactor } = this.bundle.dimensions;
    return [latentChannels, height / vaeSpatialFactor, width / vaeSpatialFactor];
  }

  /** Binds an observation: prefill of the video K/V and the context K/V, never skipped. */
  async prefill(latents: Float32Array, proprio: Float32Array, text: TaskContext): Promise<ChunkBinding> {
    const { proprioDim, textDim } = this.bundle.dimensions;
    if (proprio.length !== proprioDim) {
      throw new InputError(`proprio: expected ${proprioDim} values, got ${proprio.length}`);
    }
    const { prefill, expert } = this.sessions;
    const make = prefill ?? expert;
    const image = make.tensor('float32', latents, this.latentShape);
    if (!prefill) {
      const rows = this.contextTokens(proprio, text);
      const tokens = make.tensor('float32', rows, [rows.length / textDim, textDim]);
      return { feeds: { latents: image, tokens } };
    }
    const own = this.#proprioToken(proprio);
    const context = {
      ...(await this.#textContext(text)),
      ...(own.length > 0 ? await this.#contextOf('proprio', own) : {}),
    };
    return { feeds: await prefill.run({ latents: image, ...context }) };
  }

  /** The context of a chunk, [tokens, textDim]: the text's tokens, then the proprio token. */
  contextTokens(proprio: Float32Array, text: TaskContext): Float32Array {
    const own = this.#proprioToken(proprio);
    const rows = new Float32Array(text.rows.length + own.length);
    rows.set(text.rows);
    rows.set(own, text.rows.length);
    return rows;
  }

  /** [textDim], or nothing if the model takes no proprioception */
  #proprioToken(proprio: Float32Array): Float32Array {
    return this.#proprioEncoder ? applyLinear(this.#proprioEncoder, proprio, 1) : new Float32Array(0);
  }

  /** The expert for one chunk, whose steps are pulled towards `target` where there is one. */
  expert(binding: ChunkBinding, target?: GuidanceTarget): StackExpert | BlockExpert {
    const { expert, grain } = this.sessions;
    const Kind = grain === 'block' ? BlockExpert : StackExpert;
    return new Kind(this.facts, expert, binding.feeds, target);
  }

  /**
   * Makes the expert serve `grain`. The plain expert is released before the one with gates is created, so that the
   * weights are never held twice; the gated one serves everything from then on.
   * @returns true if a graph had to be loaded
   */
  async ensureGrain(grain: Grain): Promise<boolean> {
    const { sessions } = this;
    if (grain === 'stack' || sessions.grain === 'block') return false;
    this.checkWeights();
    await sessions.expert.release();
    const weights = PrivateWeights.of(this.bundle);
    const create = (g: Grain): Promise<Session> =>
      openGraph({ ...this.#source, weights, name: 'expert', grain: g });
    try {
      sessions.expert = await create('block');
      sessions.grain = 'block';
    } catch (error) {
      sessions.expert = await create(sessions.grain);
      throw error;
    } finally {
      weights.remove();
    }
    return true;
  }

  /**
   * Called before every chunk.
   * @throws FileFormatError where a file of the weights is no longer what was loaded
   */
  checkWeights(): void {
    this.watch.check();
  }

  /** Runs everything once on zeros, so that the first chunk is as fast as the others. */
  async warmUp(): Promise<void> {
    const { height, width, proprioDim, textDim, contextLength } = this.bundle.dimensions;
    const { horizon, actionDim } = this.shape;
    const values = height * width * 3;
    const latents = await this.encode(
      this.bundle.imageInput === 'float32' ? new Float32Array(values) : new Uint8Array(values),
    );
    const text = { key: '', rows: new Float32Array(contextLength * textDim), tokens: contextLength };
    const binding = await this.prefill(latents, new Float32Array(proprioDim), text);
    await this.expert(binding).fullSteps(new Float32Array(horizon * actionDim), [{ index: 0 }]);
    this.#contexts.delete(text.key);
  }

  async release(): Promise<void> {
    const { vae, context, prefill, expert } = this.sessions;
    for (const session of [vae, context, prefill, expert]) await session?.release();
    this.#contexts.clear();
  }

  /** What becomes of an instruction's tokens in every block, computed at its first use. */
  async #textContext(text: TaskContext): Promise<Feeds> {
    const known = this.#contexts.get(text.key);
    if (known) return known;
    const { rows, counts } = distinctRows(text.rows, this.bundle.dimensions.textDim);
    const ofRows = await this.#contextOf('text', rows);
    const logCount = this.sessions.expert.tensor('float32', counts.map(Math.log), [counts.length]);
    const feeds = { ...ofRows, [TEXT_LOG_COUNT]: logCount };
    this.#contexts.set(text.key, feeds);
    return feeds;
  }

  /** What becomes of context tokens [n, textDim] in every block, under the names of the prefill's inputs. */
  async #contextOf(tokens: 'text' | 'proprio', rows: Float32Array): Promise<Feeds> {
    const { context } = this.sessions;
    if (!context) throw new Error('the fused graph takes the tokens themselves');
    const { textDim, layers } = this.bundle.dimensions;
    const out = await context.run({
      tokens: context.tensor('float32', rows, [rows.length / textDim, textDim]),
    });
    const feeds: Record<string, Ort.Tensor> = {};
    for (const { stem } of EXPERTS) {
      for (let l = 0; l < layers; l++) {
        for (const part of CONTEXT_PARTS) {
          const tensor = out[contextName('token', stem, part, l)];
          if (!tensor) throw new Error(`the context graph gave no ${part} of layer ${l}`);
          feeds[contextName(tokens, stem, part, l)] = tensor;
        }
      }
    }
    return feeds;
  }
}

function expertFacts(bundle: Bundle): ExpertFacts {
  const { horizon, actionDim, actionHidden, layers } = bundle.dimensions;
  const { schedule } = bundle;
  const encoder = linearMap(bundle, 'mixtures.action.action_encoder', actionDim, actionHidden);
  const head = linearMap(bundle, 'mixtures.action.head', actionHidden, actionDim);
  return {
    shape: { steps: schedule.steps, horizon, actionDim, hidden: actionHidden, layers },
    schedule,
    encoder,
    head,
    A: stepMatrix(encoder, head),
  };
}

function linearMap(bundle: Bundle, name: string, inputs: number, outputs: number): LinearMap {
  const tensor = (part: string): Float32Array => {
    const stored = bundle.policyWeights.tensors.get(`${name}.${part}`);
    if (!stored) throw new InputError(`the checkpoint has no tensor ${name}.${part}`);
    return readFloat32(stored);
  };
  return { weight: tensor('weight'), bias: tensor('bias'), inputs, outputs };
}
