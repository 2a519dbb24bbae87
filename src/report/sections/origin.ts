import { markup, type Markup } from '../Markup';
import { significant, withUnit } from '../numbers';
import { shellCommand } from '../shellCommand';
import type { Report } from './Report';

/** Command, model, recording, machine, versions, settings, and how the figures are defined. */
export function origin({ provenance, figures }: Report): Markup {
  const { model, recording, machine, versions, settings } = provenance;
  const facts = (pairs: readonly (readonly [string, string])[]): Markup =>
    markup`<dl class="facts">${pairs.map(([name, value]) => markup`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
  return markup`<section><h2>Where these figures come from</h2>
<p>To measure the same again:</p>
<pre>${shellCommand(provenance.command)}</pre>
<div class="columns">
<div><h3>Model</h3>${facts([
    ['name', model.name],
    ['bundle', model.path],
    ['fingerprint', model.fingerprint],
    ...(model.randomWeights ? [['weights', 'random'] as const] : []),
    ...model.facts,
  ])}</div>
<div><h3>Recording</h3>${facts([['name', recording.name], ['path', recording.path], ...recording.facts])}</div>
<div><h3>Machine</h3>${facts(machine)}</div>
<div><h3>Versions and settings</h3>${facts([...versions, ...settings, ['took', `${significant(provenance.duration)} s`]])}</div>
</div>
${
  figures.tolerance &&
  markup`<p class="note">Tolerance, ${figures.tolerance.measure === 'rmse' ? 'RMSE' : 'worst case'} over the executed part: ${[
    ...Object.entries(figures.tolerance.groups).map(([name, limit]) => {
      const unit = figures.configurations[0]?.deviation.executed.groups.find(
        ({ group }) => group === name,
      )?.unit;
      return `${name} ${withUnit(limit, unit ?? '')}`;
    }),
    ...(figures.tolerance.normalised === undefined
      ? []
      : [`normalised ${significant(figures.tolerance.normalised)}`]),
    `gripper flips ${figures.tolerance.flips}`,
  ].join(', ')}.</p>`
}
<p class="note">Speed-up is Σ uncached chunk times / Σ chunk times over the same chunks, refreshes included. Its bound is 1/(1 − f·s), with f the expert’s share of the uncached time and s the share of stack evaluations saved. Percentiles are interpolated linearly. The same figures for programs are in <code>metrics.json</code> beside this file and inside it (<code>script#metrics</code>); one line for each chunk is in <code>chunks.csv</code>.</p>
</section>`;
}
