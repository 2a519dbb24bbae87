import type { Estimate } from '../../sim/successStatistics';
import type { SimulationFigures } from '../../sim/simulationFigures';
import { fixed, NO_FIGURE, times } from '../numbers';
import type { TextTable } from '../summaryTable';

/** The main figures, one row for each configuration; the same for the terminal and the page. */
export function simulationTable(
  figures: SimulationFigures,
  pareto: readonly string[],
  choice?: string,
): TextTable {
  const { configurations, suites } = figures;
  const compared = configurations.some(({ uncached }) => uncached) && configurations.length > 1;
  const marked = configurations.findIndex(({ configuration }) => configuration.name === choice);
  return {
    columns: [
      column('#', 'Number of the configuration in the plots.'),
      { ...column('configuration', 'Cache policy with its settings.'), align: 'left' },
      column('success %', 'Episodes solved, with the 95 % Wilson interval.'),
      ...(compared
        ? [
            column(
              'difference, points',
              'Success less that of the uncached run in the same episodes, with the 95 % paired bootstrap interval.',
            ),
            column('faster/chunk', 'Mean time of an uncached chunk over that of these.'),
            column('faster/ep.', 'Σ of the uncached chunk times over Σ of these, in the same episodes.'),
            column('front', '● On the Pareto front: nothing else is both faster and more successful.'),
          ]
        : []),
      column('chunks/ep.', 'Chunks of an episode, failed ones run to the step limit.'),
      column('stacks/chunk', 'Full-stack evaluations of a chunk.'),
      column('stacks/ep.', 'Full-stack evaluations of an episode.'),
      ...suites.map((suite) => column(suite, `Success in the suite ${suite}, %.`)),
    ],
    rows: configurations.map((one, i) => [
      String(i + 1),
      one.configuration.name,
      withInterval(one.success),
      ...(compared
        ? [
            one.difference ? signedWithInterval(one.difference) : NO_FIGURE,
            one.uncached ? NO_FIGURE : times(one.speedUpPerChunk),
            one.uncached ? NO_FIGURE : times(one.speedUpPerEpisode.value),
            pareto.includes(one.configuration.name) ? '●' : '',
          ]
        : []),
      fixed(one.chunksPerEpisode, 1),
      fixed(one.stacksPerChunk, 2),
      fixed(one.stacksPerEpisode, 1),
      ...one.bySuite.map(({ success }) => fixed(100 * success.value, 1)),
    ]),
    ...(marked >= 0 && { marked }),
  };
}

/** 99.0 (97.1–99.7), in per cent */
export function withInterval({ value, low, high }: Estimate): string {
  return Number.isNaN(value)
    ? NO_FIGURE
    : `${fixed(100 * value, 1)} (${fixed(100 * low, 1)}–${fixed(100 * high, 1)})`;
}

/** −0.5 (−1.9, +0.8), in points of a hundred */
export function signedWithInterval({ value, low, high }: Estimate): string {
  return Number.isNaN(value) ? NO_FIGURE : `${signed(value)} (${signed(low)}, ${signed(high)})`;
}

function signed(share: number): string {
  const text = fixed(100 * share, 1);
  return share > 0 && text !== '0.0' ? `+${text}` : text;
}

function column(title: string, help: string): TextTable['columns'][number] {
  return { title, help, align: 'right' };
}
