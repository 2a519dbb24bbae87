import type { Configuration } from '../cache/choice';
import { UNCACHED_POLICY } from '../cache/none';
import { InputError } from '../errors';
import { deviationFrom, deviationFromRecorded, type GroupDeviation, type RunDeviation } from './deviation';
import { beyondRecording } from './beyondRecording';
import { distributionOf, type Distribution } from './distribution';
import { gripperFlips, type GripperFlips } from './gripperFlips';
import { computedInFull, stageLatency, type StageLatency } from './latency';
import { cosineByStep, type StepCosine } from './residualCosine';
import { seams, type GroupSeams } from './seams';
import { speedUp, type SpeedUp } from './speedUp';
import { brokenLimits, choose, nearestMiss, paretoFront, type BrokenLimit } from './tradeOff';
import type { ChunkResult, ConfigurationRun, Evaluation, Tolerance } from './types';

/** What the cache did over a whole run. */
export interface CacheSummary {
  readonly chunks: number;
  readonly refreshes: number;
  /** how often each reason of a refresh occurred */
  readonly reasons: Readonly<Record<string, number>>;
  readonly fullSteps: number;
  readonly reusedSteps: number;
  /** full-stack equivalents */
  readonly stackEvaluations: number;
  readonly computedSubBlocks: number;
  /** time spent deciding outside the graph, all chunks */
  readonly gateSeconds: number;
  readonly peakBytes: number;
  readonly fallbacks: number;
}

/** All figures of one configuration. */
export interface ConfigurationFigures {
  readonly configuration: Configuration;
  readonly uncached: boolean;
  readonly latency: StageLatency;
  /** expert time of the chunks computed in full, and of those that reuse, seconds */
  readonly expertOfFullChunks: Distribution;
  readonly expertOfReuses: Distribution;
  readonly speedUp: SpeedUp;
  readonly cache: CacheSummary;
  readonly deviation: RunDeviation;
  readonly flips?: GripperFlips;
  readonly fromRecorded?: readonly GroupDeviation[];
  readonly seams: readonly GroupSeams[];
  /** on the front of speed-up against deviation */
  readonly pareto: boolean;
  /** the recording is too short to show what it does, so it is not recommended */
  readonly beyondRecording: boolean;
  /** limits of the stated tolerance that it breaks; absent where none was stated */
  readonly broken?: readonly BrokenLimit[];
}

export interface Figures {
  /** in the order of the runs: the uncached one first */
  readonly configurations: readonly ConfigurationFigures[];
  readonly residualCosines?: readonly StepCosine[];
  /** names, slowest first */
  readonly pareto: readonly string[];
  readonly tolerance?: Tolerance;
  /** name of the configuration to run at the stated tolerance; absent where nothing may be recommended */
  readonly choice?: string;
  /** name of the faster configuration that is least beyond the stated tolerance */
  readonly nearestMiss?: string;
}

/**
 * All figures of an evaluation. Pure: the same evaluation gives the same figures.
 *
 * @param recommend whether one may be recommended: not where the weights are random
 * @throws InputError where there is no uncached run first, or a run lacks chunks
 */
export function evaluate(
  evaluation: Evaluation,
  tolerance?: Tolerance,
  { recommend = true }: { readonly recommend?: boolean } = {},
): Figures {
  const { layout, observations, runs } = evaluation;
  const baseline = runs[0];
  if (baseline?.configuration.policy !== UNCACHED_POLICY) {
    throw new InputError(
      `the first configuration of an evaluation must be the uncached one (policy ${UNCACHED_POLICY}), found ${baseline?.configuration.policy ?? 'nothing'}`,
    );
  }
  for (const { configuration, chunks } of runs) {
    if (chunks.length !== observations.length || chunks.length === 0) {
      throw new InputError(
        `configuration ${configuration.name} has ${chunks.length} chunks for ${observations.length} observations; each needs one, and there must be at least one`,
      );
    }
  }

  const measured = runs.map((run) => figuresOf(run, baseline, evaluation));
  const pareto = paretoFront(
    measured.map((one) => ({
      name: one.configuration.name,
      gain: one.speedUp.ratio,
      cost: one.deviation.executed.normalised.rmse,
    })),
  );
  const candidates = measured.map(({ configuration, speedUp: { ratio }, deviation, flips, ...one }) => ({
    name: configuration.name,
    speedUp: ratio,
    deviation,
    beyondRecording: one.beyondRecording,
    ...(flips && { flips }),
  }));
  const configurations = measured.map((one, i) => {
    const candidate = candidates[i];
    return {
      ...one,
      pareto: pareto.includes(one.configuration.name),
      ...(tolerance && candidate && { broken: brokenLimits(candidate, tolerance) }),
    };
  });
  const choice = tolerance && recommend ? choose(candidates, tolerance)?.name : undefined;
  const missed = tolerance && recommend ? nearestMiss(candidates, tolerance)?.name : undefined;
  return {
    configurations,
    pareto,
    ...(evaluation.residualCosines && {
      residualCosines: cosineByStep(evaluation.residualCosines, layout.steps),
    }),
    ...(tolerance && { tolerance }),
    ...(choice !== undefined && { choice }),
    ...(missed !== undefined && { nearestMiss: missed }),
  };
}

function figuresOf(
  run: ConfigurationRun,
  baseline: ConfigurationRun,
  { layout, observations }: Evaluation,
): Omit<ConfigurationFigures, 'pareto' | 'broken'> {
  const { configuration, chunks } = run;
  const flips = gripperFlips(baseline.chunks, chunks, layout);
  const fromRecorded = deviationFromRecorded(observations, chunks, layout);
  const expertTimes = (inFull: boolean): Distribution =>
    distributionOf(
      chunks.filter((chunk) => computedInFull(chunk) === inFull).map((chunk) => chunk.times.expert),
    );
  return {
    configuration,
    uncached: run === baseline,
    latency: stageLatency(chunks),
    expertOfFullChunks: expertTimes(true),
    expertOfReuses: expertTimes(false),
    speedUp: speedUp(baseline.chunks, chunks),
    cache: cacheSummary(chunks),
    deviation: deviationFrom(baseline.chunks, chunks, layout),
    ...(flips && { flips }),
    ...(fromRecorded && { fromRecorded }),
    seams: seams(observations, chunks, layout),
    beyondRecording: beyondRecording(run, observations),
  };
}

function cacheSummary(chunks: readonly ChunkResult[]): CacheSummary {
  const reasons: Record<string, number> = {};
  for (const { report } of chunks) {
    if (report.refreshed) reasons[report.reason] = (reasons[report.reason] ?? 0) + 1;
  }
  const total = (of: (report: ChunkResult['report']) => number): number =>
    chunks.reduce((sum, chunk) => sum + of(chunk.report), 0);
  return {
    chunks: chunks.length,
    refreshes: total((report) => Number(report.refreshed)),
    reasons,
    fullSteps: total((report) => report.fullSteps),
    reusedSteps: total((report) => report.reusedSteps),
    stackEvaluations: total((report) => report.stackEvaluations),
    computedSubBlocks: total((report) => report.computedSubBlocks),
    gateSeconds: total((report) => report.gateSeconds),
    peakBytes: chunks.reduce((peak, chunk) => Math.max(peak, chunk.report.bytes), 0),
    fallbacks: total((report) => report.fallbacks),
  };
}
