import type { Deviation, DeviationOverPart } from '../evaluation/deviation';
import { scaled, type Distribution } from '../evaluation/distribution';
import type { ConfigurationFigures, Figures } from '../evaluation/evaluate';
import { STAGES, type Evaluation, type Provenance } from '../evaluation/types';
import { verdict } from './verdict';

/** Raised when a field changes its meaning or goes away; new fields do not raise it. */
export const METRICS_VERSION = 1;

const MILLISECONDS = 1000;

/** A value as JSON knows it. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/**
 * The object of `metrics.json`, which `report.html` carries as well. Times are in milliseconds where the name ends
 * in `_ms`, in seconds where it ends in `_s`; actions are in the unit named beside them. What is not known is null.
 */
export function metricsJson(evaluation: Evaluation, figures: Figures, provenance: Provenance): Json {
  const { layout, observations } = evaluation;
  return {
    schema: 'fast_wam_policy/metrics',
    version: METRICS_VERSION,
    verdict: verdict(figures, provenance),
    run: {
      command: provenance.command,
      started_at: provenance.startedAt,
      duration_s: provenance.duration,
      model: {
        name: provenance.model.name,
        path: provenance.model.path,
        fingerprint: provenance.model.fingerprint,
        random_weights: provenance.model.randomWeights,
        facts: Object.fromEntries(provenance.model.facts),
      },
      recording: {
        name: provenance.recording.name,
        path: provenance.recording.path,
        facts: Object.fromEntries(provenance.recording.facts),
      },
      versions: Object.fromEntries(provenance.versions),
      machine: Object.fromEntries(provenance.machine),
      settings: Object.fromEntries(provenance.settings),
    },
    layout: {
      names: layout.names,
      units: layout.units,
      groups: layout.groups.map(({ name, unit, indices, kind }) => ({ name, unit, indices, kind })),
      horizon: layout.horizon,
      replan_steps: layout.replanSteps,
      control_rate: layout.controlRate,
      denoising_steps: layout.steps,
    },
    episodes: new Set(observations.map(({ episode }) => episode)).size,
    chunks: observations.length,
    warnings: evaluation.warnings.map(({ kind, message, time, configuration }) => ({
      kind,
      message,
      time_s: time ?? null,
      configuration: configuration ?? null,
    })),
    configurations: figures.configurations.map(configurationJson),
    residual_cosine: figures.residualCosines
      ? figures.residualCosines.map(({ step, mean, p5, p95, pairs }) => ({
          step,
          mean: known(mean),
          p5: known(p5),
          p95: known(p95),
          pairs,
        }))
      : null,
    pareto: figures.pareto,
    tolerance: figures.tolerance
      ? {
          measure: figures.tolerance.measure,
          groups: figures.tolerance.groups,
          normalised: figures.tolerance.normalised ?? null,
          flips: figures.tolerance.flips,
        }
      : null,
    choice: figures.choice ?? null,
    nearest_miss: figures.nearestMiss ?? null,
  };
}

function configurationJson(one: ConfigurationFigures): Json {
  const { configuration, speedUp, cache } = one;
  return {
    name: configuration.name,
    policy: configuration.policy,
    settings: configuration.values,
    ...(Object.keys(configuration.companions).length > 0 && { companions: configuration.companions }),
    uncached: one.uncached,
    latency_ms: Object.fromEntries(
      STAGES.map((stage) => [stage, distributionJson(scaled(one.latency[stage], MILLISECONDS))]),
    ),
    expert_full_ms: distributionJson(scaled(one.expertOfFullChunks, MILLISECONDS)),
    expert_reuse_ms: distributionJson(scaled(one.expertOfReuses, MILLISECONDS)),
    speed_up: {
      ratio: known(speedUp.ratio),
      bound: known(speedUp.bound),
      share_of_bound: known(speedUp.shareOfBound),
      expert_share: known(speedUp.expertShare),
      saved_share: known(speedUp.savedShare),
      pairs: distributionJson(speedUp.pairs),
    },
    cache: {
      refreshes: cache.refreshes,
      reasons: cache.reasons,
      full_steps: cache.fullSteps,
      reused_steps: cache.reusedSteps,
      stack_evaluations: cache.stackEvaluations,
      computed_sub_blocks: cache.computedSubBlocks,
      gate_ms: cache.gateSeconds * MILLISECONDS,
      peak_bytes: cache.peakBytes,
      fallbacks: cache.fallbacks,
    },
    deviation: {
      executed: partJson(one.deviation.executed),
      whole: partJson(one.deviation.whole),
      by_horizon_step: {
        normalised: [...one.deviation.byHorizonStep].map(known),
        groups: Object.fromEntries(
          one.deviation.byHorizonStepAndGroup.map(({ group, rmse }) => [group, [...rmse].map(known)]),
        ),
      },
    },
    gripper_flips: one.flips
      ? {
          decisions: one.flips.decisions,
          executed: one.flips.executed,
          whole: one.flips.whole,
          places: one.flips.places.map(({ observation, step, column }) => ({ observation, step, column })),
        }
      : null,
    deviation_from_recorded: one.fromRecorded
      ? Object.fromEntries(one.fromRecorded.map((group) => [group.group, deviationJson(group, group.unit)]))
      : null,
    seams: Object.fromEntries(
      one.seams.map(({ group, unit, jump, step, seamJerk, insideJerk }) => [
        group,
        {
          unit,
          jump: distributionJson(jump),
          step_inside: distributionJson(step),
          jerk_at_seams: known(seamJerk),
          jerk_inside: known(insideJerk),
        },
      ]),
    ),
    pareto: one.pareto,
    beyond_tolerance: one.broken
      ? one.broken.map(({ what, unit, value, limit }) => ({ what, unit, value: known(value), limit }))
      : null,
  };
}

function partJson({ groups, normalised }: DeviationOverPart): Json {
  return {
    groups: Object.fromEntries(groups.map((group) => [group.group, deviationJson(group, group.unit)])),
    normalised: deviationJson(normalised, 'normalised'),
  };
}

function deviationJson({ rmse, worst, worstAt, count }: Deviation, unit: string): Json {
  return {
    unit,
    rmse: known(rmse),
    worst: known(worst),
    worst_at: worstAt
      ? { observation: worstAt.observation, step: worstAt.step, column: worstAt.column }
      : null,
    values: count,
  };
}

function distributionJson(d: Distribution): Json {
  return {
    count: d.count,
    mean: known(d.mean),
    p50: known(d.p50),
    p95: known(d.p95),
    p99: known(d.p99),
    min: known(d.min),
    max: known(d.max),
  };
}

/** JSON has neither NaN nor infinity. Seven digits are more than any of these figures has. */
function known(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(7)) : null;
}
