import type { SimulatedFigures, SimulationFigures } from '../../sim/simulationFigures';
import { fixed, NO_FIGURE, percent, times } from '../numbers';
import { signedWithInterval, withInterval } from './simulationTable';

/** Configurations that solve less than this are left out of the table by length: they fail whatever the length. */
const SHOWN_BY_LENGTH = 0.5;

/** The figures of a run as Markdown tables, for documents: success, cost, and success by length. */
export function simulationMarkdown(figures: SimulationFigures): string {
  const { configurations, suites, episodes } = figures;
  const compared = configurations.length > 1 && configurations.some(({ uncached }) => uncached);
  const success = markdownTable(
    ['configuration', ...suites, 'all', ...(compared ? ['difference, points'] : [])],
    configurations.map((one) => [
      one.configuration.name,
      ...one.bySuite.map((part) => fixed(100 * part.success.value, 1)),
      withInterval(one.success),
      ...(compared ? [one.difference ? signedWithInterval(one.difference) : NO_FIGURE] : []),
    ]),
  );
  const cost = markdownTable(
    [
      'configuration',
      'chunks/episode',
      'longer (both solve)',
      'stacks/chunk',
      'stacks/episode',
      'saved an episode',
      'faster a chunk',
      'faster an episode',
    ],
    configurations.map((one) => [
      one.configuration.name,
      fixed(one.chunksPerEpisode, 1),
      ...(one.uncached || !compared
        ? [NO_FIGURE, fixed(one.stacksPerChunk, 2), fixed(one.stacksPerEpisode, 1)]
        : [times(one.lengthening.value), fixed(one.stacksPerChunk, 2), fixed(one.stacksPerEpisode, 1)]),
      ...(one.uncached || !compared ? [NO_FIGURE, NO_FIGURE, NO_FIGURE] : saved(one)),
    ]),
  );
  const parts = [`${episodes} episodes a row, the same ones.`, success, cost];
  const bins = configurations[0]?.byLength ?? [];
  if (bins.length > 1) {
    parts.push(
      'Success by the number of chunks that the uncached run needs for the same episode (in brackets: episodes), configurations above 50 %:',
      markdownTable(
        ['configuration', ...bins.map((part) => `${span(part.bin.from, part.bin.to)} (${part.episodes})`)],
        configurations
          .filter((one) => one.success.value > SHOWN_BY_LENGTH)
          .map((one) => [
            one.configuration.name,
            ...one.byLength.map((part) => fixed(100 * part.success.value, 1)),
          ]),
      ),
    );
  }
  return `${parts.join('\n\n')}\n`;
}

function saved(one: SimulatedFigures): string[] {
  const { value, low, high } = one.speedUpPerEpisode;
  return [
    percent(one.savedPerEpisode),
    times(one.speedUpPerChunk),
    `${times(value)} (${fixed(low, 2)}–${fixed(high, 2)})`,
  ];
}

const span = (from: number, to: number): string => (from === to ? String(from) : `${from}–${to}`);

/** First column left, the others right. A cell is one line; its bars are escaped. */
function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replace(/[|\\]/g, '\\$&')).join(' | ')} |`;
  const rule = `| ${head.map((_, i) => (i === 0 ? '---' : '---:')).join(' | ')} |`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}
