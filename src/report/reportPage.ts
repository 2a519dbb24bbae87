import type { Figures } from '../evaluation/evaluate';
import type { Evaluation, Provenance } from '../evaluation/types';
import { pageScript, uPlotStyle } from './inlined';
import { jsonForScript, markup, verbatim } from './Markup';
import { metricsJson } from './metricsJson';
import { LIVE_VALUES_LIMIT, motionData, valuesOf } from './motionData';
import type { MotionData } from './motionData';
import { pageHead } from './pageHead';
import { PAGE_STYLE } from './pageStyle';
import { motionOf, only } from './plots/motion';
import { seriesStyles } from './plots/seriesStyle';
import { actions } from './sections/actions';
import { cosineSection } from './sections/cosine';
import { deviation } from './sections/deviation';
import { header } from './sections/header';
import { latency } from './sections/latency';
import { momentId, moments as momentsSection, momentsOf } from './sections/moments';
import type { RunMoments } from './sections/moments';
import { origin } from './sections/origin';
import type { Report } from './sections/Report';
import { seams } from './sections/seams';
import { strips } from './sections/strips';
import { summary } from './sections/summary';
import { tradeOff } from './sections/tradeOff';
import { warningList } from './sections/warningList';
import { focusOf } from './verdict';

/**
 * The report as one HTML file: no network, no other file, readable without scripts, safe to open with whatever the
 * recording contained.
 */
export function reportPage(evaluation: Evaluation, figures: Figures, provenance: Provenance): string {
  const report: Report = {
    evaluation,
    figures,
    provenance,
    styles: seriesStyles(figures),
    focus: focusOf(figures),
  };
  const moments = momentsOf(report);
  const all = motionOf(
    evaluation,
    report.styles.filter(({ highlighted }) => highlighted),
  );
  // Where all lines would make the page heavy, it shows one cached one.
  const few = only(all, [
    ...all.series.filter(({ className }) => ['recorded', 's0'].includes(className)).map(({ name }) => name),
    ...(report.focus ? [report.focus.configuration.name] : []),
  ]);
  const motion = valuesOf(all) <= LIVE_VALUES_LIMIT ? all : few;
  const live = valuesOf(motion) <= LIVE_VALUES_LIMIT;
  const style = `${uPlotStyle()}\n${PAGE_STYLE}`;
  const script = pageScript('report');
  const title = `${provenance.recording.name} with ${provenance.model.name}: replay report`;

  return markup`<!doctype html>
<html lang="en">
${pageHead({ title, style, script, images: 'data:' })}
<body>
<main>
${header(report)}
${warningList(evaluation.warnings)}
${summary(report)}
${tradeOff(report)}
${latency(report)}
${strips(report, moments)}
${momentsSection(report, moments)}
${actions(report, motion, live)}
${deviation(report)}
${seams(report)}
${cosineSection(report.figures.residualCosines, report.focus?.configuration.values['range'], 'both uncached')}
${origin(report)}
</main>
<script type="application/json" id="metrics">${jsonForScript(metricsJson(evaluation, figures, provenance))}</script>
${live && markup`<script type="application/json" id="motion">${jsonForScript(motionData(motion, linked(report, moments)))}</script>\n<script>${verbatim(script)}</script>`}
</body>
</html>
`.text;
}

/** What the script needs to know of the page besides the lines. */
function linked(
  { evaluation: { layout, observations } }: Report,
  moments: readonly RunMoments[],
): Pick<MotionData, 'groups' | 'moments'> {
  return {
    groups: layout.names.map((_, column) =>
      layout.groups.findIndex(({ indices }) => indices.includes(column)),
    ),
    moments: Object.fromEntries(
      moments.map((one) => [
        one.run.configuration.name,
        one.moments.map(({ observation, step }, rank) => ({
          time: (observations[observation]?.time ?? 0) + (step + 1) / layout.controlRate,
          id: momentId(one.number, rank),
        })),
      ]),
    ),
  };
}
