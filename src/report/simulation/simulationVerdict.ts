import { disturbance, speedUpBound } from '../../evaluation/speedUp';
import type { SimulationFigures } from '../../sim/simulationFigures';
import { times } from '../numbers';
import type { Estimate } from '../../sim/successStatistics';
import { FEWEST_EPISODES, MARGIN } from './Simulation';
import { signedWithInterval, withInterval } from './simulationTable';

/** The result in a sentence or two. */
export function simulationVerdict({ configurations, episodes }: SimulationFigures, choice?: string): string {
  const uncached = configurations.find((one) => one.uncached);
  const chosen = configurations.find(({ configuration }) => configuration.name === choice);
  const base = uncached
    ? `Uncached, ${withInterval(uncached.success)} % of ${episodes} episodes succeed.`
    : configurations
        .map(
          ({ configuration, success }) =>
            `${configuration.name}: ${withInterval(success)} % of ${episodes} episodes succeed.`,
        )
        .join(' ');
  if (!uncached || configurations.length === 1) return base;
  if (episodes < FEWEST_EPISODES) {
    return `${base} Too few episodes to recommend a configuration: run at least ${FEWEST_EPISODES} (--episodes), better some hundreds.`;
  }
  if (!chosen?.difference) return `${base} Every other configuration loses more than ${100 * MARGIN} points.`;
  // The expert is at most all of a chunk's time.
  const bound = speedUpBound(1, chosen.savedPerChunk);
  const disturbed = disturbance(chosen.speedUpPerChunk, bound);
  return [
    base,
    `The fastest configuration that loses at most ${100 * MARGIN} points is ${chosen.configuration.name}: ${success(chosen.difference)}, ${times(chosen.speedUpPerChunk)} as fast a chunk, ${times(chosen.speedUpPerEpisode.value)} as fast an episode.`,
    ...(disturbed === undefined ? [] : [`${disturbed}.`]),
  ].join(' ');
}

/** What a difference of success says: nothing where its interval holds 0. */
function success(difference: Estimate): string {
  const points = `${signedWithInterval(difference)} points`;
  const holdsZero = difference.low <= 0 && difference.high >= 0;
  return holdsZero ? `its success cannot be told apart from the uncached one (${points})` : points;
}
