import { prefixWeights } from '../sampler/guidance';
import type { GuidanceTarget } from '../sampler/guidance';
import { MEASURED_DELAY } from '../settings/rtc';
import type { RtcSettings } from '../settings/rtc';
import type { ActionTransform } from './actions';

/** How a chunk is to continue the one before it. */
export interface RtcRequest {
  readonly settings: RtcSettings;
  /** steps from an observation until its chunk arrives, as measured; undefined while nothing is */
  readonly measuredDelay?: number;
  /** rows that were executed since the chunk before, where the stamps are not to tell */
  readonly executed?: number;
  /** stamp since which the robot has been held, if it has: rows of a chunk from before then were not executed; seconds */
  readonly heldSince?: number;
}

/** Why a chunk was not guided. */
export const UNGUIDED_REASONS = [
  /** `rtc.enabled` is false */
  'off',
  /** the first of its episode */
  'first_chunk',
  /** the control rate is another than that of the chunk before */
  'rate_changed',
  /** the observation is older than that of the chunk before */
  'outdated',
  /** every row of the chunk before has been executed */
  'spent',
  /** the robot has been held since the chunk before */
  'held',
  /** the delay is to be measured, and no chunk has been yet */
  'unmeasured',
  /** the settings leave no row a weight */
  'no_weight',
  /** nothing was computed: the chunk is what is left of the one before (cache policy plan_reuse) */
  'plan_reused',
] as const;
export type UnguidedReason = (typeof UNGUIDED_REASONS)[number];

/** What guidance did in one chunk. */
export interface GuidanceReport {
  /** rows with a weight above 0 */
  readonly rows: number;
  /** steps from the observation until the chunk arrives, as assumed; 0 where nothing was guided */
  readonly delay: number;
  /** rows of the chunk before that were executed between the two observations; 0 where nothing was guided */
  readonly executed: number;
  /** why nothing was guided; empty if rows were */
  readonly reason: UnguidedReason | '';
}

/** A chunk as far as the next one continues it. */
export interface FormerChunk {
  /** [T, a] */
  readonly normalised: Float32Array;
  /** proprioception of its observation, physical units */
  readonly state: ArrayLike<number>;
  /** of its observation, seconds */
  readonly stamp: number;
  /** seconds between its actions */
  readonly period: number;
}

export interface Continuation {
  readonly target: GuidanceTarget | undefined;
  readonly report: GuidanceReport;
}

/** What of an observation a continuation depends on. */
interface Now {
  readonly stamp: number;
  readonly proprio: ArrayLike<number>;
  /** seconds between actions */
  readonly period: number;
}

/**
 * What a chunk is guided towards: the rows of the chunk before from `executed` on, where `executed` is how many periods
 * lie between the two observations; also right in simulated time. Beyond its end rows have no weight.
 */
export function continuation(
  former: FormerChunk | undefined,
  now: Now,
  request: RtcRequest | undefined,
  { horizon, actions }: { readonly horizon: number; readonly actions: ActionTransform },
): Continuation {
  const unguided = (reason: UnguidedReason): Continuation => ({
    target: undefined,
    report: { rows: 0, delay: 0, executed: 0, reason },
  });
  if (!request?.settings.enabled) return unguided('off');
  if (!former) return unguided('first_chunk');
  const { settings, heldSince } = request;
  const { period } = now;
  if (Math.abs(former.period - period) > 1e-6 * period) return unguided('rate_changed');
  const executed = request.executed ?? Math.round((now.stamp - former.stamp) / period);
  if (executed < 0) return unguided('outdated');
  if (executed >= horizon) return unguided('spent');
  if (heldSince !== undefined && heldSince > former.stamp) return unguided('held');
  const wanted = settings.inference_delay;
  const delay = wanted === MEASURED_DELAY ? request.measuredDelay : wanted;
  if (delay === undefined) return unguided('unmeasured');
  const left = horizon - executed;
  const weights = prefixWeights({
    schedule: settings.schedule,
    delay,
    executionHorizon: settings.execution_horizon,
    left,
    horizon,
  });
  const rows = weights.filter((w) => w > 0).length;
  if (rows === 0 || settings.max_guidance_weight === 0) return unguided('no_weight');
  const width = former.normalised.length / horizon;
  const previous = new Float32Array(former.normalised.length);
  previous.set(actions.reanchored(former.normalised, former.state, now.proprio).subarray(executed * width));
  return {
    target: { previous, weights, maxGuidanceWeight: settings.max_guidance_weight },
    report: { rows, delay, executed, reason: '' },
  };
}
