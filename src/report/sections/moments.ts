import { MOMENTS } from '../../evaluation/MomentPictures';
import type { ConfigurationRun, SmallPicture } from '../../evaluation/types';
import { worstMoments, type Moment } from '../../evaluation/worstMoments';
import { markup, verbatim, type Markup } from '../Markup';
import { significant, withUnit } from '../numbers';
import { sample } from '../plots/legend';
import { momentPlot } from '../plots/momentPlot';
import type { Report } from './Report';

/** The worst moments of a configuration that the page points out. */
export interface RunMoments {
  readonly run: ConfigurationRun;
  /** its number in the tables */
  readonly number: number;
  readonly className: string;
  readonly moments: readonly Moment[];
}

/** Of every configuration that has a colour of its own, the one in focus first. */
export function momentsOf({ evaluation, figures, styles, focus }: Report): readonly RunMoments[] {
  const { layout, runs } = evaluation;
  const [baseline] = runs;
  if (!baseline) return [];
  const isFocus = ({ run }: RunMoments): number =>
    Number(run.configuration.name === focus?.configuration.name);
  return runs
    .flatMap((run, i): RunMoments[] => {
      const style = styles[i];
      if (!style?.highlighted || figures.configurations[i]?.uncached !== false) return [];
      const moments = worstMoments(baseline.chunks, run.chunks, layout, MOMENTS);
      return moments.length > 0 ? [{ run, number: style.number, className: style.className, moments }] : [];
    })
    .sort((a, b) => isFocus(b) - isFocus(a));
}

/** The fragment of the page where a moment stands. */
export function momentId(number: number, rank: number): string {
  return `moment-${number}-${rank + 1}`;
}

/** Where each configuration was farthest from the uncached run: what the cameras saw then, and both actions. */
export function moments(report: Report, all: readonly RunMoments[]): Markup | undefined {
  if (all.length === 0) return undefined;
  const { pictures } = report.evaluation;
  const used = new Set(all.flatMap((one) => one.moments.map(({ observation }) => observation)));
  const carried = [...(pictures ?? [])].filter(([observation]) => used.has(observation));
  return markup`<section id="moments"><h2>The worst moments</h2>
<p>The chunks whose executed actions lie farthest from the uncached ones, the worst first (as the network sees actions, so that units do not matter). The dashed line is the largest difference. Its link shows the moment among all actions.</p>
${
  carried.length > 0 &&
  markup`<svg class="carried" width="0" height="0" aria-hidden="true"><defs>${carried.map(([observation, list]) => list.map((one, i) => carriedPicture(pictureId(observation, i), one)))}</defs></svg>`
}
${all.map(
  (one, i) =>
    markup`<details class="moments" data-run="${one.run.configuration.name}"${i === 0 && verbatim(' open')}><summary>${sample(one.className)} ${one.number} ${one.run.configuration.name}: worst ${significant(one.moments[0]?.difference ?? NaN, 2)}</summary><div class="cards">${one.moments.map(
      (moment, rank) => card(report, one, moment, rank),
    )}</div></details>`,
)}</section>`;
}

function card({ evaluation }: Report, one: RunMoments, moment: Moment, rank: number): Markup {
  const { layout, observations, runs, pictures } = evaluation;
  const facts = observations[moment.observation];
  const uncached = runs[0]?.chunks[moment.observation];
  const chunk = one.run.chunks[moment.observation];
  if (!facts || !uncached || !chunk) return markup``;
  const at = moment.step * layout.names.length + moment.column;
  const unit = layout.units[moment.column] ?? '';
  const value = ({ actions }: typeof chunk): string => withUnit(actions[at] ?? NaN, unit);
  const name = one.run.configuration.name;
  return markup`<article class="card" id="${momentId(one.number, rank)}"><p class="when"><b>${rank + 1}</b> <a href="#actions" data-run="${name}" data-time="${facts.time.toFixed(3)}">${facts.time.toFixed(2)} s</a> <span>episode ${facts.episode}, chunk ${facts.chunk}${chunk.report.refreshed ? ', refreshed' : ''}</span></p>
${pictures?.has(moment.observation) && markup`<div class="seen">${pictures.get(moment.observation)?.map((picture, i) => shownPicture(pictureId(moment.observation, i), picture))}</div>`}
${momentPlot(layout, moment, uncached, { chunk, className: one.className })}
<p class="note">${layout.names[moment.column] ?? ''}, action ${moment.step + 1}: <b>${value(chunk)}</b>, uncached ${value(uncached)}</p></article>`;
}

const pictureId = (observation: number, index: number): string => `seen-${observation}-${index}`;

/** Carried once, however many moments show it. */
function carriedPicture(id: string, { width, height, jpeg }: SmallPicture): Markup {
  const data = Buffer.from(jpeg).toString('base64');
  return markup`<image id="${id}" width="${width}" height="${height}" href="${verbatim(`data:image/jpeg;base64,${data}`)}"/>`;
}

function shownPicture(id: string, { camera, width, height }: SmallPicture): Markup {
  return markup`<figure><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="camera ${camera}"><use href="#${id}"/></svg><figcaption>${camera}</figcaption></figure>`;
}
