import type { CacheSummary } from '../../evaluation/evaluate';
import { MOMENTS } from '../../evaluation/MomentPictures';
import { markup, type Markup } from '../Markup';
import { byteSize, plural } from '../numbers';
import { stripOverview } from '../plots/stripOverview';
import type { StripLine } from '../plots/stripOverview';
import { momentId } from './moments';
import type { RunMoments } from './moments';
import type { Report } from './Report';
import { scroll } from './scroll';
import { table } from './table';

/** Which steps of which chunks each cached configuration computed: a line for each. */
export function strips(
  { evaluation, figures, styles }: Report,
  moments: readonly RunMoments[],
): Markup | undefined {
  const lines = evaluation.runs.flatMap((run, i): StripLine[] => {
    const one = figures.configurations[i];
    const number = styles[i]?.number ?? 0;
    if (one?.uncached !== false) return [];
    const worst = moments.find((candidate) => candidate.run === run)?.moments ?? [];
    return [
      {
        run,
        number,
        help: `${run.configuration.name}: ${cacheSentence(one.cache)}`,
        marks: worst.map(({ observation }, rank) => ({
          chunk: observation,
          href: `#${momentId(number, rank)}`,
        })),
      },
    ];
  });
  if (lines.length === 0) return undefined;
  const partly = evaluation.runs.some(({ chunks }) =>
    chunks.some(({ report }) => report.computedShape !== 'steps'),
  );
  const { observations, layout } = evaluation;
  return markup`<section><h2>What was computed</h2>
<p>Chunks from left to right, denoising steps from top (noise) to bottom (action). The small marks are the ${plural(MOMENTS, 'worst moment')}: a click leads to what happened there.</p>
<ul class="legend"><li><span class="key cell-refresh"></span><span>computed, refreshing chunk</span></li><li><span class="key cell-computed"></span><span>computed</span></li>${
    partly && markup`<li><span class="key cell-part2"></span><span>some blocks computed</span></li>`
  }<li><span class="key cell-reused"></span><span>reused</span></li></ul>
${scroll(stripOverview(lines, observations, layout.steps))}
<details><summary>Table: refreshes, memory, reasons</summary>${table(
    [
      { title: '#' },
      { title: 'configuration', align: 'left' },
      { title: 'what the cache did', align: 'left' },
    ],
    lines.map(({ run, number, help }) => [
      String(number),
      run.configuration.name,
      help.slice(run.configuration.name.length + 2),
    ]),
  )}</details></section>`;
}

function cacheSentence(cache: CacheSummary): string {
  const reasons = Object.entries(cache.reasons).map(
    ([reason, count]) => `${reason.replaceAll('_', ' ')} ${count}`,
  );
  return [
    `${plural(cache.refreshes, 'refresh', 'refreshes')} in ${plural(cache.chunks, 'chunk')}${reasons.length > 0 ? ` (${reasons.join(', ')})` : ''}`,
    `${cache.reusedSteps} of ${cache.fullSteps + cache.reusedSteps} steps reused`,
    `memory ${byteSize(cache.peakBytes)}`,
    ...(cache.fallbacks > 0 ? [plural(cache.fallbacks, 'fallback')] : []),
  ].join('; ');
}
