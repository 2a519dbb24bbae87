import { executedSteps } from '../../evaluation/deviation';
import { STAGES, type Stage } from '../../evaluation/types';
import { markup, type Markup } from '../Markup';
import { milliseconds } from '../numbers';
import { latencyPlot } from '../plots/latencyPlot';
import type { Report } from './Report';
import { table } from './table';
import { scroll } from './scroll';

/** Where the time goes. */
export function latency({ figures, evaluation: { layout } }: Report): Markup {
  const budget = executedSteps(layout) / layout.controlRate;
  const stages: readonly Stage[] = STAGES;
  return markup`<section><h2>Latency by stage</h2>
<p>Bars are mean times. On each, the long tick is the median of the whole chunk (the figure at the end), the short tick its 95th percentile, the dot its maximum. A chunk is due every ${milliseconds(budget)} ms. Warm-up is not counted: every configuration computed the first observation twice before, thrown away.</p>
<ul class="legend">${[...stages.filter((stage) => stage !== 'total'), 'other'].map(
    (stage) => markup`<li><span class="key stage-${stage}"></span><span>${stage}</span></li>`,
  )}</ul>
${scroll(latencyPlot(figures, budget))}
<details><summary>Table: p50 / p95 / p99 of each stage, ms</summary>${table(
    [
      { title: '#' },
      { title: 'configuration', align: 'left' },
      ...stages.map((stage) => ({ title: stage })),
      { title: 'expert, in full' },
      { title: 'expert, with reuse' },
    ],
    figures.configurations.map((one, i) => [
      String(i + 1),
      one.configuration.name,
      ...stages.map((stage) => {
        const { p50, p95, p99 } = one.latency[stage];
        return `${milliseconds(p50)} / ${milliseconds(p95)} / ${milliseconds(p99)}`;
      }),
      milliseconds(one.expertOfFullChunks.p50),
      milliseconds(one.expertOfReuses.p50),
    ]),
  )}</details></section>`;
}
