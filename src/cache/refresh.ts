/** Why a chunk is computed in full. A policy may add words of its own. */
export type RefreshReason =
  'first_chunk' | 'interval' | 'max_age' | 'policy_changed' | 'sampler_changed' | 'fallback' | (string & {});

/** The chunk whose results are in the cache. */
export interface CommittedRefresh {
  readonly chunk: number;
  /** stamp of its observation, seconds */
  readonly time: number;
}

export interface RefreshQuestion {
  /** number of the chunk in its episode, from 0 */
  readonly chunk: number;
  /** stamp of the observation, seconds */
  readonly time: number;
  /** what the cache holds; undefined while it is empty */
  readonly committed: CommittedRefresh | undefined;
  /** why the cache was emptied within the episode (`policy_changed`, `sampler_changed`); empty if it was not */
  readonly clearedBecause: string;
  /** R: 0 = only when the cache is empty, 1 = every chunk */
  readonly interval: number;
  /** seconds; 0 = stored values never grow too old */
  readonly maxAge: number;
}

/**
 * The reason for which a chunk must refresh, or an empty string if it may reuse. R counts chunks since the last
 * committed refresh, so it may change at any time without forcing one; for a constant R this is the paper's
 * `chunk mod R == 0` (arXiv 2606.08962, eq. 8).
 */
export function refreshReason(question: RefreshQuestion): RefreshReason | '' {
  const { chunk, time, committed, clearedBecause, interval, maxAge } = question;
  if (chunk === 0) return 'first_chunk';
  if (committed === undefined) return clearedBecause === '' ? 'first_chunk' : clearedBecause;
  if (interval > 0 && chunk - committed.chunk >= interval) return 'interval';
  if (maxAge > 0 && time - committed.time > maxAge) return 'max_age';
  return '';
}
