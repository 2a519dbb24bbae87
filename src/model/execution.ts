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
  /** intra-op threads; 0 = one for each physical core (onnxruntime's choice) */
  readonly threads: number;
}

export const DEFAULT_EXECUTION: ExecutionOptions = {
  provider: 'cpu',
  device: 0,
  precision: 'fp32',
  threads: 0,
};

/** A sentence if precision and provider do not go together. */
export function refuseExecution({ provider, precision }: ExecutionOptions): string | undefined {
  if (provider === 'auto' || runsOn(precision, provider)) return undefined;
  const other: Provider = provider === 'cpu' ? 'cuda' : 'cpu';
  const known = precisionsOf(provider).join(' or ');
  return `execution.precision ${precision} needs execution.provider ${other}; with ${provider} choose ${known}`;
}

/** The options with a precision that `provider` executes: the one asked for, or fp32. */
export function executionOn(provider: Provider, options: ExecutionOptions): ExecutionOptions {
  const precision = runsOn(options.precision, provider) ? options.precision : 'fp32';
  return { ...options, provider, precision };
}
