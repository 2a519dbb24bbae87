import type { SimulationFigures } from '../../sim/simulationFigures';
import { markup, type Markup } from '../Markup';
import { percent } from '../numbers';
import { axis } from '../plots/axis';
import { drawing, frame } from '../plots/frame';
import { linePath } from '../plots/lines';
import type { SeriesStyle } from '../plots/seriesStyle';

const WIDTH = 560;
const HEIGHT = 280;
const MARGINS = { top: 24, right: 18, bottom: 40, left: 54 };

/** Success by how many chunks the uncached run needs for the same episode. */
export function lengthPlot({ configurations }: SimulationFigures, styles: readonly SeriesStyle[]): Markup {
  const bins = configurations[0]?.byLength.map(({ bin }) => bin) ?? [];
  const bottom = HEIGHT - MARGINS.bottom;
  const y = axis({ low: 0, high: 100, start: bottom, end: MARGINS.top, ticks: 5 });
  const x = axis({
    low: -0.5,
    high: bins.length - 0.5,
    start: MARGINS.left,
    end: WIDTH - MARGINS.right,
  });
  const lines = configurations
    .map((one, i) => ({ one, style: styles[i] }))
    .sort((a, b) => Number(a.style?.highlighted) - Number(b.style?.highlighted));
  return drawing(
    WIDTH,
    HEIGHT,
    'Success by the length of the episode',
    markup`${frame({
      x,
      y,
      width: WIDTH,
      height: HEIGHT,
      margins: MARGINS,
      xTicks: [],
      xTitle: 'chunks of the uncached run',
      yTitle: 'success, %',
    })}${bins.map(
      ({ from, to }, i) =>
        markup`<text class="tick mid" x="${x.at(i)}" y="${bottom + 16}">${from === to ? String(from) : `${from}–${to}`}</text>`,
    )}${lines.map(({ one, style }) => {
      const xs = one.byLength.map((_, i) => x.at(i));
      const ys = one.byLength.map(({ success }) => y.at(100 * success.value));
      const className = style?.className ?? 'sx';
      return markup`<path class="line ${className}" d="${linePath(xs, ys)}"/>${one.byLength.map(
        ({ success, episodes }, i) =>
          markup`<circle class="dot ${className}" cx="${xs[i] ?? 0}" cy="${ys[i] ?? 0}" r="3.5"><title>${one.configuration.name}: ${percent(success.value)} of ${episodes}</title></circle>`,
      )}`;
    })}`,
  );
}
