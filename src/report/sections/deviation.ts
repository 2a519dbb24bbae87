import type { GroupDeviation } from '../../evaluation/deviation';
import { markup, type Markup } from '../Markup';
import { NO_FIGURE, significant } from '../numbers';
import { horizonPlot } from '../plots/horizonPlot';
import { legend } from '../plots/legend';
import type { Report } from './Report';
import { configurationTable } from './table';

/** How far the actions lie from the uncached ones and from the recorded ones. */
export function deviation(report: Report): Markup | undefined {
  const {
    evaluation: { layout },
    figures,
    styles,
  } = report;
  const cached = figures.configurations.filter(({ uncached }) => !uncached);
  const recorded = figures.configurations.some(({ fromRecorded }) => fromRecorded);
  if (cached.length === 0 && !recorded) return undefined;
  const figure = ({ rmse, worst }: GroupDeviation): string =>
    `${significant(rmse, 2)} (${significant(worst, 2)})`;
  const groupTitle = ({ name, unit }: { readonly name: string; readonly unit: string }): string =>
    unit === '' ? name : `${name} ${unit}`;
  const differences =
    cached.length > 0 &&
    markup`<p>How far the cached actions lie from the uncached ones, by their place in the chunk. What lies beyond the executed part is replaced by the next chunk before it can act.</p>
${legend(styles.filter(({ className }) => className !== 's0'))}
<div class="columns">${layout.groups.map((_, i) => markup`<div>${horizonPlot(figures, layout, styles, i)}</div>`)}</div>
<h3>Over the whole chunks: RMSE (worst)</h3>
${configurationTable(
  report,
  [
    ...layout.groups.map((group) => ({ title: groupTitle(group) })),
    { title: 'normalised' },
    ...(layout.grippers.length > 0 ? [{ title: 'flips' }] : []),
  ],
  cached,
  (one) => [
    ...one.deviation.whole.groups.map(figure),
    `${significant(one.deviation.whole.normalised.rmse, 2)} (${significant(one.deviation.whole.normalised.worst, 2)})`,
    ...(one.flips ? [String(one.flips.whole)] : []),
  ],
)}`;
  const fromRecording =
    recorded &&
    markup`<h3>From what the recording did, executed part: RMSE (worst)</h3>
${configurationTable(
  report,
  [...layout.groups.map((group) => ({ title: groupTitle(group) }))],
  figures.configurations,
  (one) => [...(one.fromRecorded ?? []).map((group) => (group.count === 0 ? NO_FIGURE : figure(group)))],
)}`;
  return markup`<section><h2>Deviation along the horizon</h2>${differences}${fromRecording}</section>`;
}
