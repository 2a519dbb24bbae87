import uPlot from 'uplot';
import type { MotionData } from '../motionData';
import { colour, plotFont, within } from './dom';

const HEIGHT = 150;
/** Seams closer than so many pixels shrink to ticks; closer still, they would only be a bar. */
const SEAM_LINES = 7;
const SEAM_TICKS = 3;
const FULL_HEIGHT = 10_000;

interface Chart {
  readonly plot: uPlot;
  readonly box: HTMLElement;
}

/** Live plots of the actions over time, with one cursor and one zoom for all. */
export class MotionCharts {
  readonly #data: MotionData;
  readonly #boxes: readonly HTMLElement[];
  #charts: readonly Chart[] = [];
  #zooming = false;

  /** @param boxes one for each column, with the column's number in `data-column` */
  constructor(data: MotionData, boxes: Iterable<HTMLElement>) {
    this.#data = data;
    this.#boxes = [...boxes];
    this.build();
  }

  /** Draws all anew, in the colours that hold now. */
  build(): void {
    for (const { plot } of this.#charts) plot.destroy();
    this.#charts = this.#boxes.map((box) => ({ box, plot: this.#chart(box) }));
  }

  /** Fits all to the width of their boxes. */
  resize(): void {
    for (const { plot, box } of this.#charts)
      plot.setSize({ width: within(box, '.plotted').clientWidth, height: HEIGHT });
  }

  #chart(box: HTMLElement): uPlot {
    const { time, series } = this.#data;
    const column = Number(box.dataset['column']);
    const target = within(box, '.plotted');
    const readout = within(box, '.readout');
    target.textContent = '';
    const axis = {
      stroke: colour('muted'),
      font: plotFont(),
      grid: { stroke: colour('grid'), width: 1 },
      ticks: { show: false },
    };
    return new uPlot(
      {
        width: target.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { sync: { key: 'motion' }, points: { size: 6 }, drag: { x: true, y: false } },
        scales: { x: { time: false } },
        axes: [
          { ...axis, size: 26, values: (_, ticks) => ticks.map((tick) => `${tick} s`) },
          { ...axis, size: 52, space: 28 },
        ],
        series: [
          {},
          ...series.map((one): uPlot.Series => ({
            stroke: colour(one.colour),
            width: one.colour === 'recorded' ? 3.5 : 1.3,
            points: { show: false },
            spanGaps: false,
          })),
        ],
        hooks: {
          drawAxes: [(plot) => this.#seams(plot)],
          setCursor: [(plot) => (readout.textContent = this.#readout(plot))],
          setScale: [(plot, key) => this.#zoom(plot, key)],
        },
      },
      [[...time], ...series.map(({ values }) => [...(values[column] ?? [])])],
      target,
    );
  }

  #seams(plot: uPlot): void {
    const { min = 0, max = 0 } = plot.scales['x'] ?? {};
    const inSight = this.#data.seams.filter((time) => time >= min && time <= max);
    const distance = plot.width / Math.max(1, inSight.length);
    if (distance >= SEAM_TICKS)
      strokes(plot, inSight, colour('rule'), distance >= SEAM_LINES ? FULL_HEIGHT : 4);
    strokes(plot, this.#data.episodes.slice(1), colour('muted'), FULL_HEIGHT);
  }

  #readout({ cursor: { idx: at }, data: [time, ...values] }: uPlot): string {
    if (at === undefined || at === null) return '';
    const shown = this.#data.series.flatMap(({ name }, i) => {
      const value = values[i]?.[at];
      return value === undefined || value === null ? [] : [`${name} ${value}`];
    });
    return [`${(time[at] ?? 0).toFixed(2)} s`, ...shown].join('  ');
  }

  /** What one plot shows, the others show too. */
  #zoom(plot: uPlot, key: string): void {
    if (key !== 'x' || this.#zooming) return;
    const { min, max } = plot.scales['x'] ?? {};
    if (min === undefined || max === undefined) return;
    this.#zooming = true;
    for (const other of this.#charts) if (other.plot !== plot) other.plot.setScale('x', { min, max });
    this.#zooming = false;
  }
}

/** Upright strokes of that height in pixels, from the bottom axis up, at some times. */
function strokes(plot: uPlot, times: readonly number[], stroke: string, height: number): void {
  const { left, top, width, height: full } = plot.bbox;
  const { ctx } = plot;
  ctx.save();
  ctx.strokeStyle = stroke;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  for (const time of times) {
    const x = Math.round(plot.valToPos(time, 'x', true)) + 0.5;
    if (x < left || x > left + width) continue;
    ctx.moveTo(x, top + full);
    ctx.lineTo(x, top + full - Math.min(full, height * devicePixelRatio));
  }
  ctx.stroke();
  ctx.restore();
}
