import { OUTSIDE, addScaled } from './matrix';
import type { Numbers } from './matrix';

/**
 * The decision and the approximation of content-aware WorldCache (arXiv 2603.22286), which contains
 * DiCache (arXiv 2508.17356) as a special case. Hidden states are [tokens, channels]; tokens are horizon positions.
 */

const EPSILON = 1e-6;

/** How far the input moved: mean|h0 - h0_prev| / mean|h0_prev|. */
export function inputMotion(now: Numbers, before: Numbers): number {
  return meanDistance(now, before) / meanMagnitude(before);
}

/**
 * How far the probe drifted, tokens that vary more over their channels counting more:
 * mean_i[ mean_c|y - y_prev|_i (1 + weight s_i) ] / (mean|y_prev| + 1e-6), with s the horizon saliency of y_prev.
 */
export function probeDrift(now: Numbers, before: Numbers, channels: number, weight: number): number {
  const saliency = horizonSaliency(before, channels);
  let sum = 0;
  saliency.forEach((salience, token) => {
    let moved = 0;
    for (let i = token * channels; i < (token + 1) * channels; i++) {
      moved += Math.abs((now[i] ?? OUTSIDE) - (before[i] ?? OUTSIDE));
    }
    sum += (moved / channels) * (1 + weight * salience);
  });
  return sum / saliency.length / (meanMagnitude(before) + EPSILON);
}

/** Standard deviation of each token over its channels (unbiased), scaled to [0, 1] over the tokens. */
export function horizonSaliency(hidden: Numbers, channels: number): Float64Array {
  const deviations = Float64Array.from({ length: hidden.length / channels }, (_, token) => {
    let mean = 0;
    for (let c = 0; c < channels; c++) mean += (hidden[token * channels + c] ?? OUTSIDE) / channels;
    let squares = 0;
    for (let c = 0; c < channels; c++) squares += ((hidden[token * channels + c] ?? OUTSIDE) - mean) ** 2;
    return Math.sqrt(squares / (channels - 1));
  });
  const lowest = Math.min(...deviations);
  const highest = Math.max(...deviations);
  return deviations.map((deviation) => (deviation - lowest) / (highest - lowest + EPSILON));
}

export interface SkipThreshold {
  /** tau_0 */
  readonly threshold: number;
  /** alpha: a moving input lowers the threshold */
  readonly motionSensitivity: number;
  /** beta_d: late steps raise it */
  readonly stepRelaxation: number;
}

/** tau = tau_0 / (1 + alpha v) * (1 + beta_d k / N). */
export function skipThreshold(
  { threshold, motionSensitivity, stepRelaxation }: SkipThreshold,
  motion: number,
  step: number,
  steps: number,
): number {
  return (threshold / (1 + motionSensitivity * motion)) * (1 + (stepRelaxation * step) / steps);
}

/** beta_d of the authors' code as a function of the number of steps: u^2/6 + u/2 + 10/3 with u = N/35. */
export function quadraticRelaxation(steps: number): number {
  const u = steps / 35;
  return u ** 2 / 6 + u / 2 + 10 / 3;
}

/** `osi`: projection on the last change of the probe, in [0.2, 1.8]. `dicache`: ratio of distances, in [1, 2]. */
export type GammaRule = 'osi' | 'dicache';

/** How far the probe has gone from `older` along (or compared with) the way to `newer`. */
export function probeProgress(rule: GammaRule, probe: Numbers, older: Numbers, newer: Numbers): number {
  if (rule === 'dicache') {
    const reference = meanDistance(newer, older);
    return reference < EPSILON ? 1 : clamp(meanDistance(probe, older) / reference, 1, 2);
  }
  let along = 0;
  let length = 0;
  for (let i = 0; i < probe.length; i++) {
    const way = (newer[i] ?? OUTSIDE) - (older[i] ?? OUTSIDE);
    along += ((probe[i] ?? OUTSIDE) - (older[i] ?? OUTSIDE)) * way;
    length += way ** 2;
  }
  return clamp(along / (length + EPSILON), 0.2, 1.8);
}

/** The stack residual that far along: R_a + gamma (R_b - R_a). */
export function residualAlong(gamma: number, older: Numbers, newer: Numbers): Float64Array {
  return addScaled(older, addScaled(newer, older, -1), gamma);
}

function meanDistance(left: Numbers, right: Numbers): number {
  let sum = 0;
  for (let i = 0; i < right.length; i++) sum += Math.abs((left[i] ?? OUTSIDE) - (right[i] ?? OUTSIDE));
  return sum / right.length;
}

function meanMagnitude(values: Numbers): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.abs(values[i] ?? OUTSIDE);
  return sum / values.length;
}

function clamp(value: number, lowest: number, highest: number): number {
  return Math.min(highest, Math.max(lowest, value));
}
