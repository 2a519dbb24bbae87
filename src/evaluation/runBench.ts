import type { Bundle } from '../bundle/Bundle';
import { UNCACHED } from '../cache/choice';
import type { Configuration } from '../cache/choice';
import { distinctRows } from '../model/distinctRows';
import { MatrixProduct } from '../model/MatrixProduct';
import type { ExecutionOptions } from '../model/execution';
import { relativeDistance } from '../cache/matrix';
import { PolicyClient } from '../policy/PolicyClient';
import type { Observation } from '../policy/types';
import { randn } from '../sampler/noise';
import { MersenneTwister } from '../sampler/MersenneTwister';
import { benchResult } from './bench';
import type { BenchEntry, BenchRun } from './bench';
import { EngineRunner } from './EngineRunner';
import { distributionOf } from './distribution';
import { expertStepFlops } from './expertFlops';
import { WARM_UP_CHUNKS } from './replay';
import type { ChunkResult } from './types';

export interface BenchOptions {
  readonly bundle: string;
  readonly chunks: number;
  readonly execution: ExecutionOptions;
  /** the uncached one first */
  readonly configurations: readonly Configuration[];
  /** also measure the uncached run with an int8 expert (CPU) */
  readonly int8: boolean;
  readonly instruction?: string;
  readonly onProgress?: (done: number) => void;
}

/** One configuration's figures; those of another precision also say how far its actions are from fp32. */
export type BenchLine = BenchEntry & {
  readonly relative_action_error?: number;
  /** of one expert run, GFLOP/s in full steps, and as a share of a plain matrix product in the same run */
  readonly expert_gflops?: number;
  readonly share_of_matrix_product?: number;
  /** most that the cache held */
  readonly cache_bytes?: number;
};

const SAMPLER = { noise: 'fixed', seed: 42 } as const;
const INT8: Configuration = { ...UNCACHED, name: 'int8' };
const RANDOM_SEED = 7;

/**
 * Measures configurations on the same random observations, interleaved chunk by chunk: for each observation every
 * configuration, then a plain matrix product on the same threads. As in a replay, a refresh and a chunk that may reuse
 * go first and are not counted.
 */
export async function runBench(options: BenchOptions): Promise<Readonly<Record<string, BenchLine>>> {
  const client = await PolicyClient.load(options.bundle, { execution: options.execution, grain: 'stack' });
  const int8 = options.int8
    ? await PolicyClient.load(options.bundle, { execution: { ...options.execution, precision: 'int8' } })
    : undefined;
  const product = await MatrixProduct.create(options.execution);
  try {
    const runner = await EngineRunner.create(client, options.configurations, SAMPLER);
    const int8Runner = int8 && (await EngineRunner.create(int8, [INT8], SAMPLER));
    const all: { configuration: Configuration; infer: (o: Observation) => Promise<ChunkResult> }[] = [
      ...options.configurations.map((configuration, i) => ({
        configuration,
        infer: (o: Observation) => runner.infer(i, o),
      })),
      ...(int8Runner ? [{ configuration: INT8, infer: (o: Observation) => int8Runner.infer(0, o) }] : []),
    ];
    const results = all.map((): ChunkResult[] => []);
    const products: number[] = [];
    const task = options.instruction ?? client.bundle.anyTask();
    const observations = randomObservations(client.bundle, task, options.chunks);
    const [first] = observations;
    if (first) {
      for (const { infer } of all) for (let i = 0; i < WARM_UP_CHUNKS; i += 1) await infer(first);
    }
    await runner.resetEpisode();
    await int8Runner?.resetEpisode();
    for (const [c, observation] of observations.entries()) {
      for (let i = 0; i < all.length; i++) {
        const turn = (c + i) % all.length;
        const result = await all[turn]?.infer(observation);
        if (result) results[turn]?.push(result);
      }
      products.push(await product.run());
      options.onProgress?.(c + 1);
    }
    const runs: BenchRun[] = all.map(({ configuration }, i) => ({ configuration, chunks: results[i] ?? [] }));
    const text = client.bundle.context(task);
    const rows = distinctRows(text.rows, client.bundle.dimensions.textDim).counts.length;
    const stepFlops = expertStepFlops(client.bundle.dimensions, rows);
    return withRates(runs, stepFlops, product.flops / distributionOf(products).p50);
  } finally {
    await client.close();
    await int8?.close();
    await product.release();
  }
}

function withRates(
  runs: readonly BenchRun[],
  stepFlops: number,
  productFlops: number,
): Readonly<Record<string, BenchLine>> {
  const entries: Readonly<Record<string, BenchEntry>> = benchResult(runs);
  const uncached = runs[0]?.chunks ?? [];
  const lines: Record<string, BenchLine> = {};
  for (const { configuration, chunks } of runs) {
    const entry = entries[configuration.name];
    if (!entry) continue;
    const rates = chunks
      .filter((c) => c.report.stackEvaluations > 0)
      .map((c) => (stepFlops * c.report.stackEvaluations) / c.times.expert);
    const rate = distributionOf(rates).p50;
    lines[configuration.name] = {
      ...entry,
      expert_gflops: round(rate / 1e9),
      share_of_matrix_product: round(rate / productFlops),
      cache_bytes: Math.max(0, ...chunks.map((c) => c.report.bytes)),
      ...(chunks === uncached ? {} : { relative_action_error: relativeError(chunks, uncached) }),
    };
  }
  return lines;
}

/** ‖a − b‖ / ‖b‖ over all normalised actions. */
function relativeError(chunks: readonly ChunkResult[], reference: readonly ChunkResult[]): number {
  const joined = (of: readonly ChunkResult[]): number[] => of.flatMap(({ normalised }) => [...normalised]);
  return relativeDistance(joined(chunks), joined(reference));
}

/** Random images and proprioception: what a model computes with them costs what anything costs. */
export function randomObservations(bundle: Bundle, instruction: string, count: number): Observation[] {
  const { height, width, proprioDim } = bundle.dimensions;
  const random = new MersenneTwister(RANDOM_SEED);
  return Array.from({ length: count }, (_, c) => ({
    image: Uint8Array.from({ length: height * width * 3 }, () => random.next32() & 0xff),
    proprio: randn(RANDOM_SEED + c, proprioDim),
    stamp: c,
    instruction,
  }));
}

const round = (value: number): number => Math.round(value * 1e3) / 1e3;
