/**
 * The simulator's own source of chance: xoshiro128** (Blackman and Vigna, "Scrambled linear pseudorandom number
 * generators", 2021) on 32-bit integers, seeded by hashing the words it is given. Integer arithmetic only, so that a
 * seed means the same world on every machine; only `normal` uses the platform's logarithm and cosine.
 *
 * Several words make independent streams: `new Random(seed, episode)` and `new Random(seed, episode, PUSHES)` do not
 * share draws, so that one part of an episode can change without moving the others.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** @param words integers; each counts with its lower 53 bits and its sign */
  constructor(...words: readonly number[]) {
    let hash = 0x9e3779b9;
    const absorb = (word: number): void => {
      hash = mix(hash ^ mix(word | 0));
    };
    for (const word of words) {
      absorb(word >>> 0);
      absorb(Math.floor(word / 2 ** 32));
    }
    const next = (): number => {
      hash = (hash + 0x9e3779b9) | 0;
      return mix(hash);
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    // The all-zero state is the only one the generator cannot leave.
    this.#d = next() | 1;
  }

  /** The next 32 bits, as an unsigned integer. */
  bits(): number {
    const result = Math.imul(rotateLeft(Math.imul(this.#b, 5), 7), 9);
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotateLeft(this.#d, 11);
    return result >>> 0;
  }

  /** Uniform in [low, high), 53 random bits; [0, 1) without arguments. */
  uniform(low = 0, high = 1): number {
    const fraction = ((this.bits() >>> 5) * 2 ** 26 + (this.bits() >>> 6)) * 2 ** -53;
    return low + (high - low) * fraction;
  }

  /** Uniform among the integers low, ..., high - 1. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.uniform() * (high - low));
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** One of the values, each equally likely. */
  pick<T>(values: readonly [T, ...T[]]): T {
    return values[this.integer(0, values.length)] ?? values[0];
  }

  /** Standard normal (Box-Muller, one of the pair). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** The finaliser of MurmurHash3: every input bit reaches every output bit. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
