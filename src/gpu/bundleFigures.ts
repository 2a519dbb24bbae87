import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Bundle } from '../bundle/Bundle';
import { UNMOVED } from '../cache/adaptive';
import { UNCACHED } from '../cache/choice';
import type { Configuration, Settings } from '../cache/choice';
import { relativeDistance } from '../cache/matrix';
import { messageOf } from '../errors';
import { distributionOf } from '../evaluation/distribution';
import { expertStepFlops } from '../evaluation/expertFlops';
import { randomObservations } from '../evaluation/runBench';
import { WARM_UP_CHUNKS } from '../evaluation/replay';
import { elementCount } from '../formats/StoredTensor';
import type { ExecutionOptions } from '../model/execution';
import { FastWamModel } from '../model/FastWamModel';
import { PRECISIONS } from '../model/precisions';
import type { Provider } from '../model/precisions';
import { StackExpert } from '../model/StackExpert';
import { Episode } from '../policy/Episode';
import type { ActionChunk, Observation } from '../policy/types';
import { TemporaryFolder } from '../TemporaryFolder';
import { perStep, placementOf, readProfile } from './readProfile';
import type { BundleFigures, MemoryUse, PeakRates, Placement, StageCost } from './types';

const MILLISECONDS = 1000;
const MEBIBYTE = 2 ** 20;
const SAMPLER = { noise: 'fixed', seed: 42 } as const;
/** How many steps the longer of two expert runs has more than the shorter. */
const MORE_STEPS = 8;
const STEP_RUNS = 7;
/** What of the weights one denoising step reads. */
const IN_LOOP =
  /^mixtures\.action\.(blocks\.\d+\.(self_attn|cross_attn\.[qo]|ffn|norm3)|head|action_encoder)/;
const BYTES = { float32: 4, float16: 2, bfloat16: 2 } as const;

export interface BundleOptions {
  readonly bundle: string;
  readonly provider: Provider;
  /** with the precision to measure */
  readonly execution: ExecutionOptions;
  readonly chunks: number;
  /** of the type that this precision computes in */
  readonly rates: PeakRates | undefined;
}

/** Figures of a bundle, and the actions of its uncached chunks, to set precisions against each other. */
export interface MeasuredBundle {
  readonly figures: BundleFigures;
  readonly actions: Float32Array;
}

/** Loads a bundle in one precision and measures what it costs; what fails is told in place of its figures. */
export async function measureBundle(options: BundleOptions): Promise<MeasuredBundle> {
  const { precision } = options.execution;
  try {
    return await measure(options);
  } catch (error) {
    return { figures: { precision, failed: messageOf(error) }, actions: new Float32Array(0) };
  }
}

async function measure(options: BundleOptions): Promise<MeasuredBundle> {
  const { execution, provider, chunks, rates } = options;
  const { precision } = execution;
  const bundle = Bundle.open(options.bundle);
  const before = memoryNow(execution.device);
  const started = performance.now();
  const model = await FastWamModel.load(bundle, { ...execution, provider });
  try {
    await model.warmUp();
    const loadSeconds = (performance.now() - started) / MILLISECONDS;
    const memory = memoryAdded(before, memoryNow(execution.device), weightsOf(bundle, execution));
    const observations = randomObservations(bundle, bundle.anyTask(), chunks);
    const { stages, uncached } = await stageCosts(model, bundle, observations);
    const { milliseconds, placement } = await profileOf(model, bundle, execution);
    return {
      figures: {
        precision,
        loadSeconds,
        stages,
        stepMilliseconds: milliseconds,
        ...boundOf(bundle, execution, rates),
        memory,
        placement,
      },
      actions: uncached,
    };
  } finally {
    await model.release();
  }
}

/** Relative difference of the actions to those of another precision, where both have some. */
export function difference(own: Float32Array, other: Float32Array): number | undefined {
  if (own.length === 0 || own.length !== other.length) return undefined;
  return relativeDistance(own, other);
}

/**
 * What is measured: no cache; the cache as the paper's tables run it most, and where it is fastest; what the looks of
 * adaptive cost, whose chunks that reuse are two calls of the expert; and two steps, which any cache has to beat.
 */
function configurations(steps: number): Configuration[] {
  const last = (share: number): number => Math.max(0, Math.round(share * steps) - 1);
  const caching = (policy: string, interval: number, end: number, values: Settings = {}): Configuration => ({
    ...UNCACHED,
    name: `${policy} R=${interval} [0,${end}]`,
    policy,
    values: { refresh_interval: interval, range: [0, end], ...values },
  });
  return [
    { ...UNCACHED, name: 'no cache' },
    caching('c3ache', 4, last(0.7)),
    caching('c3ache', 0, last(0.8)),
    ...(steps > 1
      ? [
          caching('adaptive', 4, last(0.7), UNMOVED),
          { ...UNCACHED, name: 'few_steps, 2 steps', policy: 'few_steps' },
        ]
      : []),
  ];
}

/** Configurations chunk by chunk in turn on the same observations, so that what slows the machine slows all. */
async function stageCosts(
  model: FastWamModel,
  bundle: Bundle,
  observations: readonly Observation[],
): Promise<{ stages: StageCost[]; uncached: Float32Array }> {
  const runs = configurations(bundle.schedule.steps).map((configuration) => ({
    configuration,
    episode: new Episode(model),
    chunks: [] as ActionChunk[],
  }));
  const [first] = observations;
  for (let i = 0; first && i < WARM_UP_CHUNKS; i++) {
    for (const { episode, configuration } of runs)
      await episode.infer(first, { ...configuration, ...SAMPLER });
  }
  for (const { episode } of runs) episode.reset();
  for (const observation of observations) {
    for (const { episode, configuration, chunks } of runs) {
      chunks.push(await episode.infer(observation, { ...configuration, ...SAMPLER }));
    }
  }
  const median = (chunks: readonly ActionChunk[], stage: keyof ActionChunk['times']): number =>
    distributionOf(chunks.map(({ times }) => times[stage] * MILLISECONDS)).p50;
  const sum = (chunks: readonly ActionChunk[]): number =>
    chunks.reduce((total, { times }) => total + times.total, 0);
  const [none] = runs;
  return {
    stages: runs.map(({ configuration, chunks }) => ({
      configuration: configuration.name,
      total: median(chunks, 'total'),
      vae: median(chunks, 'vae'),
      prefill: median(chunks, 'prefill'),
      expert: median(chunks, 'expert'),
      speedUp: none ? sum(none.chunks) / sum(chunks) : Number.NaN,
    })),
    uncached: Float32Array.from(none?.chunks.flatMap(({ normalised }) => [...normalised]) ?? []),
  };
}

/** Time of one step of the expert, and where the nodes of every graph run. */
async function profileOf(
  model: FastWamModel,
  bundle: Bundle,
  execution: ExecutionOptions,
): Promise<{ milliseconds: number; placement: Placement[] }> {
  const { height, width, proprioDim } = bundle.dimensions;
  const { horizon, actionDim, steps } = model.shape;
  const { precision } = execution;
  const foreign = model.provider !== 'cpu';
  const noise = new Float32Array(horizon * actionDim);
  const image = new Uint8Array(height * width * 3);
  const task = bundle.context(bundle.anyTask());
  const binding = await model.prefill(await model.encode(image), new Float32Array(proprioDim), task);
  const stepsOf = (count: number): { index: number }[] =>
    Array.from({ length: count }, (_, i) => ({ index: i % steps }));
  const expert = model.expert(binding);
  const timed = async (count: number): Promise<number> => {
    const times: number[] = [];
    for (let i = 0; i < STEP_RUNS; i++) {
      const started = performance.now();
      await expert.fullSteps(noise, stepsOf(count));
      times.push(performance.now() - started);
    }
    return distributionOf(times).p50;
  };
  await expert.fullSteps(noise, stepsOf(1 + MORE_STEPS));
  const milliseconds = ((await timed(1 + MORE_STEPS)) - (await timed(1))) / MORE_STEPS;

  const folder = new TemporaryFolder('profile');
  try {
    const placement: Placement[] = [];
    const vae = await model.openProfiled('vae_encoder', folder.join('vae'));
    for (let i = 0; i < 2; i++) await vae.run({ image: vae.tensor('uint8', image, [height, width, 3]) });
    vae.endProfiling();
    await vae.release();
    const session = await model.openProfiled('expert', folder.join('expert'));
    const profiled = new StackExpert(model.facts, session, binding.feeds);
    for (const count of [1, 1, 1 + MORE_STEPS]) await profiled.fullSteps(noise, stepsOf(count));
    session.endProfiling();
    await session.release();

    placement.push(
      placementOf({ graph: 'VAE', precision }, readProfile(folder.join('vae')).at(-1) ?? [], foreign),
    );
    const [few = [], many = []] = readProfile(folder.join('expert')).slice(-2);
    const graph = foreign ? 'prefill and expert' : 'expert';
    placement.push({
      ...placementOf({ graph, precision }, few, foreign),
      perStep: perStep(few, many, MORE_STEPS),
    });
    return { milliseconds, placement };
  } finally {
    folder.remove();
  }
}

/** What one step would take if only its weights had to be read, and if only its products had to be computed. */
function boundOf(
  bundle: Bundle,
  { precision }: ExecutionOptions,
  rates: PeakRates | undefined,
): Pick<BundleFigures, 'bound'> {
  if (rates?.copy === undefined || rates.product === undefined) return {};
  const { compute, linears } = PRECISIONS[precision].blocks;
  const bytes = [...bundle.policyWeights.tensors.values()]
    .filter(({ name }) => IN_LOOP.test(name))
    .reduce((sum, { shape }) => sum + elementCount(shape) * (linears === 'int8' ? 1 : BYTES[compute]), 0);
  const text = bundle.context(bundle.anyTask());
  return {
    bound: {
      memoryMilliseconds: (bytes / (rates.copy * 1e9)) * MILLISECONDS,
      productMilliseconds:
        (expertStepFlops(bundle.dimensions, text.tokens) / (rates.product * 1e12)) * MILLISECONDS,
    },
  };
}

/** Bytes of the model's weights in what they are computed in. */
function weightsOf(bundle: Bundle, { precision }: ExecutionOptions): number {
  const { vae, blocks } = PRECISIONS[precision];
  const bytes = (tensors: Iterable<{ readonly shape: readonly number[] }>, each: number): number =>
    [...tensors].reduce((sum, { shape }) => sum + elementCount(shape) * each, 0);
  return (
    bytes(bundle.policyWeights.tensors.values(), BYTES[blocks.compute]) +
    bytes(bundle.vaeWeights.tensors.values(), BYTES[vae.compute])
  );
}

interface MemoryNow {
  readonly host: number;
  readonly device?: number;
}

function memoryNow(device: number): MemoryNow {
  return { host: anonymousBytes(), ...deviceMemory(device) };
}

/** Anonymous memory of the process in bytes; 0 where the system does not tell. */
function anonymousBytes(): number {
  try {
    const kibibytes = /RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    return Number(kibibytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Memory in use on the device in bytes, where nvidia-smi tells. */
function deviceMemory(device: number): { device?: number } {
  try {
    const query = ['--query-gpu=memory.used', '--format=csv,noheader,nounits', `--id=${device}`];
    const told = execFileSync('nvidia-smi', query, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return { device: Number(told.trim()) * MEBIBYTE };
  } catch {
    return {};
  }
}

function memoryAdded(before: MemoryNow, after: MemoryNow, weights: number): MemoryUse {
  const device =
    before.device === undefined || after.device === undefined
      ? {}
      : { device: (after.device - before.device) / MEBIBYTE };
  return { ...device, host: (after.host - before.host) / MEBIBYTE, weights: weights / MEBIBYTE };
}
