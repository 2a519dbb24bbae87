import type { ConfigurationFigures, Figures } from '../evaluation/evaluate';
import type { Provenance } from '../evaluation/types';
import { significant, times, withUnit } from './numbers';

/**
 * The configuration that a reader wants to see next to the uncached one: the choice, or else the fastest on the
 * Pareto front, or else the fastest. Undefined where there is only the uncached one.
 */
export function focusOf({ configurations, choice }: Figures): ConfigurationFigures | undefined {
  const cached = configurations.filter(({ uncached }) => !uncached);
  const chosen = cached.find(({ configuration }) => configuration.name === choice);
  if (chosen) return chosen;
  const front = cached.filter(({ pareto }) => pareto);
  return (front.length > 0 ? front : cached).reduce<ConfigurationFigures | undefined>(
    (best, one) => (best && best.speedUp.ratio >= one.speedUp.ratio ? best : one),
    undefined,
  );
}

/** The result in a sentence or two. */
export function verdict(figures: Figures, { model }: Provenance): string {
  const focus = focusOf(figures);
  const sentences: string[] = [];
  if (!focus) {
    const { total } = figures.configurations[0]?.latency ?? { total: { p50: NaN, p95: NaN } };
    sentences.push(
      `Only the uncached run was measured: a chunk takes ${significant(total.p50 * 1000)} ms (p50), ${significant(total.p95 * 1000)} ms (p95).`,
    );
  } else if (figures.tolerance) {
    sentences.push(
      figures.choice === focus.configuration.name
        ? `Run ${focus.configuration.name}: ${gain(focus)}, and within the stated tolerance (${costs(focus)}).`
        : `Run uncached: no configuration is both faster and within the stated tolerance (${reasons(focus)}).`,
    );
  } else {
    sentences.push(`${focus.configuration.name} is ${gain(focus)}; ${costs(focus)}.`);
    const cached = figures.configurations.length - 1;
    if (cached > 1) {
      sentences.push(
        `It is the fastest of ${cached} configurations; state what the robot tolerates (--tolerance) to have one chosen.`,
      );
    }
  }
  if (model.randomWeights) {
    sentences.push(
      'The weights are random: these figures show mechanics and speed, not what a robot would lose.',
    );
  }
  return sentences.join(' ');
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

function reasons({ configuration, broken = [] }: ConfigurationFigures): string {
  const limits = broken.map(
    ({ what, unit, value, limit }) => `${what} ${withUnit(value, unit)} where ${limit} is allowed`,
  );
  return limits.length === 0
    ? `${configuration.name} is within it, but not faster`
    : `${configuration.name}: ${limits.join('; ')}`;
}
