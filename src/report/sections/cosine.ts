import type { StepCosine } from '../../evaluation/residualCosine';
import { markup, type Markup } from '../Markup';
import { fixed } from '../numbers';
import { cosinePlot } from '../plots/cosinePlot';
import { table } from './table';

/**
 * The likeness of adjacent chunks, which re-use rests on; nothing where it was not recorded.
 * @param range the steps that the report's choice re-uses, a setting as it is; shaded if it is a range
 * @param uncached which chunks were compared: "both uncached"
 */
export function cosineSection(
  cosines: readonly StepCosine[] | undefined,
  range: unknown,
  uncached: string,
): Markup | undefined {
  if (!cosines?.some(({ pairs }) => pairs > 0)) return undefined;
  const [start, end] = Array.isArray(range) ? (range as readonly number[]) : [];
  const shaded = start !== undefined && end !== undefined ? ([start, end] as const) : undefined;
  return markup`<section><h2>How alike adjacent chunks are</h2>
<p>Cosine of the residuals that the action expert adds at each denoising step, between a chunk and the one before it, ${uncached}. Near 1, re-using the older one loses little.</p>
<div class="columns"><div>${cosinePlot(cosines, shaded)}</div><div>${table(
    [
      { title: 'step', align: 'left' },
      { title: 'mean' },
      { title: '5 %' },
      { title: '95 %' },
      { title: 'pairs' },
    ],
    cosines.map(({ step, mean, p5, p95, pairs }) => [
      String(step),
      ...[mean, p5, p95].map((value) => fixed(value, 4)),
      String(pairs),
    ]),
  )}</div></div></section>`;
}
