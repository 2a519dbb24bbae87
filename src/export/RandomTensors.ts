import { createHash } from 'node:crypto';
import { TensorContent } from '../formats/torchWriter';
import { floatsToBfloat16 } from '../formats/halfPrecision';
import { elementCount } from '../formats/StoredTensor';
import { randn } from '../sampler/noise';

/** Elements made at once; what memory is needed does not depend on the size of a tensor. */
const PIECE = 2 ** 20;
/** Values drawn from, so that 16 random bits choose one. */
const POOL = 2 ** 16;

/** Elements as they stand in a file: float32, or patterns of bfloat16. */
type Table = Float32Array | Uint16Array;

/**
 * Normally distributed tensors of any size, each determined by the seed and its name alone, whatever is written
 * before it.
 *
 * To fill gigabytes in seconds, an element is not computed but chosen: 16 random bits pick one of 65,536 normal numbers, which are
 * scaled (and rounded to bfloat16) once for each tensor.
 */
export class RandomTensors {
  readonly #seed: number;
  readonly #pool: Float32Array;
  /** The pool, scaled and rounded, by what was asked for. */
  readonly #tables = new Map<string, Table>();

  constructor(seed: number) {
    this.#seed = seed;
    this.#pool = standardised(randn(seed, POOL));
  }

  /** N(mean, deviation^2) in a shape; made when it is written. */
  normal(
    name: string,
    dtype: 'F32' | 'BF16',
    shape: readonly number[],
    { mean = 0, deviation }: { readonly mean?: number; readonly deviation: number },
  ): TensorContent {
    const count = elementCount(shape);
    const pieces = function* (table: Table, random: RandomWords): Generator<Table> {
      const length = Math.min(PIECE, count + (count % 2));
      const piece = dtype === 'F32' ? new Float32Array(length) : new Uint16Array(length);
      for (let done = 0; done < count; done += length) {
        random.choose(table, piece);
        yield piece.subarray(0, Math.min(length, count - done));
      }
    };
    return new TensorContent(dtype, shape, () =>
      pieces(this.#table(dtype, mean, deviation), new RandomWords(`${this.#seed} ${name}`)),
    );
  }

  #table(dtype: 'F32' | 'BF16', mean: number, deviation: number): Table {
    const key = `${dtype} ${mean} ${deviation}`;
    let table = this.#tables.get(key);
    if (table === undefined) {
      const values = this.#pool.map((x) => mean + deviation * x);
      table = dtype === 'F32' ? values : floatsToBfloat16(values);
      this.#tables.set(key, table);
    }
    return table;
  }
}

/** Mean 0 and deviation 1 exactly, so that scales are what they say. */
function standardised(values: Float32Array): Float32Array {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  return values.map((x) => (x - mean) / Math.sqrt(variance));
}

/** Random 32-bit words: sfc32 by Chris Doty-Humphrey (PractRand), a small and fast generator. */
class RandomWords {
  readonly #state: Int32Array;

  constructor(seed: string) {
    const digest = createHash('sha256').update(seed).digest();
    this.#state = Int32Array.of(digest.readInt32LE(0), digest.readInt32LE(4), digest.readInt32LE(8), 1);
  }

  /** Fills `target` (of even length) with randomly chosen entries of `table` (65,536 of them). */
  choose(table: Table, target: Table): void {
    let [a = 0, b = 0, c = 0, counter = 0] = this.#state;
    for (let i = 0; i < target.length; i += 2) {
      const word = (a + b + counter) | 0;
      counter = (counter + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (((c << 21) | (c >>> 11)) + word) | 0;
      target[i] = table[word & 0xffff] ?? 0;
      target[i + 1] = table[word >>> 16] ?? 0;
    }
    this.#state.set([a, b, c, counter]);
  }
}
