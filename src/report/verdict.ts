import type { ConfigurationFigures, Figures } from '../evaluation/evaluate';
import type { Provenance } from '../evaluation/types';
import { significant, times, withUnit } from './numbers';

/**
 * The configuration that a reader wants to see next to the uncached one: the choice, or else the one that misses the
 * tolerance by least, or else the fastest on the Pareto front, or else the fastest; one that the recording is too short
 * for comes last. Undefined where there is only the uncached one.
 */
export function focusOf({ configurations, choice, nearestMiss }: Figures): ConfigurationFigures | undefined {
  const cached = configurations.filter(({ uncached }) => !uncached);
  const named = [choice, nearestMiss]
    .map((name) => cached.find(({ configuration }) => configuration.name === name))
    .find((one) => one !== undefined);
  if (named) return named;
  const shown = cached.filter(({ beyondRecording }) => !beyondRecording);
  const front = shown.filter(({ pareto }) => pareto);
  return [front, shown, cached]
    .find((some) => some.length > 0)
    ?.reduce((best, one) => (best.speedUp.ratio >= one.speedUp.ratio ? best : one));
}

/** The result in a few sentences. */
export function verdict(figures: Figures, { model }: Provenance): string {
  const focus = focusOf(figures);
  if (!focus) {
    const { total } = figures.configurations[0]?.latency ?? { total: { p50: NaN, p95: NaN } };
    return [
      `Only the uncached run was measured: a chunk takes ${significant(total.p50 * 1000)} ms (p50), ${significant(total.p95 * 1000)} ms (p95).`,
      ...(model.randomWeights ? [RANDOM_WEIGHTS] : []),
    ].join(' ');
  }
  const measured = `${focus.configuration.name} is ${gain(focus)}; ${costs(focus)}.`;
  if (model.randomWeights) return `${measured} ${RANDOM_WEIGHTS}`;
  return [
    ...(figures.tolerance ? withTolerance(figures, focus) : [measured, ...withoutTolerance(figures)]),
    ...unseen(figures),
  ].join(' ');
}

const RANDOM_WEIGHTS =
  'The weights are random: these figures show mechanics and speed, not what a robot would lose, and nothing is recommended.';

function withTolerance(figures: Figures, focus: ConfigurationFigures): readonly string[] {
  if (figures.choice === focus.configuration.name) {
    return [
      `Run ${focus.configuration.name}: ${gain(focus)}, and within the stated tolerance (${costs(focus)}).`,
    ];
  }
  const run = 'Run uncached: no configuration is both faster and within the stated tolerance.';
  if (figures.nearestMiss === undefined) return [run];
  return [
    run,
    `Nearest: ${focus.configuration.name}, ${gain(focus)}, ${reasons(focus)}. A deviation says how far actions move, not whether the robot fails: state what it tolerates, or try the nearest in closed loop.`,
  ];
}

function withoutTolerance({ configurations }: Figures): readonly string[] {
  const cached = configurations.length - 1;
  if (cached <= 1) return [];
  return [
    `Of ${cached} configurations it is the fastest that this recording can show; state what the robot tolerates (--tolerance) to have one chosen.`,
  ];
}

/** Which configurations the recording says nothing about. */
function unseen({ configurations }: Figures): readonly string[] {
  const names = configurations
    .filter(({ beyondRecording, uncached }) => beyondRecording && !uncached)
    .map(({ configuration }) => configuration.name);
  if (names.length === 0) return [];
  return [
    `Not recommended, however it looks here: ${names.join(', ')}; within the recorded episodes ${names.length === 1 ? 'it was' : 'they were'} never refreshed, so this recording cannot show what that costs.`,
  ];
}

function gain({ speedUp: { ratio, bound } }: ConfigurationFigures): string {
  return `${times(ratio)} as fast as the uncached run (bound ${times(bound)})`;
}

function costs({ deviation, flips }: ConfigurationFigures): string {
  const groups = deviation.executed.groups.map(
    ({ group, unit, rmse, worst }) =>
      `${group} RMSE ${withUnit(rmse, unit, 2)}, worst ${withUnit(worst, unit, 2)}`,
  );
  const decisions = flips
    ? [
        flips.executed === 0
          ? 'no gripper decision flips'
          : `${flips.executed} of ${flips.decisions} gripper decisions flip`,
      ]
    : [];
  return [...groups, ...decisions].join('; ');
}

function reasons({ broken = [] }: ConfigurationFigures): string {
  return broken
    .map(({ what, unit, value, limit }) => `${what} ${withUnit(value, unit)} where ${limit} is allowed`)
    .join('; ');
}
