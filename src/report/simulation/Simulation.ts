import type { StepCosine } from '../../evaluation/residualCosine';
import { paretoFront } from '../../evaluation/tradeOff';
import type { EpisodeRecord } from '../../sim/episodeRecord';
import type { SimulatedFigures, SimulationFigures } from '../../sim/simulationFigures';

/** Points of success that a recommended configuration may lose. */
export const MARGIN = 0.02;
/** Fewer episodes than this say next to nothing about success: 30 of 30 still leave 88.6 to 100 % (Wilson, 95 %). */
export const FEWEST_EPISODES = 30;

/** A list of names with values, as a page shows them. */
export type Facts = readonly (readonly [string, string])[];

/** Where the figures come from: enough to run the same again. */
export interface SimulationOrigin {
  /** the command line, one word each */
  readonly command: readonly string[];
  /** ISO 8601 */
  readonly startedAt: string;
  readonly model: { readonly name: string; readonly facts: Facts };
  readonly world: Facts;
  readonly machine: Facts;
  readonly versions: Facts;
}

/** An episode to look at. */
export interface Exhibit {
  readonly configuration: string;
  readonly episode: number;
  readonly suite: string;
  readonly instruction: string;
  readonly success: boolean;
  readonly steps: number;
  readonly chunks: number;
  /** animated WebP: both cameras, and below them a cell for each chunk */
  readonly image: Buffer;
}

/** Everything that a report of simulated episodes is made from. */
export interface Simulation {
  readonly figures: SimulationFigures;
  readonly records: readonly EpisodeRecord[];
  readonly origin: SimulationOrigin;
  /** names on the front of success against speed-up, slowest first */
  readonly pareto: readonly string[];
  /** name of the configuration to run */
  readonly choice?: string;
  readonly exhibits: readonly Exhibit[];
  readonly residualCosines?: readonly StepCosine[];
}

/**
 * Names of the configurations that none beats in both success and speed of whole episodes, slowest first. One that
 * never succeeds is not among them, however fast it is.
 */
export function simulationFront({ configurations }: SimulationFigures): readonly string[] {
  return paretoFront(
    configurations.map(({ configuration, success, speedUpPerEpisode, uncached }) => ({
      name: configuration.name,
      gain: uncached ? 1 : speedUpPerEpisode.value,
      cost: success.value > 0 ? 1 - success.value : NaN,
    })),
  );
}

/**
 * The fastest configuration, over whole episodes, of those that lose at most two points of success. Undefined where there
 * are too few episodes to say.
 */
export function recommended({ configurations, episodes }: SimulationFigures): SimulatedFigures | undefined {
  if (episodes < FEWEST_EPISODES) return undefined;
  return configurations
    .filter(({ difference }) => difference && difference.value >= -MARGIN - 1e-9)
    .reduce<SimulatedFigures | undefined>(
      (best, one) => (best && best.speedUpPerEpisode.value >= one.speedUpPerEpisode.value ? best : one),
      undefined,
    );
}
