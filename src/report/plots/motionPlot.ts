import { markup, type Markup } from '../Markup';
import { axis } from './axis';
import { drawing, frame } from './frame';
import { linePath, peaksKept } from './lines';
import type { Motion } from './motion';

const WIDTH = 560;
const HEIGHT = 150;
const MARGINS = { top: 22, right: 8, bottom: 22, left: 48 };

/** Seams closer than so many pixels shrink to ticks on the axis; closer still, they would only be a bar. */
const SEAM_LINES = 7;
const SEAM_TICKS = 3;

/** Points on one line of the still picture; the live one has all of them. */
const BUCKETS = 360;

/**
 * One column of the action over time, as a still picture for print and for readers without scripts.
 * @param options.within the values that the axis reaches over at least
 */
export function motionPlot(
  motion: Motion,
  column: number,
  title: string,
  { height = HEIGHT, within = [] }: { readonly height?: number; readonly within?: readonly number[] } = {},
): Markup {
  const { time, seams, episodes, series } = motion;
  const bottom = height - MARGINS.bottom;
  const [low, high] = extent([...series.map(({ values }) => values[column] ?? []), within]);
  const y = axis({ low, high, start: bottom, end: MARGINS.top, ticks: height < HEIGHT ? 2 : 3, nice: true });
  const x = axis({
    low: Math.min(time[0] ?? 0, episodes[0] ?? 0),
    high: time.at(-1) ?? 1,
    start: MARGINS.left,
    end: WIDTH - MARGINS.right,
    ticks: 8,
  });
  const distance = seams.length > 1 ? (WIDTH - MARGINS.left - MARGINS.right) / seams.length : Infinity;
  const length = distance >= SEAM_LINES ? bottom - MARGINS.top : 4;
  const seamPath = (distance >= SEAM_TICKS ? seams : [])
    .map((at) => `M${x.at(at).toFixed(1)} ${bottom}v-${length}`)
    .join('');
  const episodePath = episodes
    .slice(1)
    .map((at) => `M${x.at(at).toFixed(1)} ${bottom}V${MARGINS.top}`)
    .join('');
  return drawing(
    WIDTH,
    height,
    `${title} over time`,
    markup`<path class="seam" d="${seamPath}"/>${episodePath !== '' && markup`<path class="episode" d="${episodePath}"/>`}${frame(
      { x, y, width: WIDTH, height, margins: MARGINS, yTitle: title },
    )}${series.map(({ className, values }) => {
      const all = values[column] ?? new Float32Array();
      const kept = peaksKept(all, BUCKETS);
      const path = linePath(
        kept.map((i) => x.at(time[i] ?? NaN)),
        kept.map((i) => y.at(all[i] ?? NaN)),
      );
      return markup`<path class="line thin ${className}" d="${path}"/>`;
    })}`,
  );
}

/** The smallest and the largest value of some lines; what is not a number does not count. */
export function extent(lines: readonly Iterable<number>[]): readonly [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const line of lines) {
    for (const value of line) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return [low, high];
}
