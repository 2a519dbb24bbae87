import type { ActionLayout, ChunkResult } from '../../evaluation/types';
import type { Moment } from '../../evaluation/worstMoments';
import { markup, type Markup } from '../Markup';
import { axis } from './axis';
import { drawing, frame } from './frame';
import { horizonAxis } from './horizonAxis';
import { linePath } from './lines';

const WIDTH = 330;
const HEIGHT = 150;
const MARGINS = { top: 22, right: 8, bottom: 34, left: 48 };

/** One column of one chunk over its horizon, uncached and cached; the executed part is shaded, the worst place marked. */
export function momentPlot(
  layout: ActionLayout,
  moment: Moment,
  uncached: ChunkResult,
  cached: { readonly chunk: ChunkResult; readonly className: string },
): Markup {
  const { column, step } = moment;
  const width = layout.names.length;
  const line = ({ actions }: ChunkResult): number[] =>
    Array.from({ length: layout.horizon }, (_, k) => actions[k * width + column] ?? NaN);
  const lines = [
    { className: 's0', values: line(uncached) },
    { className: cached.className, values: line(cached.chunk) },
  ];
  const all = lines.flatMap(({ values }) => values.filter(Number.isFinite));
  const bottom = HEIGHT - MARGINS.bottom;
  const y = axis({
    low: Math.min(...all),
    high: Math.max(...all),
    start: bottom,
    end: MARGINS.top,
    nice: true,
    ticks: 3,
  });
  const { x, xs, xTicks, executed } = horizonAxis(layout, {
    start: MARGINS.left,
    end: WIDTH - MARGINS.right,
    ticks: 6,
  });
  const unit = layout.units[column] ?? '';
  const name = layout.names[column] ?? '';
  const ends = lines.map(({ values }) => y.at(values[step] ?? NaN).toFixed(1));
  return drawing(
    WIDTH,
    HEIGHT,
    `${name} over the chunk, uncached and cached`,
    markup`${executed(MARGINS.top, bottom)}${frame({
      x,
      y,
      width: WIDTH,
      height: HEIGHT,
      margins: MARGINS,
      xTicks,
      xTitle: 'action of the chunk',
      yTitle: unit === '' ? name : `${name}, ${unit}`,
    })}<path class="limit" d="M${xs[step] ?? 0} ${ends[0] ?? 0}V${ends[1] ?? 0}"/>${lines.map(
      ({ className, values }) =>
        markup`<path class="line thin ${className}" d="${linePath(
          xs,
          values.map((value) => y.at(value)),
        )}"/><circle class="dot ${className}" cx="${xs[step] ?? 0}" cy="${y.at(values[step] ?? NaN)}" r="3"/>`,
    )}`,
  );
}
