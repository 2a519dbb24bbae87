import { precisionsOf, runsOn } from './precisions';
import type { Precision, Provider } from './precisions';

/** What can be asked for: `auto` takes CUDA where it starts. */
export const PROVIDER_CHOICES = ['cpu', 'cuda', 'auto'] as const;

/** How a model is executed; the ROS parameters `execution.*`. */
export interface ExecutionOptions {
  readonly provider: (typeof PROVIDER_CHOICES)[number];
  /** CUDA device number */
  readonly device: number;
  readonly precision: Precision;
  /** of the video prefill, where it is another one: on the CPU it is a graph of its own */
  readonly prefillPrecision?: Precision;
  /** intra-op threads; 0 = one for each physical core (onnxruntime's choice) */
  readonly threads: number;
}

export const DEFAULT_EXECUTION: ExecutionOptions = {
  provider: 'cpu',
  device: 0,
  precision: 'fp32',
  threads: 0,
};

/** A sentence if precisions and provider do not go together. */
export function refuseExecution(options: ExecutionOptions): string | undefined {
  const { provider, precision, prefillPrecision = precision } = options;
  if (provider === 'auto') return undefined;
  if (provider === 'cuda' && prefillPrecision !== precision) {
    return `execution.prefill_precision ${prefillPrecision} needs execution.provider cpu; with cuda the prefill and the expert are one graph`;
  }
  const other: Provider = provider === 'cpu' ? 'cuda' : 'cpu';
  for (const [name, value] of [
    ['execution.precision', precision],
    ['execution.prefill_precision', prefillPrecision],
  ] as const) {
    if (runsOn(value, provider)) continue;
    const known = precisionsOf(provider).join(' or ');
    return `${name} ${value} needs execution.provider ${other}; with ${provider} choose ${known}`;
  }
  return undefined;
}

/** "int8", or "fp32, prefill int8". */
export function describePrecision({
  precision,
  prefillPrecision: own = precision,
}: ExecutionOptions): string {
  return own === precision ? precision : `${precision}, prefill ${own}`;
}

/** What the prefill of `options` computes in. */
export function prefillPrecision({ precision, prefillPrecision: own }: ExecutionOptions): Precision {
  return own ?? precision;
}

/** The options with precisions that `provider` executes: those asked for, or fp32. */
export function executionOn(provider: Provider, options: ExecutionOptions): ExecutionOptions {
  const possible = (wanted: Precision): Precision => (runsOn(wanted, provider) ? wanted : 'fp32');
  const { prefillPrecision: own, ...rest } = options;
  const precision = possible(options.precision);
  const prefill = provider === 'cpu' && own !== undefined ? { prefillPrecision: possible(own) } : {};
  return { ...rest, provider, precision, ...prefill };
}
