import type { ConfigurationFigures, Figures } from '../../evaluation/evaluate';
import { markup, type Markup } from '../Markup';
import { significant, times } from '../numbers';
import { shortened } from '../../plainText';
import { axis } from './axis';
import { drawing, frame } from './frame';
import type { SeriesStyle } from './seriesStyle';

const WIDTH = 1080;

/** With few points, a tall plot would be an empty one. */
const HEIGHTS = { few: 270, many: 400 };
const FEW_POINTS = 4;

/** With more points on the front than these, names would cover each other: numbers stand for them. */
const NAMED_POINTS = 6;

const MARGINS = { top: 30, right: 30, bottom: 42, left: 60 };
/** about the width of a letter, pixels */
const LETTER = 7.2;

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Speed-up against deviation, the Pareto front as a stair, and above each point the bound that it could reach. */
export function tradeOffPlot(figures: Figures, styles: readonly SeriesStyle[]): Markup {
  const points = figures.configurations.filter(({ deviation }) =>
    Number.isFinite(deviation.executed.normalised.rmse),
  );
  const cost = (one: ConfigurationFigures): number => one.deviation.executed.normalised.rmse;
  const height = points.length <= FEW_POINTS ? HEIGHTS.few : HEIGHTS.many;
  const bottom = height - MARGINS.bottom;
  const highest = Math.max(
    ...points.flatMap(({ speedUp }) => [speedUp.ratio, Number.isFinite(speedUp.bound) ? speedUp.bound : 0]),
  );
  const limit = figures.tolerance?.measure === 'rmse' ? figures.tolerance.normalised : undefined;
  const farthest = Math.max(0, ...points.map(cost));
  const x = axis({
    // The uncached point stands clear of the axis.
    low: -0.03 * farthest,
    high: Math.max(farthest * 1.08, limit !== undefined && limit < 2 * farthest ? limit * 1.04 : 0) || 1,
    start: MARGINS.left,
    end: WIDTH - MARGINS.right,
    ticks: 8,
  });
  const y = axis({
    low: Math.min(0.9, ...points.map(({ speedUp }) => speedUp.ratio * 0.93)),
    high: highest * 1.04,
    start: bottom,
    end: MARGINS.top,
    ticks: 6,
  });
  const positions = points.map((one) => ({ one, x: x.at(cost(one)), y: y.at(one.speedUp.ratio) }));
  const front = positions.filter(({ one }) => one.pareto).sort((a, b) => a.x - b.x || b.y - a.y);
  const stair = front
    .map((p, i) =>
      i === 0 ? `M${p.x.toFixed(1)} ${p.y.toFixed(1)}` : `H${p.x.toFixed(1)}V${p.y.toFixed(1)}`,
    )
    .join('');
  // Names stand neither on points nor on the front nor on the bars of the bounds.
  const taken: Box[] = [
    ...positions.map((p) => around(p.x - 7, p.y - 7, p.x + 7, p.y + 7)),
    ...front.slice(1).flatMap((p, i) => {
      const before = front[i] ?? p;
      return [around(before.x, before.y - 2, p.x, before.y + 2), around(p.x - 2, before.y, p.x + 2, p.y)];
    }),
    ...positions.flatMap(({ one, x: px, y: py }) => {
      const boundY = y.at(one.speedUp.bound);
      return one.uncached || !Number.isFinite(boundY) ? [] : [around(px - 6, py, px + 6, boundY)];
    }),
  ];
  // Points of the front are named first, so that they find room.
  const labels = [...positions]
    .sort((a, b) => Number(b.one.pareto) - Number(a.one.pareto))
    .map((p) => {
      const number = styles.find(({ name }) => name === p.one.configuration.name)?.number ?? 0;
      const named =
        p.one.configuration.name === figures.choice || (p.one.pareto && front.length <= NAMED_POINTS);
      const text = named ? `${number} ${shortened(p.one.configuration.name, 30)}` : String(number);
      return { ...p, text, place: placeFor(p.x, p.y, text.length * LETTER, taken, bottom) };
    });
  return drawing(
    WIDTH,
    height,
    'Speed-up against deviation, with the Pareto front',
    markup`${frame({
      x,
      y,
      width: WIDTH,
      height,
      margins: MARGINS,
      xTitle: 'deviation from the uncached run: RMSE over the executed actions, as the network sees them',
      yTitle: 'speed-up (short bar: bound)',
    })}${
      limit !== undefined &&
      limit <= x.to &&
      markup`<path class="limit" d="M${x.at(limit)} ${MARGINS.top}V${bottom}"/><text class="tick end" x="${x.at(limit) - 5}" y="${MARGINS.top + 10}">tolerance</text>`
    }<path class="front" d="${stair}"/>${positions.map(({ one, x: px, y: py }) => {
      const style = styles.find(({ name }) => name === one.configuration.name);
      const boundY = y.at(one.speedUp.bound);
      const isChoice = one.configuration.name === figures.choice;
      return markup`${
        !one.uncached &&
        Number.isFinite(boundY) &&
        markup`<path class="bound" d="M${px} ${py}V${boundY}M${px - 5} ${boundY}h10"/>`
      }${isChoice && markup`<circle class="chosen" cx="${px}" cy="${py}" r="10"/>`}<circle class="dot ${style?.className ?? 'sx'}" cx="${px}" cy="${py}" r="5.5"><title>${one.configuration.name}: ${times(one.speedUp.ratio)} (bound ${times(one.speedUp.bound)}), RMSE ${significant(cost(one))}</title></circle>`;
    })}${labels.map(
      ({ one, text, place }) =>
        markup`<text class="label ${one.configuration.name === figures.choice ? 'strong' : ''}" x="${place.left}" y="${place.bottom - 3}">${text}</text>`,
    )}`,
    'plot wide',
  );
}

/** The box with these corners. */
function around(x1: number, y1: number, x2: number, y2: number): Box {
  return { left: Math.min(x1, x2), top: Math.min(y1, y2), right: Math.max(x1, x2), bottom: Math.max(y1, y2) };
}

/** The first place around a point where a text covers nothing; beside it to the right if there is none. */
function placeFor(x: number, y: number, width: number, taken: Box[], bottom: number): Box {
  const height = 14;
  const candidates: Box[] = [];
  for (const distance of [10, 16, 26, 40, 58]) {
    for (const [dx, dy] of [
      [distance, -height / 2],
      [distance, distance / 2 - 4],
      [-distance - width, -height / 2],
      [distance, -distance - height / 2],
      [-distance - width, distance / 2 - 4],
      [-width / 2, distance],
      [-width / 2, -distance - height],
    ] as const) {
      const left = x + dx;
      const top = y + dy;
      candidates.push({ left, top, right: left + width, bottom: top + height });
    }
  }
  const free = candidates.find(
    (box) =>
      box.left >= MARGINS.left &&
      box.right <= WIDTH - 2 &&
      box.top >= 14 &&
      box.bottom <= bottom &&
      !taken.some(
        (other) =>
          box.left < other.right &&
          other.left < box.right &&
          box.top < other.bottom &&
          other.top < box.bottom,
      ),
  );
  const place = free ?? { left: x + 10, top: y - 7, right: x + 10 + width, bottom: y + 7 };
  taken.push(place);
  return place;
}
