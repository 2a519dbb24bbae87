import type { Figures } from '../../evaluation/evaluate';
import type { ActionLayout } from '../../evaluation/types';
import { markup, type Markup } from '../Markup';
import { axis } from './axis';
import { drawing, frame } from './frame';
import { horizonAxis } from './horizonAxis';
import { linePath } from './lines';
import type { SeriesStyle } from './seriesStyle';

const WIDTH = 520;
const HEIGHT = 230;
const MARGINS = { top: 24, right: 14, bottom: 38, left: 54 };

/** RMSE from the uncached run by index of the horizon, for one group of actions; the executed part is shaded. */
export function horizonPlot(
  figures: Figures,
  layout: ActionLayout,
  styles: readonly SeriesStyle[],
  groupIndex: number,
): Markup {
  const group = layout.groups[groupIndex];
  const lines = figures.configurations.flatMap((one, i) => {
    const style = styles[i];
    const rmse = one.deviation.byHorizonStepAndGroup[groupIndex]?.rmse;
    return style && rmse && !one.uncached ? [{ style, rmse }] : [];
  });
  const high = Math.max(0, ...lines.flatMap(({ rmse }) => [...rmse].filter(Number.isFinite)));
  const bottom = HEIGHT - MARGINS.bottom;
  const y = axis({ low: 0, high: high || 1, start: bottom, end: MARGINS.top, nice: true, ticks: 4 });
  const { x, xs, xTicks, executed } = horizonAxis(layout, {
    start: MARGINS.left,
    end: WIDTH - MARGINS.right,
    ticks: 8,
  });
  // Grey lines at the bottom, the focus on top.
  const ordered = [...lines]
    .reverse()
    .sort((a, b) => Number(a.style.highlighted) - Number(b.style.highlighted));
  const unit = group?.unit ? `, ${group.unit}` : '';
  return drawing(
    WIDTH,
    HEIGHT,
    `Deviation of ${group?.name ?? 'actions'} from the uncached run by index of the horizon`,
    markup`${executed(MARGINS.top, bottom)}${frame({
      x,
      y,
      width: WIDTH,
      height: HEIGHT,
      margins: MARGINS,
      xTicks,
      xTitle: 'action of the chunk (shaded: executed)',
      yTitle: `${group?.name ?? ''}, RMSE${unit}`,
    })}${ordered.map(({ style, rmse }) => {
      const ys = Array.from(rmse, (value) => y.at(value));
      return layout.horizon === 1
        ? markup`<circle class="dot ${style.className}" cx="${xs[0] ?? 0}" cy="${ys[0] ?? 0}" r="4"/>`
        : markup`<path class="line ${style.className}" d="${linePath(xs, ys)}"/>`;
    })}`,
  );
}
