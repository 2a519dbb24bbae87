import { InputError } from '../errors';

/** How LeRobot maps a feature, named as its configuration names it (`NormalizationMode`). */
export const STATISTIC_MODES = ['MEAN_STD', 'MIN_MAX', 'QUANTILES', 'QUANTILE10'] as const;
export type StatisticMode = (typeof STATISTIC_MODES)[number];

/** The two statistics that a mode reads. */
export const STATISTICS_OF_MODE = {
  MEAN_STD: ['mean', 'std'],
  MIN_MAX: ['min', 'max'],
  QUANTILES: ['q01', 'q99'],
  QUANTILE10: ['q10', 'q90'],
} as const satisfies Record<StatisticMode, readonly [string, string]>;

/** A feature's statistics as a bundle records them, each [dim]. */
export interface StatisticScaling {
  readonly mode: StatisticMode;
  /** mean and standard deviation, or the values that become -1 and 1 */
  readonly statistics: readonly [ArrayLike<number>, ArrayLike<number>];
  /** added to a standard deviation, or put in place of a range of 0; 1e-8 where it is not given */
  readonly eps?: number | undefined;
}

/** Source: `NormalizerProcessorStep.eps` of LeRobot. */
export const DEFAULT_EPS = 1e-8;
/**
 * Where a component spread less than this over a whole dataset it was constant, and LeRobot's map would turn the noise
 * of a float into values of 1e7.
 */
const CONSTANT_SPREAD = 5e-7;

const { fround } = Math;

/**
 * LeRobot's normalisation of a feature (`_apply_transform` in `normalize_processor.py`), in float32, nothing clamped:
 * (x - mean) / (std + eps) and back y std + mean; 2 (x - low) / (high - low) - 1 and back (y + 1) / 2 (high - low) + low, with
 * eps in place of a range of 0.
 */
export class StatisticNormaliser {
  readonly mode: StatisticMode;
  readonly dim: number;
  /** components that were constant in the dataset */
  readonly constant: readonly number[];
  readonly #eps: number;
  readonly #first: Float32Array;
  /** mode MEAN_STD: std; else the range, never 0 */
  readonly #spread: Float32Array;

  /** @throws InputError where the two statistics differ in length or are not finite */
  constructor({ mode, statistics: [first, second], eps = DEFAULT_EPS }: StatisticScaling) {
    this.mode = mode;
    this.#eps = fround(eps);
    this.dim = first.length;
    this.#first = Float32Array.from(first);
    const other = Float32Array.from(second);
    if (other.length !== this.dim || ![...this.#first, ...other].every(Number.isFinite)) {
      const [a, b] = STATISTICS_OF_MODE[mode];
      throw new InputError(`normalisation ${mode}: expected as many finite values of ${b} as of ${a}`);
    }
    const spread = mode === 'MEAN_STD' ? other : other.map((high, i) => high - (this.#first[i] ?? 0));
    this.constant = [...spread.keys()].filter((i) => Math.abs(spread[i] ?? 0) < CONSTANT_SPREAD);
    this.#spread = mode === 'MEAN_STD' ? spread : spread.map((range) => (range === 0 ? this.#eps : range));
  }

  /** Physical [.., dim] to normalised [.., dim]. @throws InputError where the length is no multiple of dim */
  normalise(x: ArrayLike<number>): Float32Array {
    return this.#each(x, (value, first, spread) =>
      this.mode === 'MEAN_STD'
        ? fround(fround(value - first) / fround(spread + this.#eps))
        : fround(fround(fround(2 * fround(value - first)) / spread) - 1),
    );
  }

  /** Normalised [.., dim] to physical [.., dim]. @throws InputError where the length is no multiple of dim */
  denormalise(y: ArrayLike<number>): Float32Array {
    return this.#each(y, (value, first, spread) =>
      this.mode === 'MEAN_STD'
        ? fround(fround(value * spread) + first)
        : fround(fround(fround(fround(value + 1) / 2) * spread) + first),
    );
  }

  /**
   * As `normalise`, but a component that was constant in the dataset is taken to be that constant: it tells the
   * network nothing, and a deviation of a hair would become a number that it has never seen.
   */
  normaliseGuarded(x: ArrayLike<number>): Float32Array {
    const held = Float32Array.from(x);
    for (let start = 0; start < held.length; start += this.dim) {
      for (const i of this.constant) held[start + i] = this.#first[i] ?? NaN;
    }
    return this.normalise(held);
  }

  #each(
    values: ArrayLike<number>,
    map: (value: number, first: number, spread: number) => number,
  ): Float32Array {
    const { dim } = this;
    if (dim === 0 ? values.length > 0 : values.length % dim !== 0) {
      throw new InputError(`got ${values.length} values, expected a multiple of ${dim}`);
    }
    return Float32Array.from(values, (value, i) =>
      map(fround(value), this.#first[i % dim] ?? NaN, this.#spread[i % dim] ?? NaN),
    );
  }
}
