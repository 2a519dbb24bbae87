import { executedSteps } from '../../evaluation/deviation';
import { markup, verbatim, type Markup } from '../Markup';
import { significant } from '../numbers';
import { sample } from '../plots/legend';
import { differenceOf, only, type Motion } from '../plots/motion';
import { extent, motionPlot } from '../plots/motionPlot';
import type { Report } from './Report';

const DIFFERENCE_HEIGHT = 84;

/**
 * Every column of the action over time: recorded, uncached and one of the cached lines, and what lies between the
 * latter two. Columns stand in their groups, the largest difference first.
 */
export function actions(report: Report, motion: Motion, live: boolean): Markup {
  const {
    evaluation: { layout },
    focus,
    styles,
  } = report;
  const label = (name: string): string => {
    const style = styles.find((one) => one.name === name);
    return style ? `${style.number} ${name}` : name;
  };
  const cached = motion.series.filter(({ className }) => className !== 'recorded' && className !== 's0');
  const uncached = motion.series.find(({ className }) => className === 's0')?.name ?? '';
  const shown = cached.find(({ name }) => name === focus?.configuration.name) ?? cached[0];
  const still = only(
    motion,
    motion.series.filter((one) => one === shown || !cached.includes(one)).map(({ name }) => name),
  );
  const difference = shown && differenceOf(motion, uncached, shown.name);
  const rmse = shown ? rmseByColumn(report, shown.name) : [];
  const panel = (column: number, within: readonly number[]): Markup => {
    const unit = layout.units[column] ?? '';
    const title = `${layout.names[column] ?? ''}${unit === '' ? '' : `, ${unit}`}`;
    return markup`<div class="motion" data-column="${column}"><div class="live"><div class="head"><span>${title}</span><span class="readout"></span></div><div class="plotted"></div>${difference && markup`<div class="differences"></div>`}</div><div class="still">${motionPlot(still, column, title)}${
      difference && motionPlot(difference, column, 'difference', { height: DIFFERENCE_HEIGHT, within })
    }</div></div>`;
  };
  return markup`<section id="actions"><h2>Actions</h2>
<p>The executed part of every chunk, one after the other; below each, the difference of the cached from the uncached action, on one scale for each group. The model saw the recorded observations whatever it answered, so this is no driven motion: what matters is how far the lines lie apart, and how they jump at the seams (vertical lines, where a new chunk takes over).${live && markup` <span class="screen">Drag to zoom, double-click to see all again; a click on a mark leads to one of the worst moments.</span>`}${!live && markup` The recording is too long for live plots; <code>chunks.csv</code> and <code>metrics.json</code> have the figures.`}</p>
<ul class="legend">${still.series.map(
    (one) =>
      markup`<li${one === shown && verbatim(' class="still"')}>${sample(one.className)}<span>${label(one.name)}${one.name === uncached && ' (uncached)'}</span></li>`,
  )}${
    live &&
    shown &&
    markup`<li class="screen live"><label>against none: <select id="against">${cached.map(({ name }) => markup`<option value="${name}"${name === shown.name && verbatim(' selected')}>${label(name)}</option>`)}</select></label></li>`
  }</ul>
${layout.groups.map((group) => {
  const lines = difference ? group.indices.map((column) => difference.series[0]?.values[column] ?? []) : [];
  const sorted = [...group.indices].sort((a, b) => (rmse[b] ?? 0) - (rmse[a] ?? 0));
  const unit = group.unit === '' ? '' : `, ${group.unit}`;
  const largest = Math.max(0, ...group.indices.map((column) => rmse[column] ?? 0));
  return markup`<h3>${group.name}${unit}${shown && markup` <small class="still">RMSE of ${label(shown.name)} up to ${significant(largest, 2)}</small>`}</h3><div class="columns">${sorted.map((column) => panel(column, extent(lines)))}</div>`;
})}</section>`;
}

/** Root mean square difference of the executed actions of a run from the uncached ones, for each column. */
function rmseByColumn({ evaluation: { runs, layout } }: Report, name: string): readonly number[] {
  const width = layout.names.length;
  const run = runs.find(({ configuration }) => configuration.name === name);
  const squares = new Float64Array(width);
  run?.chunks.forEach(({ actions: own }, i) => {
    const reference = runs[0]?.chunks[i]?.actions;
    for (let k = 0; reference && k < executedSteps(layout) * width; k += 1)
      squares[k % width] = (squares[k % width] ?? 0) + ((own[k] ?? 0) - (reference[k] ?? 0)) ** 2;
  });
  const values = executedSteps(layout) * (run?.chunks.length ?? 1);
  return Array.from(squares, (sum) => Math.sqrt(sum / values));
}
