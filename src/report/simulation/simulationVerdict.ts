import type { SimulationFigures } from '../../sim/simulationFigures';
import { times } from '../numbers';
import { MARGIN } from './Simulation';
import { signedWithInterval, withInterval } from './simulationTable';

/** A measured speed-up this far above what the saved work explains is no property of the policy. */
const BEYOND_WORK = 1.1;

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
    const explained = 1 / (1 - chosen.savedPerChunk);
    const disturbed =
      chosen.speedUpPerChunk > BEYOND_WORK * explained
        ? ` The work that it saves explains ${times(explained)} at most: something else slowed the machine at times; measure again on a quiet one.`
        : '';
    return `${base} The fastest configuration that loses at most ${100 * MARGIN} points is ${chosen.configuration.name}: ${signedWithInterval(chosen.difference)} points, ${times(chosen.speedUpPerChunk)} as fast a chunk, ${times(chosen.speedUpPerEpisode.value)} as fast an episode.${disturbed}`;
  }
  return uncached && configurations.length > 1
    ? `${base} Every other configuration loses more than ${100 * MARGIN} points.`
    : base;
}
