import { executedSteps } from '../../evaluation/deviation';
import type { SpeedUp } from '../../evaluation/speedUp';
import { markup, type Markup } from '../Markup';
import { milliseconds, percent, plural, significant, times } from '../numbers';
import { decisionGroups, seamRatio } from '../summaryTable';
import { verdict } from '../verdict';
import type { Report } from './Report';

/** What was run, the verdict, and the figures that it rests on. */
export function header({ evaluation, figures, provenance, focus }: Report): Markup {
  const { observations, layout } = evaluation;
  const episodes = new Set(observations.map(({ episode }) => episode)).size;
  const instructions = [...new Set(observations.map(({ instruction }) => instruction))];
  const baseline = figures.configurations[0];
  const budget = executedSteps(layout) / layout.controlRate;
  const shown = focus ?? baseline;
  return markup`<header>
<h1>${provenance.recording.name}</h1>
<p class="sub">replayed with ${provenance.model.name}: ${plural(observations.length, 'chunk')} in ${plural(episodes, 'episode')}, ${plural(figures.configurations.length, 'configuration')}, ${provenance.startedAt.slice(0, 16).replace('T', ' ')} UTC</p>
${instructions.slice(0, 3).map((text) => markup`<p class="sub">“${text}”</p>`)}${
    instructions.length > 3 &&
    markup`<p class="sub">and ${plural(instructions.length - 3, 'more instruction')}</p>`
  }
<p class="verdict">${verdict(figures, provenance)}</p>
<dl class="tiles">${
    focus && [
      tile('speed-up', times(focus.speedUp.ratio), boundNote(focus.speedUp)),
      tile(
        'work saved',
        percent(focus.speedUp.savedShare),
        `of the expert, which is ${percent(focus.speedUp.expertShare)} of an uncached chunk`,
      ),
    ]
  }${
    shown &&
    tile(
      'chunk p50 / p95, ms',
      `${milliseconds(shown.latency.total.p50)} / ${milliseconds(shown.latency.total.p95)}`,
      `${shown.latency.total.p95 <= budget ? 'within' : 'p95 is beyond'} the ${milliseconds(budget)} ms that ${executedSteps(layout)} actions take`,
    )
  }${
    focus &&
    baseline && [
      tile(
        'deviation, executed',
        significant(focus.deviation.executed.normalised.rmse),
        `normalised RMSE; worst ${significant(focus.deviation.executed.normalised.worst)}`,
      ),
      focus.flips
        ? tile(
            'gripper flips',
            String(focus.flips.executed),
            `of ${focus.flips.decisions} executed decisions`,
          )
        : undefined,
      tile(
        'jump at seams',
        times(seamRatio(focus.seams, baseline.seams, decisionGroups(layout))),
        'mean, of the uncached run’s',
      ),
    ]
  }</dl>
${focus && markup`<p class="note">The figures above are those of ${focus.configuration.name}.</p>`}
</header>`;
}

function tile(title: string, value: string, note: string): Markup {
  return markup`<div><dt>${title}</dt><dd>${value}</dd><dd>${note}</dd></div>`;
}

/** Beyond its bound a speed-up is luck: the machine did something else while the uncached chunks ran. */
const NOISE = 1.03;

function boundNote({ bound, shareOfBound }: SpeedUp): string {
  return shareOfBound > NOISE
    ? `beyond its bound ${times(bound)}: the machine was busy, measure again`
    : `bound ${times(bound)}, ${percent(shareOfBound)} of it`;
}
