import { executedSteps } from '../../evaluation/deviation';
import type { ActionLayout } from '../../evaluation/types';
import { markup, type Markup } from '../Markup';
import { axis } from './axis';
import type { Axis } from './axis';

/** The axis of a chunk's actions, the first of which is 1. */
export interface HorizonAxis {
  readonly x: Axis;
  /** where each action stands, pixels */
  readonly xs: readonly number[];
  /** actions that are numbered */
  readonly xTicks: readonly number[];
  /** what shades the executed part, between two heights */
  readonly executed: (top: number, bottom: number) => Markup;
}

/** @param place pixels of its ends, and about how many actions are numbered */
export function horizonAxis(
  layout: ActionLayout,
  place: { readonly start: number; readonly end: number; readonly ticks: number },
): HorizonAxis {
  const x = axis({ low: 0.5, high: layout.horizon + 0.5, ...place });
  const width = x.at(executedSteps(layout) + 0.5) - x.at(0.5);
  return {
    x,
    xs: Array.from({ length: layout.horizon }, (_, k) => x.at(k + 1)),
    xTicks: x.ticks.filter((tick) => tick >= 1 && Number.isInteger(tick)),
    executed: (top, bottom) =>
      markup`<rect class="executed" x="${x.at(0.5)}" y="${top}" width="${width}" height="${bottom - top}"/>`,
  };
}
