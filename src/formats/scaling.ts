import { normaliserOf } from './normaliser';
import type { LinearScaling } from './normaliser';
import { StatisticNormaliser } from './statisticNormaliser';
import type { StatisticScaling } from './statisticNormaliser';

/** Between physical units and the network's, as a bundle records it: the original's linear map, LeRobot's, or none. */
export type RecordedScaling = LinearScaling | StatisticScaling;

/** Mode of values that stay as they are. */
export const NO_SCALING = 'none';

export interface Scaling {
  /** components that say nothing, because they were constant in the dataset */
  readonly constant: readonly number[];
  /** physical [.., dim] to the network's */
  normalise(x: ArrayLike<number>): Float32Array;
  /** the network's [.., dim] to physical */
  denormalise(y: ArrayLike<number>): Float32Array;
}

/** The recorded map. @throws InputError where its numbers do not fit together */
export function scalingOf(recorded: RecordedScaling): Scaling {
  if ('statistics' in recorded) {
    const normaliser = new StatisticNormaliser(recorded);
    return {
      constant: normaliser.constant,
      normalise: (x) => normaliser.normaliseGuarded(x),
      denormalise: (y) => normaliser.denormalise(y),
    };
  }
  if (recorded.mode === NO_SCALING) {
    const same = (values: ArrayLike<number>): Float32Array => Float32Array.from(values);
    return { constant: [], normalise: same, denormalise: same };
  }
  const linear = normaliserOf(recorded);
  return { constant: [], normalise: (x) => linear.normalise(x), denormalise: (y) => linear.denormalise(y) };
}

/** How many components it maps. */
export function scalingLengths(recorded: RecordedScaling): readonly (readonly [string, number])[] {
  return 'statistics' in recorded
    ? recorded.statistics.map((values, i) => [`statistics.${i}`, values.length] as const)
    : [
        ['scale', recorded.scale.length],
        ['offset', recorded.offset.length],
      ];
}
