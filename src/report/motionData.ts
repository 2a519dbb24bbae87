import type { Motion } from './plots/motion';

/** More values than this would make the page heavy: it then has the still pictures only. */
export const LIVE_VALUES_LIMIT = 1_500_000;

/** Values of all lines in all panels. */
export function valuesOf(motion: Motion): number {
  return motion.series.reduce((sum, { values }) => sum + values.reduce((n, one) => n + one.length, 0), 0);
}

/** What the script in the page draws from: numbers rounded to what a screen can show. */
export interface MotionData {
  /** seconds since the start of the recording, ascending; [point] */
  readonly time: readonly number[];
  /** seconds */
  readonly seams: readonly number[];
  /** where episodes begin, seconds */
  readonly episodes: readonly number[];
  readonly series: readonly {
    readonly name: string;
    /** name of the style's colour */
    readonly colour: string;
    /** [column][point]; null where there is none */
    readonly values: readonly (readonly (number | null)[])[];
  }[];
}

export function motionData(motion: Motion): MotionData {
  const decimals = (motion.series[0]?.values ?? []).map((_, column) =>
    decimalsFor(motion.series.map(({ values }) => values[column] ?? new Float32Array())),
  );
  return {
    time: Array.from(motion.time, (value) => rounded(value, 4)),
    seams: motion.seams.map((value) => rounded(value, 4)),
    episodes: motion.episodes.map((value) => rounded(value, 4)),
    series: motion.series.map(({ name, className, values }) => ({
      name,
      colour: className,
      values: values.map((one, column) =>
        Array.from(one, (value) => (Number.isFinite(value) ? rounded(value, decimals[column] ?? 6) : null)),
      ),
    })),
  };
}

/** Decimals that resolve a ten-thousandth of the range of all lines in a panel. */
function decimalsFor(lines: readonly Float32Array[]): number {
  let low = Infinity;
  let high = -Infinity;
  for (const line of lines) {
    for (const value of line) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  const range = high - low;
  return range > 0 && Number.isFinite(range)
    ? Math.min(12, Math.max(0, Math.ceil(4 - Math.log10(range))))
    : 4;
}

function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}
