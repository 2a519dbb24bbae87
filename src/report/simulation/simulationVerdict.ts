import { disturbance, speedUpBound } from '../../evaluation/speedUp';
import type { SimulationFigures } from '../../sim/simulationFigures';
import { times } from '../numbers';
import { MARGIN } from './Simulation';
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
  if (chosen?.difference) {
    // The expert is at most all of a chunk's time.
    const bound = speedUpBound(1, chosen.savedPerChunk);
    const disturbed = disturbance(chosen.speedUpPerChunk, bound);
    return `${base} The fastest configuration that loses at most ${100 * MARGIN} points is ${chosen.configuration.name}: ${signedWithInterval(chosen.difference)} points, ${times(chosen.speedUpPerChunk)} as fast a chunk, ${times(chosen.speedUpPerEpisode.value)} as fast an episode.${disturbed === undefined ? '' : ` ${disturbed}.`}`;
  }
  return uncached && configurations.length > 1
    ? `${base} Every other configuration loses more than ${100 * MARGIN} points.`
    : base;
}
