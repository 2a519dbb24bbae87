import type { SimulatedFigures } from '../../sim/simulationFigures';
import { markup, type Markup } from '../Markup';
import { percent, times } from '../numbers';
import { axis } from '../plots/axis';
import { drawing, frame } from '../plots/frame';
import type { SeriesStyle } from '../plots/seriesStyle';
import type { Simulation } from './Simulation';

const WIDTH = 1080;
const HEIGHT = 420;
const MARGINS = { top: 30, right: 30, bottom: 42, left: 60 };
/** about the size of a letter, pixels; bold ones on a narrow screen are the widest */
const LETTER = { width: 7.2, boldWidth: 8.4, height: 14 };
/** Where a label may stand from its point, the first free place is taken. */
const PLACES = [-8, 17, -24, 33] as const;
/** How far beside its point a label begins, or ends where it would be cut on the right. */
const BESIDE = { right: 9, left: 13 };

/**
 * Success against the speed-up of whole episodes, the Pareto front as a stair, success with its interval. The tick to
 * the right of a point is the speed-up of a single chunk: what episodes that get longer take back.
 */
export function successPlot({ figures, pareto, choice }: Simulation, styles: readonly SeriesStyle[]): Markup {
  const bottom = HEIGHT - MARGINS.bottom;
  const gain = (one: SimulatedFigures): number => (one.uncached ? 1 : one.speedUpPerEpisode.value);
  const chunkGain = (one: SimulatedFigures): number => (one.uncached ? 1 : one.speedUpPerChunk);
  const points = figures.configurations;
  const gains = points.flatMap((one) => [gain(one), chunkGain(one)]).filter(Number.isFinite);
  const x = axis({
    low: Math.min(0.9, ...gains.map((value) => value * 0.95)),
    high: Math.max(1.1, ...gains.map((value) => value * 1.05)),
    start: MARGINS.left,
    end: WIDTH - MARGINS.right,
    ticks: 8,
  });
  const y = axis({ low: 0, high: 100, start: bottom, end: MARGINS.top, ticks: 5 });
  const positions = points.map((one, i) => ({
    one,
    style: styles[i],
    x: x.at(gain(one)),
    y: y.at(100 * one.success.value),
  }));
  const front = positions
    .filter(({ one }) => pareto.includes(one.configuration.name))
    .sort((a, b) => a.x - b.x || a.y - b.y);
  // From point to point the front keeps its success until the next, faster one begins.
  const stair = front
    .map((p, i) =>
      i === 0 ? `M${p.x.toFixed(1)} ${p.y.toFixed(1)}` : `V${p.y.toFixed(1)}H${p.x.toFixed(1)}`,
    )
    .join('');
  const labels = placedLabels(
    positions.map(({ one, style, x: px, y: py }) => {
      const { name } = one.configuration;
      const number = String(style?.number ?? '');
      const named = one.uncached || name === choice || pareto.includes(name);
      return { x: px, y: py, text: named ? `${number} ${name}` : number, strong: name === choice };
    }),
  );
  return drawing(
    WIDTH,
    HEIGHT,
    'Success against speed-up, with the Pareto front',
    markup`${frame({
      x,
      y,
      width: WIDTH,
      height: HEIGHT,
      margins: MARGINS,
      xTitle: 'speed-up of whole episodes (tick: of a chunk)',
      yTitle: 'success, %',
    })}<path class="front" d="${stair}"/>${positions.map(({ one, style, x: px, y: py }) => {
      const { low, high } = one.success;
      return markup`<path class="whisker" d="M${px} ${y.at(100 * low)}V${y.at(100 * high)}"/>${
        !one.uncached && markup`<path class="bound" d="M${px} ${py}H${x.at(chunkGain(one))}m0 -5v10"/>`
      }${one.configuration.name === choice && markup`<circle class="chosen" cx="${px}" cy="${py}" r="10"/>`}<circle class="dot ${style?.className ?? 'sx'}" cx="${px}" cy="${py}" r="5.5"><title>${one.configuration.name}: success ${percent(one.success.value)}, ${times(gain(one))} an episode, ${times(chunkGain(one))} a chunk</title></circle>`;
    })}${labels.map(
      ({ x: px, y: py, text, strong }) =>
        markup`<text class="label ${strong ? 'strong' : ''}" x="${px}" y="${py}">${text}</text>`,
    )}`,
    'plot wide',
  );
}

interface Label {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly strong: boolean;
}

/** Labels moved beside their points so that none covers another; long ones, which name the best, choose first. */
function placedLabels(labels: readonly Label[]): readonly Label[] {
  const placed: Label[] = [];
  for (const label of [...labels].sort((a, b) => b.text.length - a.text.length)) {
    const right = label.x + BESIDE.right;
    const x = right + widthOf(label) <= WIDTH ? right : label.x - BESIDE.left - widthOf(label);
    const candidates = PLACES.map((dy) => ({ ...label, x, y: label.y + dy }));
    const free = candidates.find((one) => !placed.some((other) => covers(one, other)));
    const chosen = free ?? candidates[0];
    if (chosen) placed.push(chosen);
  }
  return placed;
}

function covers(a: Label, b: Label): boolean {
  return a.x < b.x + widthOf(b) && b.x < a.x + widthOf(a) && Math.abs(a.y - b.y) < LETTER.height;
}

function widthOf({ text, strong }: Label): number {
  return text.length * (strong ? LETTER.boldWidth : LETTER.width);
}
