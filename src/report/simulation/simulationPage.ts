import { jsonForScript, markup, verbatim, type Markup } from '../Markup';
import { NO_FIGURE, fixed, percent, plural, times } from '../numbers';
import { pageHead } from '../pageHead';
import { PAGE_STYLE } from '../pageStyle';
import { legend } from '../plots/legend';
import type { SeriesStyle } from '../plots/seriesStyle';
import { cosineSection } from '../sections/cosine';
import { table } from '../sections/table';
import { shellCommand } from '../shellCommand';
import { lengthPlot } from './lengthPlot';
import { refreshTimeline } from './refreshTimeline';
import type { Exhibit, Facts, Simulation } from './Simulation';
import { simulationJson } from './simulationJson';
import { simulationStyles } from './simulationStyles';
import { signedWithInterval, simulationTable, withInterval } from './simulationTable';
import { simulationVerdict } from './simulationVerdict';
import { successPlot } from './successPlot';
import { scroll } from '../sections/scroll';

/** Episodes of each configuration whose refreshes are drawn. */
const TIMELINE_EPISODES = 8;
/** More timelines than these are folded away. */
const OPEN_TIMELINES = 4;

const STYLE = `${PAGE_STYLE}
table { font-size: 13px; } th, td { padding: 5px 6px; }
.films { display: grid; grid-template-columns: repeat(auto-fill, minmax(290px, 1fr)); gap: 14px 18px; margin: 8px 0 20px; }
.films figure { margin: 0; min-width: 0; } .films img { width: 100%; height: auto; image-rendering: pixelated; border: 1px solid var(--rule); border-radius: 6px; display: block; background: var(--panel); }
.films figcaption { font-size: 13px; color: var(--muted); margin-top: 4px; overflow-wrap: anywhere; }
`;

/** The report of simulated episodes as one HTML file: no network, no script, no other file. */
export function simulationPage(simulation: Simulation): string {
  const { figures, origin, pareto, choice } = simulation;
  const styles = simulationStyles(simulation);
  const { columns, rows, marked } = simulationTable(figures, pareto, choice);
  const compared = figures.configurations.length > 1;
  const title = `${origin.model.name} in the simulated world: closed-loop report`;
  return markup`<!doctype html>
<html lang="en">
${pageHead({ title, style: STYLE, images: 'data:' })}
<body>
<main>
<header>
<h1>${origin.model.name} in the simulated world</h1>
<p class="sub">closed loop: ${plural(figures.episodes, 'episode')} of ${figures.suites.join(', ')}, ${plural(figures.configurations.length, 'configuration')}, ${origin.startedAt.slice(0, 16).replace('T', ' ')} UTC</p>
<p class="verdict">${simulationVerdict(figures, choice)}</p>
</header>
${figures.leftOut > 0 && markup`<section class="warnings"><h2>The run is not complete</h2><ul><li>${plural(figures.leftOut, 'episode')} left out: not every configuration has run them.</li></ul></section>`}
<section><h2>Configurations</h2>
<p>All configurations ran the same episodes: same start, same disturbances, same noise. Intervals are of 95 %.${compared && ' Differences are paired by episode. Every chunk was computed in turn with those of the other configurations, so what slowed the machine slowed all of them.'}</p>
${table(columns, rows, marked)}</section>
${compared && successSection(simulation, styles)}
${compared && costSection(simulation)}
${compared && lengthSection(simulation, styles)}
${timelineSection(simulation)}
${likenessSection(simulation)}
${filmSection(simulation)}
<section><h2>Where these figures come from</h2>
<p>To measure the same again:</p>
<pre>${shellCommand(origin.command)}</pre>
<div class="columns">
<div><h3>Model</h3>${facts([['name', origin.model.name], ...origin.model.facts])}</div>
<div><h3>World</h3>${facts(origin.world)}</div>
<div><h3>Machine</h3>${facts(origin.machine)}</div>
<div><h3>Versions</h3>${facts(origin.versions)}</div>
</div>
<p class="note">Success: Wilson score interval. Differences and ratios: percentile bootstrap over episodes, 10 000 resamples. Success is counted within the step limit of the world; an episode without it runs to the limit, and its chunks count. The same figures for programs are in <code>metrics.json</code> beside this file and inside it (<code>script#metrics</code>); one line for each episode is in <code>episodes.csv</code>.</p>
</section>
</main>
<script type="application/json" id="metrics">${jsonForScript(simulationJson(simulation))}</script>
</body>
</html>
`.text;
}

function successSection(simulation: Simulation, styles: readonly SeriesStyle[]): Markup {
  return markup`<section><h2>Success against speed-up</h2>
<p>Up and to the right is better. The dashed stair is the Pareto front: nothing else is both faster and more successful. Bars are intervals of success. The speed-up is that of whole episodes; the tick beside a point is that of a chunk, which is what papers report.</p>
${scroll(successPlot(simulation, styles))}</section>`;
}

function costSection({ figures }: Simulation): Markup {
  return markup`<section><h2>What caching costs an episode</h2>
<p>Re-used steps make a chunk cheaper, but the robot may need more chunks. Longer: chunks over those of the uncached run, in episodes that both solve. Saved: share of the uncached work (full-stack evaluations) that is not done, for a chunk and for a whole episode, failed ones included.</p>
${table(
  [
    { title: '#' },
    { title: 'configuration', align: 'left' },
    { title: 'lost / won', help: 'Episodes that only the uncached run solves, and only this one.' },
    { title: 'p', help: 'Exact McNemar test of lost against won.' },
    { title: 'steps to success' },
    { title: 'ms a chunk' },
    { title: 'longer' },
    { title: 'saved a chunk' },
    { title: 'saved an episode' },
    { title: 'faster an episode' },
  ],
  figures.configurations.map((one, i) => {
    const { value, low, high } = one.speedUpPerEpisode;
    return [
      String(i + 1),
      one.configuration.name,
      one.uncached ? NO_FIGURE : `${one.lost} / ${one.won}`,
      one.uncached ? NO_FIGURE : one.p < 0.001 ? '< 0.001' : fixed(one.p, 3),
      fixed(one.stepsToSuccess, 0),
      fixed(one.chunkMs.mean, 1),
      one.uncached ? NO_FIGURE : times(one.lengthening.value),
      one.uncached ? NO_FIGURE : percent(one.savedPerChunk),
      one.uncached ? NO_FIGURE : percent(one.savedPerEpisode),
      one.uncached ? NO_FIGURE : `${times(value)} (${fixed(low, 2)}–${fixed(high, 2)})`,
    ];
  }),
)}${figures.suites.length > 1 && markup`<details><summary>The same suite by suite</summary>${suiteTable(figures)}</details>`}</section>`;
}

/** Success and cost of every configuration in every suite. */
function suiteTable({ configurations, suites }: Simulation['figures']): Markup {
  return table(
    [
      { title: 'suite', align: 'left' },
      { title: '#' },
      { title: 'configuration', align: 'left' },
      { title: 'success %' },
      { title: 'difference, points' },
      { title: 'chunks/ep.' },
      { title: 'stacks/chunk' },
      { title: 'stacks/ep.' },
      { title: 'faster an episode' },
    ],
    suites.flatMap((suite, s) =>
      configurations.map((one, i) => {
        const own = one.bySuite[s];
        return [
          suite,
          String(i + 1),
          one.configuration.name,
          own ? withInterval(own.success) : NO_FIGURE,
          own?.difference ? signedWithInterval(own.difference) : NO_FIGURE,
          fixed(own?.chunksPerEpisode ?? NaN, 1),
          fixed(own?.stacksPerChunk ?? NaN, 2),
          fixed(own?.stacksPerEpisode ?? NaN, 1),
          one.uncached ? NO_FIGURE : times(own?.speedUpPerEpisode ?? NaN),
        ];
      }),
    ),
  );
}

function lengthSection({ figures }: Simulation, styles: readonly SeriesStyle[]): Markup | undefined {
  const bins = figures.configurations[0]?.byLength ?? [];
  if (bins.length < 2) return undefined;
  return markup`<section><h2>Success by the length of the episode</h2>
<p>Episodes sorted by the chunks that the uncached run needs for them; long ones give an old residual more time to mislead.</p>
${legend(styles)}
<div class="columns"><div>${lengthPlot(figures, styles)}</div><div>${table(
    [
      { title: '#' },
      ...bins.map(({ bin: { from, to }, episodes }) => ({
        title: `${from === to ? String(from) : `${from}–${to}`} (${episodes})`,
      })),
    ],
    figures.configurations.map((one, i) => [
      String(i + 1),
      ...one.byLength.map(({ success }) => fixed(100 * success.value, 1)),
    ]),
  )}<p class="note">Success in per cent; in brackets the number of episodes.</p></div></div></section>`;
}

function timelineSection({ figures, records, pareto }: Simulation): Markup | undefined {
  const episodes = timelineEpisodes(records, figures.suites);
  const onFront = (name: string): boolean => pareto.includes(name);
  const shown = figures.configurations
    .filter(({ uncached }) => !uncached)
    .sort((a, b) => Number(onFront(b.configuration.name)) - Number(onFront(a.configuration.name)));
  if (shown.length === 0) return undefined;
  const one = ({ configuration, reasons }: (typeof shown)[number]): Markup => {
    const own = records.filter(
      (record) => record.configuration === configuration.name && episodes.has(record.episode),
    );
    const why = Object.entries(reasons)
      .map(([reason, count]) => `${reason.replaceAll('_', ' ')} ${count}`)
      .join(', ');
    return markup`<h3>${configuration.name}</h3><p class="note">Refreshes in all episodes: ${why === '' ? 'none' : why}.</p>${scroll(refreshTimeline(configuration.name, own))}`;
  };
  const hidden = shown.slice(OPEN_TIMELINES);
  return markup`<section><h2>When the cache was refreshed</h2>
<p>Chunks from left to right, some episodes of each configuration.</p>
<ul class="legend"><li><span class="key cell-refresh"></span><span>computed in full</span></li><li><span class="key cell-reused"></span><span>steps re-used</span></li></ul>
${shown.slice(0, OPEN_TIMELINES).map(one)}${hidden.length > 0 && markup`<details><summary>${hidden.length} more configurations</summary>${hidden.map(one)}</details>`}</section>`;
}

/** Some episodes of every suite. */
function timelineEpisodes(
  records: Simulation['records'],
  suites: Simulation['figures']['suites'],
): ReadonlySet<number> {
  const perSuite = Math.max(1, Math.floor(TIMELINE_EPISODES / Math.max(1, suites.length)));
  return new Set(
    suites.flatMap((suite) =>
      [...new Set(records.filter((one) => one.suite === suite).map(({ episode }) => episode))]
        .sort((a, b) => a - b)
        .slice(0, perSuite),
    ),
  );
}

/** The likeness of adjacent chunks, with the steps that the chosen configuration re-uses. */
function likenessSection({ residualCosines, figures, choice }: Simulation): Markup | undefined {
  const chosen = figures.configurations.find(({ configuration }) => configuration.name === choice);
  return cosineSection(residualCosines, chosen?.configuration.values['range'], 'in uncached episodes');
}

function filmSection({ exhibits }: Simulation): Markup | undefined {
  if (exhibits.length === 0) return undefined;
  const episodes = new Map<number, Exhibit[]>();
  for (const one of exhibits) episodes.set(one.episode, [...(episodes.get(one.episode) ?? []), one]);
  return markup`<section><h2>Episodes to look at</h2>
<p>What the policy sees: the camera above the table on the left, the one at the gripper on the right. Below, a cell for each chunk: dark where it was computed in full, light where steps were re-used.</p>
${[...episodes].map(
  ([episode, films]) => markup`<h3>${films[0]?.suite}, episode ${episode}: “${films[0]?.instruction}”</h3>
<div class="films">${films.map(
    (film) =>
      markup`<figure><img src="${verbatim(`data:image/webp;base64,${film.image.toString('base64')}`)}" alt="${film.configuration}, episode ${episode}"><figcaption>${film.configuration}: ${film.success ? 'solved' : 'failed'} after ${plural(film.steps, 'step')}, ${plural(film.chunks, 'chunk')}</figcaption></figure>`,
  )}</div>`,
)}</section>`;
}

function facts(pairs: Facts): Markup {
  return markup`<dl class="facts">${pairs.map(([name, value]) => markup`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}
