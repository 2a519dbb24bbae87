import { OUTSIDE } from './matrix';
import type { Numbers } from './matrix';

/** The dual gate of X-Cache (arXiv 2604.20289) as plain functions: a block is skipped where s_cos >= tau_cos and d_max < tau_dev, with
 * tau_cos = max(floor, mean - margin) and mean <- (1 - alpha) mean + alpha s_cos. */

/** What happened the last time a gate was evaluated: an exponential mean of s_cos; undefined before the first time. */
export type SimilarityMean = number | undefined;

/** <a, b> / (|a| |b|), see {@link cosineOf} for zero vectors. */
export function cosineSimilarity(now: Numbers, stored: Numbers): number {
  let dot = 0;
  let left = 0;
  let right = 0;
  for (let i = 0; i < stored.length; i++) {
    dot += (now[i] ?? OUTSIDE) * (stored[i] ?? OUTSIDE);
    left += (now[i] ?? OUTSIDE) ** 2;
    right += (stored[i] ?? OUTSIDE) ** 2;
  }
  return cosineOf(dot, left, right);
}

/** The cosine from <a, b>, |a|^2 and |b|^2. Two zero vectors are equal (1), one zero vector is like nothing (0). */
export function cosineOf(dot: number, leftSquare: number, rightSquare: number): number {
  if (leftSquare === 0 && rightSquare === 0) return 1;
  return leftSquare === 0 || rightSquare === 0 ? 0 : dot / Math.sqrt(leftSquare * rightSquare);
}

/** max_i|phi_i - phi'_i| / (mean_i|phi'_i| + epsilon), over single elements as the printed formula has it. */
export function largestDeviation(now: Numbers, stored: Numbers, epsilon: number): number {
  let largest = 0;
  let sum = 0;
  for (let i = 0; i < stored.length; i++) {
    largest = Math.max(largest, Math.abs((now[i] ?? OUTSIDE) - (stored[i] ?? OUTSIDE)));
    sum += Math.abs(stored[i] ?? OUTSIDE);
  }
  return largest / (sum / stored.length + epsilon);
}

export interface GateRule {
  /** lowest cosine that may pass */
  readonly floor: number;
  /** how far below its mean the cosine may fall */
  readonly margin: number;
  /** weight of the newest cosine in the mean */
  readonly alpha: number;
}

/** tau_cos = max(floor, mean - margin); the floor alone before the first evaluation. */
export function cosineThreshold(mean: SimilarityMean, { floor, margin }: GateRule): number {
  return mean === undefined ? floor : Math.max(floor, mean - margin);
}

/** The mean after an evaluation: thresholds use the old one, then it takes the new cosine in. */
export function updatedMean(mean: SimilarityMean, similarity: number, { alpha }: GateRule): number {
  return mean === undefined ? similarity : alpha * similarity + (1 - alpha) * mean;
}

/** Both conditions of a skip: s_cos >= tau_cos and d_max < tau_dev (strictly). */
export function passesGate(similarity: number, deviation: number, tauCos: number, tauDev: number): boolean {
  return similarity >= tauCos && deviation < tauDev;
}

/** Indices of `count` tokens spread evenly over `tokens`, both ends included; all of them if there are no more. */
export function spreadTokens(tokens: number, count: number): readonly number[] {
  if (count >= tokens) return Array.from({ length: tokens }, (_, i) => i);
  if (count === 1) return [Math.floor(tokens / 2)];
  return Array.from({ length: count }, (_, i) => Math.round((i * (tokens - 1)) / (count - 1)));
}
