import { markup, type Markup, type MarkupValue } from '../Markup';
import type { Axis } from './axis';

/** Pixels around the drawing area. */
export interface Margins {
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly left: number;
}

/** An `<svg>` that scales with its box; `label` is what a screen reader says. */
export function drawing(
  width: number,
  height: number,
  label: string,
  content: MarkupValue,
  className = 'plot',
): Markup {
  return markup`<svg class="${className}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">${content}</svg>`;
}

/** Horizontal grid lines with their labels, the bottom axis, and the titles of both. */
export function frame(options: {
  readonly x: Axis;
  readonly y: Axis;
  readonly width: number;
  readonly height: number;
  readonly margins: Margins;
  readonly xTitle?: string;
  readonly yTitle?: string;
  /** labels of the bottom axis, if its ticks are not meant */
  readonly xTicks?: readonly number[];
}): Markup {
  const { x, y, width, height, margins } = options;
  const right = width - margins.right;
  const bottom = height - margins.bottom;
  const xTicks = options.xTicks ?? x.ticks;
  return markup`${y.ticks.map(
    (tick) =>
      markup`<path class="grid" d="M${margins.left} ${y.at(tick)}H${right}"/><text class="tick end" x="${margins.left - 6}" y="${y.at(tick) + 3.5}">${y.label(tick)}</text>`,
  )}<path class="axis" d="M${margins.left} ${bottom}H${right}"/>${xTicks.map(
    (tick) =>
      markup`<path class="axis" d="M${x.at(tick)} ${bottom}v4"/><text class="tick mid" x="${x.at(tick)}" y="${bottom + 16}">${x.label(tick)}</text>`,
  )}${
    options.xTitle !== undefined &&
    markup`<text class="title mid" x="${(margins.left + right) / 2}" y="${height - 4}">${options.xTitle}</text>`
  }${options.yTitle !== undefined && markup`<text class="title" x="0" y="11">${options.yTitle}</text>`}`;
}
