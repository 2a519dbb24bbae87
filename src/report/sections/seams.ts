import { markup, type Markup } from '../Markup';
import { NO_FIGURE, significant, times } from '../numbers';
import type { Report } from './Report';
import { configurationTable } from './table';

/** How chunks join. */
export function seams(report: Report): Markup {
  const {
    figures,
    evaluation: { layout },
  } = report;
  const [baseline] = figures.configurations;
  return markup`<section><h2>Seams between chunks</h2>
<p>Jump: distance (L2 over the group) from the last executed action of a chunk to the first of the next. Step: the same between neighbours inside a chunk, the motion itself. Jerk: root mean square of the third derivative of position, across seams and inside chunks.</p>
${layout.groups.map((group, i) => {
  const unit = group.unit === '' ? '' : `, ${group.unit}`;
  const perCube = group.unit === '' ? '' : `, ${group.unit}/s³`;
  return markup`<h3>${group.name}${unit}</h3>${configurationTable(
    report,
    ['jump p50', 'p95', 'worst', 'step p50', 'jump / uncached', `jerk at seams${perCube}`, 'inside'].map(
      (title) => ({ title }),
    ),
    figures.configurations,
    (one) => {
      const seam = one.seams[i];
      const reference = baseline?.seams[i]?.jump.mean ?? NaN;
      return seam
        ? [
            significant(seam.jump.p50),
            significant(seam.jump.p95),
            significant(seam.jump.max),
            significant(seam.step.p50),
            one.uncached ? NO_FIGURE : times(seam.jump.mean / reference),
            significant(seam.seamJerk),
            significant(seam.insideJerk),
          ]
        : [];
    },
  )}`;
})}</section>`;
}
