import type { NumberFormat } from '../graphs/buildGraph';

/** What computes a model. */
export type Provider = 'cpu' | 'cuda';

const FLOAT32: NumberFormat = { compute: 'float32', linears: 'float' };
const FLOAT16: NumberFormat = { compute: 'float16', linears: 'float' };
const BFLOAT16: NumberFormat = { compute: 'bfloat16', linears: 'float' };
const INT8: NumberFormat = { compute: 'float32', linears: 'int8' };

interface PrecisionRow {
  /** where it runs: the CPU has no products of 16-bit floats, a GPU none of this kind with int8 */
  readonly providers: readonly Provider[];
  /** what the VAE computes in: no convolution of bf16 at opset 20, and half precision is enough for it */
  readonly vae: NumberFormat;
  /** what the blocks of both experts compute in */
  readonly blocks: NumberFormat;
}

/** The number formats in which a model can be executed, and what each means for its graphs. */
export const PRECISIONS = {
  fp32: { providers: ['cpu', 'cuda'], vae: FLOAT32, blocks: FLOAT32 },
  bf16: { providers: ['cuda'], vae: FLOAT16, blocks: BFLOAT16 },
  fp16: { providers: ['cuda'], vae: FLOAT16, blocks: FLOAT16 },
  int8: { providers: ['cpu'], vae: FLOAT32, blocks: INT8 },
} as const satisfies Record<string, PrecisionRow>;

export type Precision = keyof typeof PRECISIONS;

export const PRECISION_NAMES = Object.keys(PRECISIONS) as Precision[];

/** The precisions that a provider executes. */
export function precisionsOf(provider: Provider): Precision[] {
  return PRECISION_NAMES.filter((name) => runsOn(name, provider));
}

/** Whether a provider executes a precision. */
export function runsOn(precision: Precision, provider: Provider): boolean {
  return (PRECISIONS[precision].providers as readonly Provider[]).includes(provider);
}
