import { significant } from '../numbers';

/** A linear map from data to pixels, and where its ticks stand. */
export interface Axis {
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly number[];
  /** pixels of a value */
  readonly at: (value: number) => number;
  readonly label: (tick: number) => string;
}

/** An axis over [low, high] between two pixel positions; `nice` widens it to whole ticks. */
export function axis(options: {
  readonly low: number;
  readonly high: number;
  readonly start: number;
  readonly end: number;
  readonly ticks?: number;
  readonly nice?: boolean;
}): Axis {
  const { start, end } = options;
  let low = Number.isFinite(options.low) ? options.low : 0;
  let high = Number.isFinite(options.high) ? options.high : 1;
  if (!(high > low)) {
    // A flat line stands in the middle of its panel.
    const margin = low === 0 ? 1 : Math.abs(low) * 0.1;
    [low, high] = [low - margin, low + margin];
  }
  const step = tickStep((high - low) / Math.max(1, options.ticks ?? 5));
  const from = options.nice ? Math.floor(low / step + 1e-9) * step : low;
  const to = options.nice ? Math.ceil(high / step - 1e-9) * step : high;
  const ticks: number[] = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-9; i += 1) ticks.push(i * step);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return {
    from,
    to,
    ticks,
    at: (value) => start + ((value - from) / (to - from)) * (end - start),
    label: (tick) =>
      decimals > 5 || Math.abs(tick) >= 1e6
        ? significant(tick, 2)
        : tick
            .toFixed(decimals)
            .replace('-', '−')
            .replace(/^−(0(\.0*)?)$/, '$1'),
  };
}

/** The smallest of 1, 2, 5 × 10^n that is not below the given distance. */
function tickStep(distance: number): number {
  const power = 10 ** Math.floor(Math.log10(distance));
  const factor = [1, 2, 5].find((candidate) => candidate * power >= distance * (1 - 1e-9)) ?? 10;
  return factor * power;
}
