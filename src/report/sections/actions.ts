import { markup, type Markup } from '../Markup';
import { sample } from '../plots/legend';
import type { Motion } from '../plots/motion';
import { motionPlot } from '../plots/motionPlot';
import type { Report } from './Report';

/** Every column of the action over time: recorded, uncached, cached. */
export function actions(
  { evaluation: { layout }, focus, styles }: Report,
  motion: Motion,
  live: boolean,
): Markup {
  const title = (column: number): string => {
    const unit = layout.units[column] ?? '';
    return `${layout.names[column] ?? ''}${unit === '' ? '' : `, ${unit}`}`;
  };
  const number = (name: string): string => {
    const style = styles.find((one) => one.name === name);
    return style ? `${style.number} ${name}` : name;
  };
  return markup`<section><h2>Actions</h2>
<p>The executed part of every chunk, one after the other. The model saw the recorded observations whatever it answered, so this is no driven motion: what matters is how far the lines lie apart, and how they jump at the seams (vertical lines, where a new chunk takes over).${live && markup` <span class="screen">Drag to zoom, double-click to see all again.</span>`}${!live && markup` The recording is too long for live plots; <code>chunks.csv</code> and <code>metrics.json</code> have the figures.`}</p>
<ul class="legend">${motion.series.map(
    ({ name, className }) =>
      markup`<li>${sample(className)}<span>${name === 'recorded' ? name : number(name)}${name === focus?.configuration.name ? '' : name === 'none' ? ' (uncached)' : ''}</span></li>`,
  )}</ul>
<div class="columns">${layout.names.map(
    (_, column) =>
      markup`<div class="motion" data-column="${column}"><div class="live"><div class="head"><span>${title(column)}</span><span class="readout"></span></div><div class="plotted"></div></div><div class="still">${motionPlot(motion, column, title(column))}</div></div>`,
  )}</div></section>`;
}
