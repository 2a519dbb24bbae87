const N = 624;
const M = 397;

/** mt19937, as PyTorch's CPU generator seeds and steps it. Source: Matsumoto and Nishimura, 1998. */
export class MersenneTwister {
  readonly #state = new Uint32Array(N);
  #next = N;

  constructor(seed: number) {
    let previous = seed >>> 0;
    this.#state[0] = previous;
    for (let i = 1; i < N; i++) {
      previous = (Math.imul(1812433253, previous ^ (previous >>> 30)) + i) >>> 0;
      this.#state[i] = previous;
    }
  }

  /** The next 32 random bits. */
  next32(): number {
    if (this.#next >= N) this.#twist();
    let y = this.#word(this.#next++);
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    y ^= y >>> 18;
    return y >>> 0;
  }

  #word(index: number): number {
    return this.#state[index % N] ?? 0;
  }

  #twist(): void {
    for (let i = 0; i < N; i++) {
      const y = (this.#word(i) & 0x80000000) | (this.#word(i + 1) & 0x7fffffff);
      this.#state[i] = this.#word(i + M) ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }
}
