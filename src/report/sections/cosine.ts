import { markup, type Markup } from '../Markup';
import { NO_FIGURE } from '../numbers';
import { cosinePlot } from '../plots/cosinePlot';
import type { Report } from './Report';
import { table } from './table';

/** The likeness of adjacent chunks, which re-use rests on; nothing where it was not recorded. */
export function cosine({ figures, focus }: Report): Markup | undefined {
  const { residualCosines } = figures;
  if (!residualCosines?.some(({ pairs }) => pairs > 0)) return undefined;
  const range = focus?.configuration.settings['range'];
  const [start, end] = Array.isArray(range) ? (range as readonly number[]) : [];
  const shaded = start !== undefined && end !== undefined ? ([start, end] as const) : undefined;
  return markup`<section><h2>How alike adjacent chunks are</h2>
<p>Cosine of the residuals that the action expert adds at each denoising step, between a chunk and the one before it, both uncached. Near 1, re-using the older one loses little.</p>
<div class="columns"><div>${cosinePlot(residualCosines, shaded)}</div><div>${table(
    [
      { title: 'step', align: 'left' },
      { title: 'mean' },
      { title: '5 %' },
      { title: '95 %' },
      { title: 'pairs' },
    ],
    residualCosines.map(({ step, mean, p5, p95, pairs }) => [
      String(step),
      decimals(mean),
      decimals(p5),
      decimals(p95),
      String(pairs),
    ]),
  )}</div></div></section>`;
}

function decimals(value: number): string {
  return Number.isFinite(value) ? value.toFixed(4) : NO_FIGURE;
}
