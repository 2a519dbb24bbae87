import { InputError } from '../errors';
import type { FieldStatistics, Statistic } from './datasetStats';

/** A linear map for each component, y = x * scale + offset, as a bundle records it. */
export interface LinearScaling {
  readonly mode: string;
  /** [dim] */
  readonly scale: ArrayLike<number>;
  /** [dim] */
  readonly offset: ArrayLike<number>;
}

/**
 * Between physical units and the network's: y = x * scale + offset, clamped to [-5, 5], and back. All arithmetic
 * rounds to float32 after each operation, as PyTorch does.
 */
export interface Normaliser extends LinearScaling {
  readonly dim: number;
  readonly scale: Float32Array;
  readonly offset: Float32Array;
  /** Physical [.., dim] to normalised [.., dim]. Throws InputError where the length is no multiple of dim. */
  normalise(x: ArrayLike<number>): Float32Array;
  /** Normalised [.., dim] to physical [.., dim]; nothing is clamped. */
  denormalise(y: ArrayLike<number>): Float32Array;
}

/** Constants of `SingleFieldLinearNormalizer` in the original's `utils/normalizer.py`. */
const STD_REGULARISATION = Math.fround(1e-8);
const LEAST_RANGE = Math.fround(1e-4);
const CLAMP = 5;

const { fround } = Math;

/**
 * The normaliser that the original makes from a field's statistics:
 * z-score: scale = 1 / (std + 1e-8), offset = -mean / (std + 1e-8);
 * ranges: scale = 2 / (max - min), offset = -1 - scale * min, so that the range becomes [-1, 1]. A component whose range is
 * below 1e-4 is only shifted: scale 1, offset -min.
 *
 * Throws InputError for an unknown mode or missing statistics, with what would fit.
 */
export function createNormaliser(mode: string, field: FieldStatistics): Normaliser {
  const need = (name: Statistic): Float32Array => {
    const values = field.values[name];
    if (values === undefined) {
      throw new InputError(
        `normalisation ${JSON.stringify(mode)} needs the statistic ${name}; the statistics have ${Object.keys(field.values).join(', ')}`,
      );
    }
    return values;
  };
  if (mode === 'z-score') {
    const mean = need('mean');
    const divisor = need('std').map((std) => std + STD_REGULARISATION);
    return normaliserOf({
      mode,
      scale: divisor.map((d) => 1 / d),
      offset: mean.map((m, i) => -m / (divisor[i] ?? NaN)),
    });
  }
  if (mode === 'min/max') return fromRange(mode, need('min'), need('max'));
  if (mode === 'q01/q99') return fromRange(mode, need('q01'), need('q99'));
  const [least, greatest, ...more] = mode.split('/').map((text) => (text.trim() === '' ? NaN : Number(text)));
  if (least === undefined || greatest === undefined || more.length > 0 || !(least < greatest)) {
    throw new InputError(
      `unknown normalisation ${JSON.stringify(mode)}, expected "min/max", "q01/q99", "z-score" or a constant range such as "-1/1"`,
    );
  }
  return fromRange(mode, new Float32Array(field.dim).fill(least), new Float32Array(field.dim).fill(greatest));
}

/** The normaliser of given scales and offsets (which a bundle records). Throws InputError where they do not fit. */
export function normaliserOf({ mode, scale, offset }: LinearScaling): Normaliser {
  const dim = scale.length;
  const s = Float32Array.from(scale);
  const o = Float32Array.from(offset);
  if (o.length !== dim || ![...s, ...o].every(Number.isFinite) || s.includes(0)) {
    throw new InputError(
      `normalisation ${mode}: expected as many finite offsets as finite scales other than 0`,
    );
  }
  const eachOf = (
    values: ArrayLike<number>,
    map: (value: number, scale: number, offset: number) => number,
  ) => {
    if (dim === 0 ? values.length > 0 : values.length % dim !== 0) {
      throw new InputError(`got ${values.length} values, expected a multiple of ${dim}`);
    }
    return Float32Array.from(values, (value, i) => map(fround(value), s[i % dim] ?? NaN, o[i % dim] ?? NaN));
  };
  return {
    mode,
    dim,
    scale: s,
    offset: o,
    normalise: (x) =>
      // A NaN passes through the clamp, so that it is found later.
      eachOf(x, (value, scale, offset) =>
        Math.min(Math.max(fround(fround(value * scale) + offset), -CLAMP), CLAMP),
      ),
    denormalise: (y) => eachOf(y, (value, scale, offset) => fround(fround(value - offset) / scale)),
  };
}

function fromRange(mode: string, least: Float32Array, greatest: Float32Array): Normaliser {
  const range = greatest.map((max, i) => max - (least[i] ?? NaN));
  const constant = range.map((r) => (r < LEAST_RANGE ? 1 : 0));
  const scale = range.map((r, i) => 2 / (constant[i] === 1 ? 2 : r));
  const offset = least.map((min, i) => (constant[i] === 1 ? -min : -1 - fround((scale[i] ?? NaN) * min)));
  return normaliserOf({ mode, scale, offset });
}
