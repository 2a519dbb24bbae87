import uPlot from 'uplot';
import { colour, plotFont, within } from '../../report/page/dom';
import type { PlanMessage } from '../messages';
import { setup } from './setup';

const HEIGHT = 150;
const steps = Array.from({ length: setup.horizon }, (_, i) => i);

interface Curve {
  readonly box: HTMLElement;
  readonly plot: uPlot;
}

/** What the curves show. */
export interface ShownPlan {
  readonly plan: PlanMessage | null;
  /** what the chunk before it had planned */
  readonly before: PlanMessage | null;
  /** steps executed of the plan; null where nothing is */
  readonly sinceChunk: number | null;
}

/** The newest chunk's actions, a plot for each dimension. */
export class ChunkCurves {
  #curves: readonly Curve[] = [];
  #shown: ShownPlan = { plan: null, before: null, sinceChunk: null };

  constructor() {
    this.build();
  }

  /** Draws all anew, in the colours that hold now. */
  build(): void {
    for (const { plot } of this.#curves) plot.destroy();
    const boxes = [...document.querySelectorAll<HTMLElement>('.curve')];
    this.#curves = boxes.map((box, column) => ({ box, plot: this.#curve(box, column) }));
  }

  /** Fits all to the width of their boxes. */
  resize(): void {
    for (const { box, plot } of this.#curves)
      plot.setSize({ width: within(box, '.plotted').clientWidth, height: HEIGHT });
  }

  show(shown: ShownPlan): void {
    const same = shown.plan === this.#shown.plan && shown.before === this.#shown.before;
    this.#shown = shown;
    this.#curves.forEach(({ plot }, column) => {
      if (same) plot.redraw(false);
      else plot.setData(this.#dataOf(column));
    });
  }

  #dataOf(column: number): uPlot.AlignedData {
    const own = this.#shown.plan?.actions[column] ?? [];
    const before = this.#shown.before?.actions[column] ?? [];
    return [
      steps,
      steps.map((i) => before[i + setup.replanSteps] ?? null),
      steps.map((i) => own[i] ?? null),
      steps.map((i) => (i < setup.replanSteps ? (own[i] ?? null) : null)),
    ];
  }

  #curve(box: HTMLElement, column: number): uPlot {
    const axis = {
      stroke: colour('muted'),
      font: plotFont(),
      grid: { stroke: colour('grid'), width: 1 },
      ticks: { show: false },
    };
    const target = within(box, '.plotted');
    const readout = within(box, '.readout');
    target.textContent = '';
    return new uPlot(
      {
        width: target.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { sync: { key: 'actions' }, points: { size: 6 }, drag: { x: false, y: false } },
        scales: {
          x: { time: false, range: [-0.5, setup.horizon - 0.5] },
          y: { range: (_, min, max) => [Math.min(-1.1, min), Math.max(1.1, max)] },
        },
        axes: [
          { ...axis, size: 24 },
          { ...axis, size: 38, space: 28 },
        ],
        series: [
          {},
          { stroke: colour('recorded'), width: 2.5, points: { show: false } },
          { stroke: colour('accent'), width: 1.3, dash: [4, 3], points: { show: false } },
          { stroke: colour('accent'), width: 2.4, points: { show: false } },
        ],
        hooks: {
          drawClear: [shadeExecuted],
          draw: [(plot) => this.#drawNow(plot)],
          setCursor: [({ cursor: { idx } }) => (readout.textContent = this.#readout(column, idx))],
        },
      },
      this.#dataOf(column),
      target,
    );
  }

  #readout(column: number, at: number | null | undefined): string {
    if (at === null || at === undefined) return '';
    const value = this.#shown.plan?.actions[column]?.[at];
    return value === undefined ? '' : `action ${at}: ${value.toFixed(3)}`;
  }

  /** A stroke at the action that is executed now. */
  #drawNow(plot: uPlot): void {
    const { sinceChunk, plan } = this.#shown;
    if (sinceChunk === null || !plan) return;
    const { top, height } = plot.bbox;
    const x = Math.round(plot.valToPos(Math.min(sinceChunk, setup.horizon - 1), 'x', true)) + 0.5;
    const { ctx } = plot;
    ctx.save();
    ctx.strokeStyle = colour('warn');
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, top + height);
    ctx.stroke();
    ctx.restore();
  }
}

function shadeExecuted(plot: uPlot): void {
  const { left, top, width, height } = plot.bbox;
  const right = Math.min(left + width, plot.valToPos(setup.replanSteps - 0.5, 'x', true));
  plot.ctx.save();
  plot.ctx.fillStyle = colour('accent-soft');
  plot.ctx.fillRect(left, top, right - left, height);
  plot.ctx.restore();
}
