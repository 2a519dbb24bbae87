import { isUncached } from '../cache/choice';
import type { Configuration } from '../cache/choice';
import type { EpisodeRecord } from './episodeRecord';
import { mcNemar, pairedDifference, pairedRatio, successRate, type Estimate } from './successStatistics';
import { SUITES, type Suite } from './tasks';

/** Parts of about equal size into which episodes are put by their length. */
const LENGTH_BINS = 5;

/** Success in some of the episodes, and its distance from the uncached run in the same ones. */
export interface PartFigures {
  readonly episodes: number;
  /** Wilson interval, 95 % */
  readonly success: Estimate;
  /** success - uncached success, paired bootstrap interval; absent where there is no uncached run */
  readonly difference?: Estimate;
}

/** What one suite's episodes came to. */
export interface SuiteFigures extends PartFigures {
  readonly suite: Suite;
  readonly chunksPerEpisode: number;
  /** work in full-stack equivalents */
  readonly stacksPerChunk: number;
  readonly stacksPerEpisode: number;
  /** Σ uncached chunk times / Σ chunk times over the same episodes; NaN without an uncached run */
  readonly speedUpPerEpisode: number;
}

export interface SimulatedFigures extends PartFigures {
  readonly configuration: Configuration;
  readonly uncached: boolean;
  readonly bySuite: readonly SuiteFigures[];
  /** by the chunks that the uncached run needs; empty without one */
  readonly byLength: readonly (PartFigures & { readonly bin: LengthBin })[];
  /** episodes that only the uncached run solves, and only this one; and the p of that split (McNemar, exact) */
  readonly lost: number;
  readonly won: number;
  readonly p: number;
  readonly chunksPerEpisode: number;
  /** control steps of the solved episodes, mean */
  readonly stepsToSuccess: number;
  /** chunks / uncached chunks over the episodes that both solve: what caching makes longer */
  readonly lengthening: Estimate;
  /** work in full-stack equivalents */
  readonly stacksPerChunk: number;
  readonly stacksPerEpisode: number;
  /** share of the uncached work that is saved; negative where more is done */
  readonly savedPerChunk: number;
  readonly savedPerEpisode: number;
  readonly refreshes: number;
  readonly chunks: number;
  readonly reasons: Readonly<Record<string, number>>;
  /** mean and median time of a chunk, ms */
  readonly chunkMs: { readonly mean: number; readonly p50: number };
  /** mean uncached chunk time / mean chunk time */
  readonly speedUpPerChunk: number;
  /** Σ uncached chunk times / Σ chunk times over the same episodes, paired bootstrap interval */
  readonly speedUpPerEpisode: Estimate;
}

/** Episodes whose uncached run takes from `from` to `to` chunks. */
export interface LengthBin {
  readonly from: number;
  readonly to: number;
}

export interface SimulationFigures {
  /** in the order of the run */
  readonly configurations: readonly SimulatedFigures[];
  /** number of episodes that all configurations have; only those are in the figures */
  readonly episodes: number;
  /** episodes left out because some configuration has not run them */
  readonly leftOut: number;
  readonly suites: readonly Suite[];
}

/**
 * All figures of a run. Pure: the same records give the same figures. Every interval is of 95 %.
 *
 * @param records of any configurations, in any order
 */
export function simulationFigures(
  configurations: readonly Configuration[],
  records: readonly EpisodeRecord[],
): SimulationFigures {
  const byConfiguration = configurations.map(
    ({ name }) =>
      new Map(records.filter((one) => one.configuration === name).map((one) => [one.episode, one])),
  );
  const all = new Set(records.map(({ episode }) => episode));
  const shared = [...all]
    .filter((episode) => byConfiguration.every((own) => own.has(episode)))
    .sort((a, b) => a - b);
  const runs = configurations.map((configuration, i) => ({
    configuration,
    episodes: shared.flatMap((episode) => byConfiguration[i]?.get(episode) ?? []),
  }));
  const uncached = runs.find(({ configuration }) => isUncached(configuration))?.episodes;
  const bins = uncached ? lengthBins(uncached.map(({ stacks }) => stacks.length)) : [];
  const suites = SUITES.filter((suite) => runs[0]?.episodes.some((one) => one.suite === suite));
  return {
    configurations: runs.map(({ configuration, episodes }) =>
      figuresOf(configuration, episodes, uncached, suites, bins),
    ),
    episodes: shared.length,
    leftOut: all.size - shared.length,
    suites,
  };
}

function figuresOf(
  configuration: Configuration,
  own: readonly EpisodeRecord[],
  uncached: readonly EpisodeRecord[] | undefined,
  suites: readonly Suite[],
  bins: readonly LengthBin[],
): SimulatedFigures {
  const isUncached = uncached === own;
  const part = (chosen: (episode: EpisodeRecord, uncachedOne: EpisodeRecord) => boolean): PartFigures => {
    const kept = own.flatMap((one, i) => (chosen(one, uncached?.[i] ?? one) ? [i] : []));
    const successes = (of: readonly EpisodeRecord[]): number[] => kept.map((i) => Number(of[i]?.success));
    const ours = successes(own);
    return {
      episodes: kept.length,
      success: successRate(total(ours, Number), kept.length),
      ...(uncached && !isUncached && { difference: pairedDifference(ours, successes(uncached)) }),
    };
  };
  const suiteFigures = (suite: Suite): SuiteFigures => {
    const ofSuite = (one: EpisodeRecord): boolean => one.suite === suite;
    const episodes = own.filter(ofSuite);
    const chunksOfSuite = total(episodes, length);
    const stacksOfSuite = total(episodes, work);
    return {
      suite,
      ...part(ofSuite),
      chunksPerEpisode: chunksOfSuite / episodes.length,
      stacksPerChunk: stacksOfSuite / chunksOfSuite,
      stacksPerEpisode: stacksOfSuite / episodes.length,
      speedUpPerEpisode: uncached ? total(uncached.filter(ofSuite), time) / total(episodes, time) : NaN,
    };
  };
  const chunks = total(own, length);
  const stacks = total(own, work);
  const times = own.flatMap(({ ms }) => ms).sort((a, b) => a - b);
  const solved = own.filter(({ success }) => success);
  const pairs = own.flatMap((one, i): (readonly [EpisodeRecord, EpisodeRecord])[] => {
    const other = uncached?.[i];
    return other ? [[one, other]] : [];
  });
  const both = pairs.filter(([one, other]) => one.success && other.success);
  const lost = pairs.filter(([one, other]) => !one.success && other.success).length;
  const won = pairs.filter(([one, other]) => one.success && !other.success).length;
  const reasons: Record<string, number> = {};
  for (const one of own) {
    for (const [reason, count] of Object.entries(one.reasons))
      reasons[reason] = (reasons[reason] ?? 0) + count;
  }
  const uncachedStacks = uncached ? total(uncached, work) : NaN;
  const uncachedChunks = uncached ? total(uncached, length) : NaN;
  const uncachedTime = uncached ? total(uncached, time) : NaN;
  return {
    configuration,
    uncached: isUncached,
    ...part(() => true),
    bySuite: suites.map(suiteFigures),
    byLength: bins.map((bin) => ({
      bin,
      ...part((_, other) => length(other) >= bin.from && length(other) <= bin.to),
    })),
    lost,
    won,
    p: mcNemar(won, lost),
    chunksPerEpisode: chunks / own.length,
    stepsToSuccess: total(solved, ({ steps }) => steps) / solved.length,
    lengthening: pairedRatio(
      both.map(([one]) => length(one)),
      both.map(([, other]) => length(other)),
    ),
    stacksPerChunk: stacks / chunks,
    stacksPerEpisode: stacks / own.length,
    savedPerChunk: 1 - stacks / chunks / (uncachedStacks / uncachedChunks),
    savedPerEpisode: 1 - stacks / uncachedStacks,
    refreshes: total(own, ({ refreshes }) => refreshes.split('F').length - 1),
    chunks,
    reasons,
    chunkMs: { mean: total(own, time) / chunks, p50: times[Math.floor(times.length / 2)] ?? NaN },
    speedUpPerChunk: uncachedTime / uncachedChunks / (total(own, time) / chunks),
    speedUpPerEpisode: pairedRatio(
      pairs.map(([, other]) => time(other)),
      pairs.map(([one]) => time(one)),
    ),
  };
}

/** Bins of about equally many values, none of them split over two bins. */
export function lengthBins(lengths: readonly number[], count = LENGTH_BINS): readonly LengthBin[] {
  const sorted = [...lengths].sort((a, b) => a - b);
  const edges = new Set(
    Array.from({ length: count }, (_, i) => sorted[Math.ceil(((i + 1) * sorted.length) / count) - 1] ?? NaN),
  );
  let from = sorted[0] ?? NaN;
  return [...edges]
    .filter((edge) => Number.isFinite(edge))
    .map((to) => {
      const bin = { from, to };
      from = to + 1;
      return bin;
    });
}

const length = ({ stacks }: EpisodeRecord): number => stacks.length;
const work = ({ stacks }: EpisodeRecord): number => total(stacks, Number);
const time = ({ ms }: EpisodeRecord): number => total(ms, Number);

function total<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((sum, value) => sum + of(value), 0);
}
