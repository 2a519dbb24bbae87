import { InputError } from '../errors';
import { distributionOf, type Distribution } from './distribution';
import type { ChunkResult } from './types';

/** What a policy gained in time, and what it could have gained. */
export interface SpeedUp {
  /** Σ uncached chunk times / Σ this policy's chunk times */
  readonly ratio: number;
  /** f: share of the expert in the uncached chunks */
  readonly expertShare: number;
  /** s: share of the stack evaluations that were saved */
  readonly savedShare: number;
  /** 1 / (1 − f·s); Infinity if the expert were everything and nothing of it were left */
  readonly bound: number;
  /** ratio / bound */
  readonly shareOfBound: number;
  /** uncached time / this policy's time for each chunk on its own: the spread behind `ratio` */
  readonly pairs: Distribution;
}

/**
 * Speed-up of `cached` over `uncached`, both measured on the same observations, interleaved in one run
 * (refreshes included, warm-up excluded).
 *
 * @throws InputError where the two do not have the same chunks
 */
export function speedUp(uncached: readonly ChunkResult[], cached: readonly ChunkResult[]): SpeedUp {
  if (uncached.length !== cached.length || cached.length === 0) {
    throw new InputError(
      `speed-up needs the same chunks from both runs: ${uncached.length} uncached, ${cached.length} cached; run both on the same observations`,
    );
  }
  const uncachedTotal = sum(uncached, (chunk) => chunk.times.total);
  const ratio = uncachedTotal / sum(cached, (chunk) => chunk.times.total);
  const expertShare = sum(uncached, (chunk) => chunk.times.expert) / uncachedTotal;
  const savedShare =
    1 -
    sum(cached, (chunk) => chunk.report.stackEvaluations) /
      sum(uncached, (chunk) => chunk.report.stackEvaluations);
  const bound = speedUpBound(expertShare, savedShare);
  return {
    ratio,
    expertShare,
    savedShare,
    bound,
    shareOfBound: ratio / bound,
    pairs: distributionOf(uncached.map((chunk, i) => chunk.times.total / (cached[i]?.times.total ?? NaN))),
  };
}

/** 1 / (1 − f·s): the speed-up if the saved stack evaluations took their time with them and nothing else changed
 * (Amdahl's law). A negative s (a policy that computes more than none) gives a bound below 1. */
export function speedUpBound(expertShare: number, savedShare: number): number {
  return 1 / (1 - expertShare * savedShare);
}

/** A measured speed-up this far above its bound is no property of the policy. */
const BEYOND_BOUND = 1.1;

/** A sentence about a speed-up that the saved work cannot explain; undefined where it can. */
export function disturbance(ratio: number, bound: number): string | undefined {
  if (!(ratio > BEYOND_BOUND * bound)) return undefined;
  return `${ratio.toFixed(2)}x is more than the work that it saves explains (${bound.toFixed(2)}x): something else slowed the machine at times; measure again on a quiet one`;
}

function sum(chunks: readonly ChunkResult[], of: (chunk: ChunkResult) => number): number {
  return chunks.reduce((total, chunk) => total + of(chunk), 0);
}
