import uPlot from 'uplot';
import type { MotionData } from '../motionData';
import { colour, plotFont, within } from './dom';

const HEIGHT = 150;
const DIFFERENCE_HEIGHT = 84;
/** Seams closer than so many pixels shrink to ticks; closer still, they would only be a bar. */
const SEAM_LINES = 7;
const SEAM_TICKS = 3;
const FULL_HEIGHT = 10_000;
/** Half a mark's width, pixels; a click so near leads where the mark leads. */
const MARK = 5;
const CLICKED = 8;

type Line = MotionData['series'][number];
type Values = Line['values'][number];

interface Chart {
  readonly plot: uPlot;
  /** what it is in */
  readonly target: HTMLElement;
  readonly height: number;
}

/** Live plots of the actions over time and of the differences, with one cursor and one zoom for all. */
export class MotionCharts {
  readonly #data: MotionData;
  readonly #boxes: readonly HTMLElement[];
  #charts: readonly Chart[] = [];
  #zooming = false;
  /** the cached line that is shown */
  #against: string;

  /**
   * @param boxes one for each column, with the column's number in `data-column`
   * @param against name of the cached line to show first
   */
  constructor(data: MotionData, boxes: Iterable<HTMLElement>, against: string) {
    this.#data = data;
    this.#boxes = [...boxes];
    this.#against = against;
    this.build();
  }

  /** Shows another cached line; what was zoomed into stays. */
  set against(name: string) {
    if (name === this.#against) return;
    this.#against = name;
    const { min, max } = this.#charts[0]?.plot.scales['x'] ?? {};
    this.build();
    if (min !== undefined && max !== undefined) this.zoom(min, max);
  }

  /** Draws all anew, in the colours that hold now. */
  build(): void {
    for (const { plot } of this.#charts) plot.destroy();
    this.#charts = this.#boxes.flatMap((box) => this.#chartsOf(box));
  }

  /** Fits all to the width of their boxes. */
  resize(): void {
    for (const { plot, target, height } of this.#charts) plot.setSize({ width: target.clientWidth, height });
  }

  /** Shows a part of the time in all plots, seconds. */
  zoom(min: number, max: number): void {
    this.#zooming = true;
    for (const { plot } of this.#charts) plot.setScale('x', { min, max });
    this.#zooming = false;
  }

  #chartsOf(box: HTMLElement): Chart[] {
    const column = Number(box.dataset['column']);
    const target = within(box, '.plotted');
    const readout = within(box, '.readout');
    const shown = this.#data.series.filter(({ kind, name }) => kind !== 'cached' || name === this.#against);
    const actions: Chart = {
      plot: this.#chart(target, HEIGHT, shown, (line) => line.values[column] ?? [], {
        setCursor: [(plot) => (readout.textContent = readoutOf(plot, shown))],
      }),
      target,
      height: HEIGHT,
    };
    const below = box.querySelector<HTMLElement>('.differences');
    const cached = shown.filter(({ kind }) => kind === 'cached');
    if (!below || cached.length === 0) return [actions];
    const plot = this.#chart(
      below,
      DIFFERENCE_HEIGHT,
      cached,
      (line) => this.#difference(line, column),
      { drawAxes: [drawZero], draw: [(one) => this.#drawMarks(one)] },
      this.#largestDifference(cached, column),
    );
    plot.over.addEventListener('click', (event) => this.#follow(plot, event.offsetX));
    return [actions, { plot, target: below, height: DIFFERENCE_HEIGHT }];
  }

  #chart(
    target: HTMLElement,
    height: number,
    lines: readonly Line[],
    valuesOf: (line: Line) => Values,
    hooks: uPlot.Hooks.Arrays,
    reach?: number,
  ): uPlot {
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
        height,
        legend: { show: false },
        cursor: { sync: { key: 'motion' }, points: { size: 6 }, drag: { x: true, y: false } },
        scales: { x: { time: false }, ...(reach !== undefined && { y: { range: [-reach, reach] } }) },
        axes: [
          {
            ...axis,
            size: reach === undefined ? 26 : 8,
            values: (_, ticks) => ticks.map((tick) => (reach === undefined ? `${tick} s` : '')),
          },
          { ...axis, size: 52, space: reach === undefined ? 28 : 14 },
        ],
        series: [
          {},
          ...lines.map((one): uPlot.Series => ({
            stroke: colour(one.colour),
            width: one.kind === 'recorded' ? 3.5 : 1.3,
            points: { show: false },
            spanGaps: false,
          })),
        ],
        hooks: {
          ...hooks,
          drawAxes: [(plot) => this.#drawSeams(plot), ...(hooks.drawAxes ?? [])],
          setScale: [(plot, key) => this.#zoomOthers(plot, key)],
        },
      },
      [[...this.#data.time], ...lines.map((line) => [...valuesOf(line)])],
      target,
    );
  }

  /** Of a cached line from the uncached one. */
  #difference(line: Line, column: number): Values {
    const uncached = this.#data.series.find(({ kind }) => kind === 'uncached')?.values[column] ?? [];
    return (line.values[column] ?? []).map((value, i) => {
      const reference = uncached[i] ?? null;
      return value === null || reference === null ? null : value - reference;
    });
  }

  /** Over all columns of the column's group, so that they can be compared. */
  #largestDifference(lines: readonly Line[], column: number): number {
    const group = this.#data.groups[column];
    let largest = 0;
    for (const line of lines) {
      this.#data.groups.forEach((one, other) => {
        if (one !== group) return;
        for (const value of this.#difference(line, other)) largest = Math.max(largest, Math.abs(value ?? 0));
      });
    }
    return largest === 0 ? 1 : largest * 1.08;
  }

  get #marks(): MotionData['moments'][string] {
    return this.#data.moments[this.#against] ?? [];
  }

  /** A small mark at each of the worst moments. */
  #drawMarks(plot: uPlot): void {
    const { ctx } = plot;
    const { left, top, width } = plot.bbox;
    ctx.save();
    ctx.fillStyle = colour('warn');
    const half = MARK * devicePixelRatio;
    for (const { time } of this.#marks) {
      const x = plot.valToPos(time, 'x', true);
      if (x < left || x > left + width) continue;
      ctx.beginPath();
      ctx.moveTo(x - half, top);
      ctx.lineTo(x + half, top);
      ctx.lineTo(x, top + 1.6 * half);
      ctx.fill();
    }
    ctx.restore();
  }

  /** Goes where the mark leads that was clicked on. */
  #follow(plot: uPlot, x: number): void {
    const distances = this.#marks.map(({ time, id }) => ({
      id,
      distance: Math.abs(plot.valToPos(time, 'x') - x),
    }));
    const [nearest] = distances.sort((a, b) => a.distance - b.distance);
    if (nearest && nearest.distance <= CLICKED) location.hash = nearest.id;
  }

  #drawSeams(plot: uPlot): void {
    const { min = 0, max = 0 } = plot.scales['x'] ?? {};
    const inSight = this.#data.seams.filter((time) => time >= min && time <= max);
    const distance = plot.width / Math.max(1, inSight.length);
    if (distance >= SEAM_TICKS)
      strokes(plot, inSight, colour('rule'), distance >= SEAM_LINES ? FULL_HEIGHT : 4);
    strokes(plot, this.#data.episodes.slice(1), colour('muted'), FULL_HEIGHT);
  }

  /** What one plot shows, the others show too. */
  #zoomOthers(plot: uPlot, key: string): void {
    if (key !== 'x' || this.#zooming) return;
    const { min, max } = plot.scales['x'] ?? {};
    if (min !== undefined && max !== undefined) this.zoom(min, max);
  }
}

function readoutOf({ cursor: { idx: at }, data: [time, ...values] }: uPlot, lines: readonly Line[]): string {
  if (at === undefined || at === null) return '';
  const shown = lines.flatMap(({ name }, i) => {
    const value = values[i]?.[at];
    return value === undefined || value === null ? [] : [`${name} ${value}`];
  });
  return [`${(time[at] ?? 0).toFixed(2)} s`, ...shown].join('  ');
}

/** Where there is no difference. */
function drawZero(plot: uPlot): void {
  const { left, width } = plot.bbox;
  const { ctx } = plot;
  const y = Math.round(plot.valToPos(0, 'y', true)) + 0.5;
  ctx.save();
  ctx.strokeStyle = colour('muted');
  ctx.lineWidth = 1;
  ctx.beginPath();
  ctx.moveTo(left, y);
  ctx.lineTo(left + width, y);
  ctx.stroke();
  ctx.restore();
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
