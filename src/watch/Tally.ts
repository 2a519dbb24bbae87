import { withInterval } from '../report/simulation/simulationTable';
import type { EpisodeResult } from '../sim/closedLoop';
import { successRate } from '../sim/successStatistics';
import type { TallyRow } from './messages';

interface Counted {
  readonly configuration: string;
  readonly world: string;
  readonly results: EpisodeResult[];
}

/** Counts finished episodes by what they ran with. */
export class Tally {
  readonly #rows = new Map<string, Counted>();

  add(configuration: string, world: string, result: EpisodeResult): void {
    const key = JSON.stringify([configuration, world]);
    const row = this.#rows.get(key) ?? { configuration, world, results: [] };
    row.results.push(result);
    this.#rows.set(key, row);
  }

  clear(): void {
    this.#rows.clear();
  }

  get rows(): readonly TallyRow[] {
    return [...this.#rows.values()].map(({ configuration, world, results }) => {
      const successes = results.filter(({ success }) => success).length;
      const costs = results.flatMap((result) => result.costs);
      const stacks = costs.reduce((sum, { stackEvaluations }) => sum + stackEvaluations, 0);
      const seconds = costs.reduce((sum, cost) => sum + cost.seconds, 0);
      return {
        configuration,
        world,
        episodes: results.length,
        successes,
        success: withInterval(successRate(successes, results.length)),
        chunksPerEpisode: costs.length / results.length,
        stacksPerChunk: stacks / costs.length,
        stacksPerEpisode: stacks / results.length,
        millisecondsPerChunk: (1000 * seconds) / costs.length,
      };
    });
  }
}
