import type { CommandDimension } from './dimensions';

/** Rounding of float32 actions may pass a limit by this share of it before it counts as passed. */
const SLACK = 1e-6;

/** The interval in which a command's number must lie. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * Where the next value of a dimension may lie: between `min` and `max`, and within one step of the last command
 * (of zero for a delta, which is itself a step).
 *
 * A robot that stands outside its limits cannot be inside them after one allowed step; then the step decides, and the
 * interval is the end of it that is nearer to the limits.
 *
 * @param last the command before this one; undefined if nothing is known, then only `min` and `max` apply
 * @param elapsed seconds since that command, at most the control period
 * @param period the control period, seconds
 */
export function allowedInterval(
  dimension: CommandDimension,
  last: number | undefined,
  elapsed: number,
  period: number,
): Interval {
  const { mode, min = -Infinity, max = Infinity, maxStep = Infinity, maxVelocity } = dimension;
  // Not Infinity * elapsed where there is no such limit: that is NaN for two commands at one time.
  const travel = maxVelocity === undefined ? Infinity : maxVelocity * (mode === 'delta' ? period : elapsed);
  const reach = Math.min(maxStep, travel);
  const from = mode === 'delta' ? 0 : last;
  if (from === undefined || reach === Infinity) return { low: min, high: max };
  if (from + reach < min) return { low: from + reach, high: from + reach };
  if (from - reach > max) return { low: from - reach, high: from - reach };
  return { low: Math.max(min, from - reach), high: Math.min(max, from + reach) };
}

/** Does a value lie outside its interval by more than rounding? */
export function exceeds(value: number, { low, high }: Interval): boolean {
  return value < low - SLACK * (1 + Math.abs(low)) || value > high + SLACK * (1 + Math.abs(high));
}

/** The nearest value of the interval. */
export function clampTo(value: number, { low, high }: Interval): number {
  return value < low ? low : value > high ? high : value;
}
