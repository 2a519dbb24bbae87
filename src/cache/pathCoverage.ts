import type { Schedule } from '../sampler/types';
import { at } from './matrix';

/**
 * How much of the sigma path the published ranges reuse, 1 - sigma where they end: steps [0, 6] and [0, 7] of N = 10 at
 * shift 5 end at sigma 15/22 and 5/9. Equal coverage carries a range over to other N and shift.
 */
export const COVERAGE = {
  /** [0, 6] of the paper: 31.8 % */
  conservative: 7 / 22,
  /** [0, 7] of the paper: 44.4 % */
  aggressive: 4 / 9,
} as const;

const ROUNDING = 1e-9;

/** Share of the integration path that the steps start..end (inclusive) cover: the sum of |delta|. */
export function pathCoverage(schedule: Schedule, [start, end]: readonly [number, number]): number {
  return end < start ? 0 : at(schedule.sigma, start) - at(schedule.sigma, end + 1);
}

/** The longest range [0, B] whose coverage is at most `coverage`; undefined if not even step 0 fits. */
export function safeRange(schedule: Schedule, coverage: number): readonly [number, number] | undefined {
  let end = -1;
  while (end + 1 < schedule.steps && pathCoverage(schedule, [0, end + 1]) <= coverage + ROUNDING) end++;
  return end < 0 ? undefined : [0, end];
}

/** A sentence if the range reuses more of the path than any published setting; undefined if it does not. */
export function coverageWarning(schedule: Schedule, range: readonly [number, number]): string | undefined {
  const covered = pathCoverage(schedule, range);
  if (covered <= COVERAGE.aggressive + ROUNDING) return undefined;
  const safe = safeRange(schedule, COVERAGE.conservative);
  const bold = safeRange(schedule, COVERAGE.aggressive);
  const advice =
    safe === undefined || bold === undefined
      ? 'no range of this schedule is as short as the published ones'
      : `the equivalents here are ${rangeText(safe)} (safe) and ${rangeText(bold)} (bold)`;
  return (
    `range ${rangeText(range)} reuses ${percent(covered)} of the denoising path of ${schedule.steps} steps at shift ${schedule.shift}, ` +
    `while the published settings reuse ${percent(COVERAGE.conservative)} to ${percent(COVERAGE.aggressive)}: ${advice}`
  );
}

/** A sentence where a model takes a single step, of which a range can leave out none; undefined otherwise. */
export function refuseSingleStep(policy: string, { steps }: { readonly steps: number }): string | undefined {
  return steps < 2
    ? `${policy} has nothing to reuse in a model that takes 1 denoising step: use policy none`
    : undefined;
}

export function rangeText([start, end]: readonly [number, number]): string {
  return `[${start}, ${end}]`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
