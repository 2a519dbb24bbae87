import type { Command } from 'commander';
import { noiseSeed } from '../bundle/Bundle';
import type { BundleManifest } from '../bundle/schema';
import { UNCACHED, readChoices } from '../cache/choice';
import type { Choice } from '../cache/choice';
import { POLICIES } from '../cache/registry';
import { PROVIDER_CHOICES } from '../model/execution';
import type { ExecutionOptions } from '../model/execution';
import { PRECISION_NAMES } from '../model/precisions';
import { NOISE_MODES } from '../sampler/types';
import type { Sampler } from '../sampler/types';
import { collect, oneOf, wholeNumber } from './flagValues';

/** What `--noise` takes, for its help. */
export const NOISE_HELP =
  'fixed: the same for every chunk; fresh: seed + chunk number; episode: seed + episode number';

/** Options by which every command names a policy and its settings. */
export interface PolicyOptions {
  readonly policy: string;
  readonly refresh?: string;
  readonly range?: string;
  readonly set: readonly string[];
}

/** Adds `--policy`, `--refresh`, `--range` and `--set`. */
export function addPolicyOptions(command: Command, defaultPolicy: string): Command {
  return addSettingOptions(
    command.option(
      '--policy <name>',
      `cache policy: ${POLICIES.map((p) => p.name).join(', ')}`,
      defaultPolicy,
    ),
  );
}

/** Adds `--refresh`, `--range` and `--set`, the settings of one policy. */
export function addSettingOptions(command: Command): Command {
  return command
    .option('--refresh <R>', 'refresh interval in chunks; short for --set refresh_interval=R')
    .option('--range <a:b>', 'first and last reused step; short for --set range=a:b')
    .option(
      '--set <name=value>',
      "one of the policy's settings, or policy.name=value; may be repeated",
      collect,
      [],
    );
}

/** The settings of the flags as texts, `name=value`; what `--set` says goes before the short flags. */
export function givenTexts({
  refresh,
  range,
  set,
}: Pick<PolicyOptions, 'refresh' | 'range' | 'set'>): readonly string[] {
  return [
    ...(refresh === undefined ? [] : [`refresh_interval=${refresh}`]),
    ...(range === undefined ? [] : [`range=${range}`]),
    ...set,
  ];
}

/** The policy and its settings. @throws UsageError for unknown names and values that cannot be read */
export function readPolicyOptions(options: PolicyOptions): Choice {
  const [choice = UNCACHED] = readChoices({ policies: [options.policy], texts: givenTexts(options) });
  return choice;
}

/**
 * `--noise` and `--seed`, which the bundle may say.
 * @throws UsageError for a value that cannot be meant
 */
export function readSampler(
  flags: { readonly noise: string; readonly seed?: string },
  manifest: Pick<BundleManifest, 'sampler'>,
): Sampler {
  return {
    noise: oneOf('--noise', flags.noise, NOISE_MODES),
    seed: flags.seed === undefined ? noiseSeed(manifest) : wholeNumber('--seed', flags.seed),
  };
}

/** Options by which every command chooses how the model runs. */
export interface ExecutionFlags {
  readonly provider: string;
  readonly device: string;
  readonly precision: string;
  readonly prefillPrecision?: string;
  readonly threads: string;
}

/** Adds `--provider`, `--device`, `--precision`, `--prefill-precision` and `--threads`. */
export function addExecutionOptions(command: Command): Command {
  return command
    .option('--provider <name>', 'cpu, cuda or auto', 'cpu')
    .option('--device <n>', 'CUDA device', '0')
    .option('--precision <name>', 'fp32; int8 on the CPU; fp16, bf16 on CUDA', 'fp32')
    .option(
      '--prefill-precision <name>',
      'of the video prefill on the CPU, where it is another: fp32 or int8',
    )
    .option('--threads <n>', 'threads of one model; 0 = one for each core', '0');
}

/** @throws UsageError for a value that cannot be meant */
export function readExecutionOptions(flags: ExecutionFlags): ExecutionOptions {
  return {
    provider: oneOf('--provider', flags.provider, PROVIDER_CHOICES),
    precision: oneOf('--precision', flags.precision, PRECISION_NAMES),
    ...prefillPrecisionOf(flags),
    device: wholeNumber('--device', flags.device),
    threads: wholeNumber('--threads', flags.threads),
  };
}

/** Flags of {@link addExecutionOverrides}. */
export type ExecutionOverrides = Partial<ExecutionFlags>;

/** Adds the options of {@link addExecutionOptions} where a params file says what holds without them. */
export function addExecutionOverrides(command: Command): Command {
  return command
    .option('--provider <name>', 'cpu, cuda or auto')
    .option('--device <n>', 'CUDA device')
    .option('--precision <name>', 'fp32; int8 on the CPU; fp16, bf16 on CUDA')
    .option(
      '--prefill-precision <name>',
      'of the video prefill on the CPU, where it is another: fp32 or int8',
    )
    .option('--threads <n>', 'threads of one model; 0 = one for each core');
}

/**
 * Only what was said on the command line; the params file has the rest.
 * @throws UsageError for a value that cannot be meant
 */
export function readExecutionOverrides(flags: ExecutionOverrides): Partial<ExecutionOptions> {
  return {
    ...(flags.provider !== undefined && {
      provider: oneOf('--provider', flags.provider, PROVIDER_CHOICES),
    }),
    ...(flags.precision !== undefined && {
      precision: oneOf('--precision', flags.precision, PRECISION_NAMES),
    }),
    ...prefillPrecisionOf(flags),
    ...(flags.device !== undefined && { device: wholeNumber('--device', flags.device) }),
    ...(flags.threads !== undefined && { threads: wholeNumber('--threads', flags.threads) }),
  };
}

/** Only where it was said. */
function prefillPrecisionOf(
  flags: Pick<ExecutionFlags, 'prefillPrecision'>,
): Pick<ExecutionOptions, 'prefillPrecision'> {
  const { prefillPrecision: own } = flags;
  return own === undefined ? {} : { prefillPrecision: oneOf('--prefill-precision', own, PRECISION_NAMES) };
}
