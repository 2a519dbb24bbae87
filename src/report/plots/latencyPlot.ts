import type { Figures } from '../../evaluation/evaluate';
import { STAGES, type Stage } from '../../evaluation/types';
import { markup, type Markup } from '../Markup';
import { milliseconds } from '../numbers';
import { shortened } from '../../plainText';
import { axis } from './axis';
import { drawing } from './frame';

const WIDTH = 1080;
const ROW = 30;
const TOP = 26;
const RIGHT = 110;
const BOTTOM = 36;

/** about the width of a letter, pixels; names longer than so many letters are shortened */
const LETTER = 7.4;
const NAME_LENGTH = 30;

/** Beyond this many times the slowest chunk, the budget would squeeze the bars: it is named instead of drawn. */
const BUDGET_IN_SIGHT = 2.5;

const PARTS: readonly Stage[] = STAGES.filter((stage) => stage !== 'total');

/**
 * One bar for each configuration: the mean time of each stage (means add up, percentiles do not), and over it the
 * p50, p95 and the maximum of the whole chunk, against the time between two chunks.
 *
 * @param budget seconds between two chunks
 */
export function latencyPlot(figures: Figures, budget: number): Markup {
  const rows = figures.configurations;
  const slowest = Math.max(...rows.map(({ latency }) => latency.total.max));
  const budgetShown = budget <= slowest * BUDGET_IN_SIGHT;
  const longest = Math.max(
    ...rows.map(({ configuration }) => Math.min(configuration.name.length, NAME_LENGTH)),
  );
  const left = 22 + (longest + 3) * LETTER;
  const height = TOP + rows.length * ROW + BOTTOM;
  const bottom = height - BOTTOM;
  const x = axis({
    low: 0,
    high: Math.max(slowest, budgetShown ? budget : 0) * 1000,
    start: left,
    end: WIDTH - RIGHT,
    ticks: 8,
    nice: true,
  });
  return drawing(
    WIDTH,
    height,
    'Time of a chunk by stage for each configuration',
    markup`${x.ticks.map(
      (tick) =>
        markup`<path class="grid" d="M${x.at(tick)} ${TOP}V${bottom}"/><text class="tick mid" x="${x.at(tick)}" y="${bottom + 16}">${x.label(tick)}</text>`,
    )}<text class="title mid" x="${(left + WIDTH - RIGHT) / 2}" y="${height - 3}">ms for a chunk</text>${rows.map(
      ({ configuration, latency }, i) => {
        const top = TOP + i * ROW + 5;
        const middle = top + (ROW - 10) / 2;
        let start = 0;
        const bars = PARTS.map((stage) => {
          const length = latency[stage].mean * 1000;
          const bar = markup`<rect class="stage-${stage}" x="${x.at(start)}" y="${top}" width="${Math.max(0, x.at(start + length) - x.at(start))}" height="${ROW - 10}"><title>${stage}: mean ${milliseconds(latency[stage].mean)} ms, p95 ${milliseconds(latency[stage].p95)} ms</title></rect>`;
          start += length;
          return bar;
        });
        const { total } = latency;
        const rest = total.mean * 1000 - start;
        const at = (seconds: number): number => x.at(seconds * 1000);
        return markup`<text class="label end" x="${left - 10}" y="${middle + 4}"><title>${configuration.name}</title>${i + 1} ${shortened(configuration.name, NAME_LENGTH)}</text>${bars}${
          rest > 0 &&
          markup`<rect class="stage-other" x="${x.at(start)}" y="${top}" width="${x.at(start + rest) - x.at(start)}" height="${ROW - 10}"><title>between the stages: mean ${milliseconds(rest / 1000)} ms</title></rect>`
        }<path class="whisker" d="M${at(total.p50)} ${middle}H${at(total.max)}M${at(total.p50)} ${top - 2}V${top + ROW - 8}M${at(total.p95)} ${top + 2}V${top + ROW - 12}"/><circle class="whisker-end" cx="${at(total.max)}" cy="${middle}" r="2.5"/><text class="tick" x="${at(total.max) + 8}" y="${middle + 4}">median ${milliseconds(total.p50)}</text>`;
      },
    )}${
      budgetShown &&
      markup`<path class="limit" d="M${x.at(budget * 1000)} ${TOP - 6}V${bottom}"/><text class="tick ${x.at(budget * 1000) > WIDTH / 2 ? 'end' : ''}" x="${x.at(budget * 1000)}" y="${TOP - 10}">budget ${milliseconds(budget)} ms</text>`
    }`,
    'plot wide',
  );
}
