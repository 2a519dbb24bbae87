import { OUTSIDE, norm } from './matrix';
import type { ExpertShape, StoredFingerprints } from './types';

/**
 * The block inputs that the gate of X-Cache compares with, and what it needs of them. That is measured once, when a
 * fingerprint is stored: a gate runs in every chunk and between all blocks, so it should only look at what is new.
 */
export class Fingerprints implements StoredFingerprints {
  readonly inputs: Float32Array;
  readonly unitMeans: Float32Array;
  readonly norms: Float32Array;
  readonly magnitudes: Float32Array;
  #tokens: readonly number[];
  /** 1 for each of them [T] */
  readonly #compared: Uint8Array;
  readonly #shape: ExpertShape;
  /** sums over the horizon of the cell that is being measured */
  readonly #sums: Float64Array;

  constructor(shape: ExpertShape) {
    const { steps, layers, horizon, hidden } = shape;
    const cells = steps * layers;
    this.#shape = shape;
    this.#sums = new Float64Array(hidden);
    this.#tokens = Array.from({ length: horizon }, (_, token) => token);
    this.#compared = new Uint8Array(horizon).fill(1);
    this.inputs = new Float32Array(cells * horizon * hidden);
    this.unitMeans = new Float32Array(cells * hidden);
    this.norms = new Float32Array(cells);
    this.magnitudes = new Float32Array(cells);
  }

  get tokens(): readonly number[] {
    return this.#tokens;
  }

  get bytes(): number {
    const { inputs, unitMeans, norms, magnitudes } = this;
    return [inputs, unitMeans, norms, magnitudes].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Says which tokens are compared from now on, ascending; what is stored is measured again where they are others. */
  compareAt(tokens: readonly number[]): void {
    const same =
      tokens.length === this.#tokens.length && tokens.every((token, i) => token === this.#tokens[i]);
    if (same) return;
    this.#tokens = tokens;
    this.#compared.fill(0);
    for (const token of tokens) this.#compared[token] = 1;
    for (let cell = 0; cell < this.norms.length; cell++) this.#measure(cell);
  }

  /** Stores a block input [T, d]. */
  store(cell: number, input: Float32Array): void {
    this.inputs.set(input, cell * input.length);
    this.#measure(cell);
  }

  /** One pass for all that is measured: the input of a block is large, and there is one for every block. */
  #measure(cell: number): void {
    const { horizon, hidden } = this.#shape;
    const { inputs } = this;
    const sums = this.#sums.fill(0);
    let square = 0;
    let magnitude = 0;
    for (let token = 0; token < horizon; token++) {
      const start = (cell * horizon + token) * hidden;
      let squareOfToken = 0;
      let magnitudeOfToken = 0;
      for (let i = 0; i < hidden; i++) {
        const value = inputs[start + i] ?? OUTSIDE;
        sums[i] = (sums[i] ?? OUTSIDE) + value;
        squareOfToken += value * value;
        magnitudeOfToken += Math.abs(value);
      }
      if (this.#compared[token] !== 1) continue;
      square += squareOfToken;
      magnitude += magnitudeOfToken;
    }
    this.norms[cell] = Math.sqrt(square);
    this.magnitudes[cell] = magnitude / (this.#tokens.length * hidden);
    const length = norm(sums);
    for (let i = 0; i < hidden; i++) this.unitMeans[cell * hidden + i] = (sums[i] ?? OUTSIDE) / length;
  }
}
