import type { Motion } from './plots/motion';
import { extent } from './plots/motionPlot';

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
    /** recorded and uncached are always shown, of the cached ones the chosen one */
    readonly kind: 'recorded' | 'uncached' | 'cached';
    /** name of the style's colour */
    readonly colour: string;
    /** [column][point]; null where there is none */
    readonly values: readonly (readonly (number | null)[])[];
  }[];
  /** for each column the number of its group: differences in one group have one scale */
  readonly groups: readonly number[];
  /** the worst moments of each cached line, by its name: seconds, and the fragment of the page that tells more */
  readonly moments: Readonly<Record<string, readonly { readonly time: number; readonly id: string }[]>>;
}

/** @param more what is not drawn from the lines themselves */
export function motionData(motion: Motion, more: Pick<MotionData, 'groups' | 'moments'>): MotionData {
  const decimals = (motion.series[0]?.values ?? []).map((_, column) =>
    decimalsFor(motion.series.map(({ values }) => values[column] ?? new Float32Array())),
  );
  return {
    ...more,
    time: Array.from(motion.time, (value) => rounded(value, 4)),
    seams: motion.seams.map((value) => rounded(value, 4)),
    episodes: motion.episodes.map((value) => rounded(value, 4)),
    series: motion.series.map(({ name, className, values }) => ({
      name,
      kind: className === 'recorded' ? 'recorded' : className === 's0' ? 'uncached' : 'cached',
      colour: className,
      values: values.map((one, column) =>
        Array.from(one, (value) => (Number.isFinite(value) ? rounded(value, decimals[column] ?? 6) : null)),
      ),
    })),
  };
}

/** Decimals that resolve a ten-thousandth of the range of all lines in a panel. */
function decimalsFor(lines: readonly Float32Array[]): number {
  const [low, high] = extent(lines);
  const range = high - low;
  return range > 0 && Number.isFinite(range)
    ? Math.min(12, Math.max(0, Math.ceil(4 - Math.log10(range))))
    : 4;
}

function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}
