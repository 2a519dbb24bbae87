import type { StepCosine } from '../../evaluation/residualCosine';
import { markup, type Markup } from '../Markup';
import { axis } from './axis';
import { drawing, frame } from './frame';
import { linePath } from './lines';

const WIDTH = 520;
const HEIGHT = 230;
const MARGINS = { top: 24, right: 14, bottom: 38, left: 54 };

/** Mean cosine of adjacent residuals by denoising step, with the band from the 5th to the 95th percentile; the
 * steps that the given range re-uses are shaded. */
export function cosinePlot(cosines: readonly StepCosine[], range?: readonly [number, number]): Markup {
  const known = cosines.filter(({ mean }) => Number.isFinite(mean));
  const bottom = HEIGHT - MARGINS.bottom;
  const low = Math.min(0.999, ...known.map(({ p5 }) => p5));
  const y = axis({ low, high: 1, start: bottom, end: MARGINS.top, nice: true, ticks: 4 });
  const x = axis({
    low: -0.5,
    high: cosines.length - 0.5,
    start: MARGINS.left,
    end: WIDTH - MARGINS.right,
    ticks: 10,
  });
  const xs = known.map(({ step }) => x.at(step));
  const upper = linePath(
    xs,
    known.map(({ p95 }) => y.at(p95)),
  );
  const lower = linePath([...xs].reverse(), known.map(({ p5 }) => y.at(p5)).reverse()).replace('M', 'L');
  return drawing(
    WIDTH,
    HEIGHT,
    'Cosine of the residuals of adjacent chunks by denoising step',
    markup`${
      range &&
      markup`<rect class="executed" x="${x.at(range[0] - 0.5)}" y="${MARGINS.top}" width="${x.at(range[1] + 0.5) - x.at(range[0] - 0.5)}" height="${bottom - MARGINS.top}"/>`
    }${frame({
      x,
      y,
      width: WIDTH,
      height: HEIGHT,
      margins: MARGINS,
      xTicks: x.ticks.filter((tick) => Number.isInteger(tick) && tick >= 0),
      xTitle: range ? 'denoising step (shaded: reused)' : 'denoising step',
      yTitle: 'cosine: mean, 5 % to 95 %',
    })}${known.length > 1 && markup`<path class="band" d="${upper}${lower}Z"/>`}<path class="line s1" d="${linePath(
      xs,
      known.map(({ mean }) => y.at(mean)),
    )}"/>${known.map(({ step, mean }) => markup`<circle class="dot s1" cx="${x.at(step)}" cy="${y.at(mean)}" r="3.5"><title>step ${step}: ${mean.toFixed(4)}</title></circle>`)}`,
  );
}
