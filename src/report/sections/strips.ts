import type { CacheSummary } from '../../evaluation/evaluate';
import { markup, type Markup, type MarkupValue } from '../Markup';
import { byteSize, plural } from '../numbers';
import { cacheStrip } from '../plots/cacheStrip';
import type { Report } from './Report';

/** More strips than these are folded away. */
const OPEN_STRIPS = 6;

/** Which steps of which chunks each cached configuration computed. */
export function strips({ evaluation, figures, styles, focus }: Report): Markup | undefined {
  const cached = evaluation.runs
    .map((run, i) => ({ run, figures: figures.configurations[i], style: styles[i] }))
    .filter((one) => one.figures?.uncached === false)
    .sort(
      (a, b) =>
        Number(b.figures === focus) - Number(a.figures === focus) ||
        Number(b.style?.highlighted) - Number(a.style?.highlighted),
    );
  if (cached.length === 0) return undefined;
  const strip = ({ run, figures: one, style }: (typeof cached)[number]): MarkupValue =>
    one &&
    markup`<h3>${style?.number ?? ''} ${run.configuration.name}</h3><p class="note">${cacheSentence(one.cache)}</p><div class="scroll">${cacheStrip(run, evaluation.observations, evaluation.layout.steps)}</div>`;
  const hidden = cached.slice(OPEN_STRIPS);
  const partly = evaluation.runs.some(({ chunks }) =>
    chunks.some(({ report }) => report.computedShape !== 'steps'),
  );
  return markup`<section><h2>What was computed</h2>
<p>Chunks from left to right, denoising steps from top (noise) to bottom (action).</p>
<ul class="legend"><li><span class="key cell-refresh"></span><span>computed, refreshing chunk</span></li><li><span class="key cell-computed"></span><span>computed</span></li>${
    partly && markup`<li><span class="key cell-part2"></span><span>some blocks computed</span></li>`
  }<li><span class="key cell-reused"></span><span>reused</span></li></ul>
${cached.slice(0, OPEN_STRIPS).map(strip)}${
    hidden.length > 0 &&
    markup`<details><summary>${hidden.length} more configurations</summary>${hidden.map(strip)}</details>`
  }</section>`;
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
