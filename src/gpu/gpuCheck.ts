import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Bundle } from '../bundle/Bundle';
import { ProviderError } from '../errors';
import { machineFacts, packageVersion } from '../evaluation/provenance';
import { executionOn } from '../model/execution';
import type { ExecutionOptions } from '../model/execution';
import { PRECISIONS, precisionsOf } from '../model/precisions';
import type { Precision, Provider } from '../model/precisions';
import { onnxRuntimePackage } from '../model/runtime';
import { difference, measureBundle } from './bundleFigures';
import { goldenErrors, goldenMissing } from './goldenErrors';
import { peakRates } from './peakRates';
import type { BundleFigures, GpuCheck, PeakRates } from './types';

export interface GpuCheckOptions {
  readonly bundle: string;
  /** precisions of the bundle's own figures; default: what a GPU is used with, or what the CPU has */
  readonly precisions?: readonly Precision[];
  readonly execution: ExecutionOptions;
  /** chunks of each configuration */
  readonly chunks: number;
  /** one line when a part begins */
  readonly onPart?: (text: string) => void;
}

/** What a model of the released size is run in on a GPU: fp32 would double its memory and gain nothing. */
const USUAL: Readonly<Record<Provider, readonly Precision[]>> = {
  cuda: ['bf16', 'fp16'],
  cpu: ['fp32', 'int8'],
};

/** Numbers of the step go to the device in every step, a few bytes each; more than these says that tensors travel. */
const STEP_COPIES = 4;

/**
 * Everything that a card (or the CPU) has to show: whether the numbers are right, where the nodes run, what it costs.
 * A part that fails is told in its place, so that the others are not lost with it.
 * @throws ProviderError where the provider that was asked for does not start at all; FileFormatError for the bundle
 */
export async function gpuCheck(options: GpuCheckOptions): Promise<GpuCheck> {
  const { execution, chunks } = options;
  const say = options.onPart ?? (() => undefined);
  const opened = Bundle.open(options.bundle);
  say('starting the provider');
  const { provider, notices } = await startedProvider(execution);

  const missing = goldenMissing();
  if (missing === undefined) say('comparing with golden vectors');
  const golden =
    missing === undefined
      ? await goldenErrors({ provider, precisions: precisionsOf(provider), execution })
      : [];

  const precisions = options.precisions ?? USUAL[provider];
  const rates: PeakRates[] = [];
  for (const type of new Set(precisions.map((precision) => PRECISIONS[precision].blocks.compute))) {
    say(`peak rates in ${type}`);
    rates.push(await peakRates(type, provider, execution));
  }

  const figures: BundleFigures[] = [];
  let reference: Float32Array | undefined;
  for (const precision of precisions) {
    say(`${opened.manifest.name} in ${precision}`);
    const own = rates.find(({ type }) => type === PRECISIONS[precision].blocks.compute);
    const measured = await measureBundle({
      bundle: options.bundle,
      provider,
      execution: { ...executionOn(provider, execution), precision },
      chunks,
      rates: own,
    });
    const off = reference && difference(measured.actions, reference);
    figures.push({ ...measured.figures, ...(off === undefined ? {} : { difference: off }) });
    if (measured.actions.length > 0) reference ??= measured.actions;
  }
  return {
    provider,
    notices,
    environment: environment(provider),
    golden,
    ...(missing === undefined ? {} : { goldenMissing: missing }),
    rates,
    bundle: { name: opened.manifest.name, figures },
  };
}

/** What is wrong, in one line each; nothing where all is well. */
export function problemsOf(check: GpuCheck): string[] {
  const wrong = check.golden.filter(
    ({ error, limit, failed }) => failed !== undefined || error === undefined || !(error <= limit),
  );
  const placed = check.bundle.figures.flatMap(({ placement = [] }) => placement);
  return [
    ...wrong.map(({ golden, precision, policy, error, limit, failed }) =>
      failed === undefined
        ? `${golden}, ${precision}, ${policy}: relative error ${(error ?? Number.NaN).toExponential(2)}, at most ${limit} expected`
        : `${golden}, ${precision}, ${policy}: ${failed}`,
    ),
    ...check.rates.flatMap(({ type, failed }) =>
      failed === undefined ? [] : [`peak rates in ${type}: ${failed}`],
    ),
    ...check.bundle.figures.flatMap(({ precision, failed }) =>
      failed === undefined ? [] : [`${check.bundle.name} in ${precision}: ${failed}`],
    ),
    ...placed
      .filter(({ perStep }) => perStep !== undefined && perStep.copies > STEP_COPIES)
      .map(
        ({ precision, perStep }) =>
          `${check.bundle.name} in ${precision}: ${(perStep?.copies ?? 0).toFixed(0)} copies between host and device in every step`,
      ),
  ];
}

/** What the check runs on: `auto` takes CUDA where a session of it starts and computes. */
async function startedProvider(
  execution: ExecutionOptions,
): Promise<{ provider: Provider; notices: string[] }> {
  if (execution.provider !== 'auto') {
    const probe = await peakRates('float32', execution.provider, execution);
    if (probe.failed !== undefined) throw new ProviderError(probe.failed);
    return { provider: execution.provider, notices: [] };
  }
  const probe = await peakRates('float32', 'cuda', execution);
  if (probe.failed === undefined) return { provider: 'cuda', notices: [] };
  return { provider: 'cpu', notices: [`the check runs on the CPU: ${probe.failed}`] };
}

function environment(provider: Provider): [string, string][] {
  const root = join(__dirname, '..', '..', 'package.json');
  return [
    ['fast-wam-policy', packageVersion(root)],
    ['node', process.version],
    ['onnxruntime-node', packageVersion(join(onnxRuntimePackage(), 'package.json'))],
    ...machineFacts(),
    ...(provider === 'cuda' ? cardFacts() : []),
  ];
}

function cardFacts(): [string, string][] {
  try {
    const query = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'];
    const told = execFileSync('nvidia-smi', query, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return told
      .trim()
      .split('\n')
      .map((line, i) => [`card ${i}`, line]);
  } catch {
    return [['card', 'nvidia-smi tells nothing']];
  }
}
