import type { PartFigures, SimulatedFigures } from '../../sim/simulationFigures';
import type { Estimate } from '../../sim/successStatistics';
import type { Json } from '../metricsJson';
import type { Simulation } from './Simulation';
import { simulationVerdict } from './simulationVerdict';

/** Raised when a field changes its meaning or goes away; new fields do not raise it. */
export const SIMULATION_METRICS_VERSION = 1;

/**
 * The object of `metrics.json`, which `report.html` carries as well. Estimates are [value, low, high] with an interval
 * of 95 %; times are in milliseconds where the name ends in `_ms`. What is not known is null.
 */
export function simulationJson(simulation: Simulation): Json {
  const { figures, origin, pareto, choice, residualCosines, exhibits } = simulation;
  return {
    schema: 'fast_wam_policy/simulation',
    version: SIMULATION_METRICS_VERSION,
    verdict: simulationVerdict(figures, choice),
    run: {
      command: origin.command,
      started_at: origin.startedAt,
      model: { name: origin.model.name, facts: Object.fromEntries(origin.model.facts) },
      world: Object.fromEntries(origin.world),
      machine: Object.fromEntries(origin.machine),
      versions: Object.fromEntries(origin.versions),
    },
    episodes: figures.episodes,
    left_out: figures.leftOut,
    suites: figures.suites,
    configurations: figures.configurations.map(configurationJson),
    pareto,
    choice: choice ?? null,
    residual_cosine: residualCosines
      ? residualCosines.map(({ step, mean, p5, p95, pairs }) => ({
          step,
          mean: known(mean),
          p5: known(p5),
          p95: known(p95),
          pairs,
        }))
      : null,
    exhibits: exhibits.map(({ configuration, episode, suite, success, steps, chunks }) => ({
      configuration,
      episode,
      suite,
      success,
      steps,
      chunks,
    })),
  };
}

function configurationJson(one: SimulatedFigures): Json {
  const { name, policy, values: settings } = one.configuration;
  return {
    name,
    policy,
    settings,
    uncached: one.uncached,
    ...partJson(one),
    by_suite: Object.fromEntries(
      one.bySuite.map((part) => [
        part.suite,
        {
          ...partJson(part),
          chunks_per_episode: known(part.chunksPerEpisode),
          stacks_per_chunk: known(part.stacksPerChunk),
          stacks_per_episode: known(part.stacksPerEpisode),
          speed_up_per_episode: known(part.speedUpPerEpisode),
        },
      ]),
    ),
    by_uncached_chunks: one.byLength.map((part) => ({ ...part.bin, ...partJson(part) })),
    lost: one.lost,
    won: one.won,
    mcnemar_p: one.p,
    chunks: one.chunks,
    refreshes: one.refreshes,
    reasons: one.reasons,
    chunks_per_episode: known(one.chunksPerEpisode),
    steps_to_success: known(one.stepsToSuccess),
    lengthening: estimate(one.lengthening),
    stacks_per_chunk: known(one.stacksPerChunk),
    stacks_per_episode: known(one.stacksPerEpisode),
    saved_per_chunk: known(one.savedPerChunk),
    saved_per_episode: known(one.savedPerEpisode),
    chunk_mean_ms: known(one.chunkMs.mean),
    chunk_p50_ms: known(one.chunkMs.p50),
    speed_up_per_chunk: known(one.speedUpPerChunk),
    speed_up_per_episode: estimate(one.speedUpPerEpisode),
  };
}

function partJson({ episodes, success, difference }: PartFigures): { readonly [key: string]: Json } {
  return {
    episodes,
    success: estimate(success),
    difference: difference ? estimate(difference) : null,
  };
}

const estimate = ({ value, low, high }: Estimate): Json => [known(value), known(low), known(high)];
const known = (value: number): number | null => (Number.isFinite(value) ? value : null);
