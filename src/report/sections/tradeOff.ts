import { markup, type Markup } from '../Markup';
import { tradeOffPlot } from '../plots/tradeOffPlot';
import type { Report } from './Report';
import { scroll } from './scroll';

/** What speed costs; nothing where there is nothing to compare. */
export function tradeOff({ figures, styles }: Report): Markup | undefined {
  if (figures.configurations.length < 2) return undefined;
  return markup`<section><h2>Speed-up against deviation</h2>
<p>Up and to the left is better. The dashed stair is the Pareto front: nothing else is both faster and closer. The short bar by a point is its bound: the speed-up that its saved work allows.</p>
${scroll(tradeOffPlot(figures, styles))}</section>`;
}
