import type { ConfigurationFigures, Figures } from '../evaluation/evaluate';
import type { GroupSeams } from '../evaluation/seams';
import type { ActionLayout } from '../evaluation/types';
import { milliseconds, NO_FIGURE, significant, times } from './numbers';

/** A table of text, the same for the terminal and the page. */
export interface TextTable {
  readonly columns: readonly {
    readonly title: string;
    readonly align: 'left' | 'right';
    /** what the column says, in a sentence */
    readonly help: string;
  }[];
  readonly rows: readonly (readonly string[])[];
  /** index of the row to point out */
  readonly marked?: number;
}

/** The main figures, one row for each configuration. */
export function summaryTable(figures: Figures, layout: ActionLayout): TextTable {
  const { configurations, choice } = figures;

  const [baseline] = configurations;
  const groups = baseline?.deviation.executed.groups ?? [];
  const hasFlips = configurations.some(({ flips }) => flips);
  const decisions = decisionGroups(layout);
  const marked = configurations.findIndex(({ configuration }) => configuration.name === choice);
  return {
    columns: [
      column('#', 'Number of the configuration in the plots.', 'right'),
      column('configuration', 'Cache policy with its settings.', 'left'),
      column('p50 ms', 'Median time of a chunk, observation to actions.'),
      column('p95 ms', '95 of 100 chunks took at most this long.'),
      column(
        'speed-up',
        'Sum of the uncached chunk times over the sum of these, same observations, interleaved.',
      ),
      column('bound', '1/(1 − f·s): f share of the expert in the uncached chunk, s share of its work saved.'),
      column('front', '● On the Pareto front: nothing else is both faster and closer.'),
      ...(figures.tolerance
        ? [
            column(
              'tolerance',
              'Whether the stated tolerance is kept. choice: the fastest that keeps it; nearest: the least beyond it of the faster ones; unseen: never refreshed within an episode of this recording, so not recommended.',
            ),
          ]
        : []),
      ...groups.map(({ group, unit }) =>
        column(
          unit === '' ? group : `${group} ${unit}`,
          'Difference from the uncached actions over the executed part: RMSE, and the largest in brackets.',
        ),
      ),
      ...(hasFlips ? [column('flips', 'Executed gripper decisions that differ from the uncached run.')] : []),
      column('seam', 'Mean jump between chunks as a multiple of the uncached run’s; the worst group.'),
    ],
    rows: configurations.map((one, i) => [
      String(i + 1),
      one.configuration.name,
      milliseconds(one.latency.total.p50),
      milliseconds(one.latency.total.p95),
      times(one.speedUp.ratio),
      times(one.speedUp.bound),
      one.pareto ? '●' : '',
      ...(figures.tolerance ? [toleranceWord(one, figures)] : []),
      ...one.deviation.executed.groups.map(({ rmse, worst }) =>
        one.uncached ? NO_FIGURE : `${significant(rmse, 2)} (${significant(worst, 2)})`,
      ),
      ...(hasFlips ? [one.uncached || !one.flips ? NO_FIGURE : String(one.flips.executed)] : []),
      one.uncached || !baseline ? NO_FIGURE : times(seamRatio(one.seams, baseline.seams, decisions)),
    ]),
    ...(marked >= 0 && { marked }),
  };
}

function toleranceWord(
  { configuration, broken, beyondRecording, uncached }: ConfigurationFigures,
  { choice, nearestMiss }: Figures,
): string {
  if (configuration.name === choice) return 'choice';
  if (configuration.name === nearestMiss) return 'nearest';
  if (beyondRecording && !uncached) return broken?.length === 0 ? 'unseen' : 'broken';
  return broken?.length === 0 ? 'kept' : 'broken';
}

/** Groups of nothing but gripper decisions: they jump when they decide, which is no flaw of a seam. */
export function decisionGroups({ groups, grippers }: ActionLayout): ReadonlySet<string> {
  return new Set(
    groups
      .filter(({ indices }) => indices.every((column) => grippers.some(({ index }) => index === column)))
      .map(({ name }) => name),
  );
}

/**
 * Largest ratio over the groups (but for the ones left out) of the mean boundary jump to that of the uncached run;
 * NaN without seams.
 */
export function seamRatio(
  run: readonly GroupSeams[],
  uncached: readonly GroupSeams[],
  leftOut: ReadonlySet<string>,
): number {
  return run.reduce((largest, { group, jump }, i) => {
    if (leftOut.has(group)) return largest;
    const reference = uncached[i]?.jump.mean ?? NaN;
    const ratio = jump.mean === reference ? 1 : jump.mean / reference;
    return Number.isNaN(largest) || ratio > largest ? ratio : largest;
  }, NaN);
}

function column(
  title: string,
  help: string,
  align: 'left' | 'right' = 'right',
): TextTable['columns'][number] {
  return { title, help, align };
}
