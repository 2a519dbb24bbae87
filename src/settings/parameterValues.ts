import { POLICIES, parameterName, policyNamed } from '../cache/registry';
import { resolveSettings } from '../cache/fieldValues';
import type { FieldTable, FieldValues } from '../cache/fields';
import type { CachePolicy, RefusalContext } from '../cache/types';
import { messageOf } from '../errors';
import { refuseExecution } from '../model/execution';
import type { ExecutionOptions } from '../model/execution';
import type { ModelFacts } from './Parameter';
import type { ParameterValue } from './parameterFile';

/** Values by parameter name, already checked one by one against the table. */
export type ParameterValues = ReadonlyMap<string, ParameterValue>;

/** What the cache and the sampler are to do in the next chunk. */
export interface ChunkSettings {
  /** name of a cache policy */
  readonly policy: string;
  /** the policy's settings by field name */
  readonly values: Readonly<Record<string, ParameterValue>>;
  /** the other policies' settings by policy and field name, for a policy that hands steps to one of them */
  readonly companions: Readonly<Record<string, Readonly<Record<string, ParameterValue>>>>;
  readonly noise: 'fixed' | 'fresh';
  readonly seed: number;
}

/** The settings of the selected policy, by field name; fields whose parameter has no value are left to the default. */
function valuesOfPolicy(policy: CachePolicy, values: ParameterValues): Record<string, ParameterValue> {
  const settings: Record<string, ParameterValue> = {};
  for (const field of Object.keys(policy.fields)) {
    const value = values.get(parameterName(policy, field));
    if (value !== undefined) settings[field] = value;
  }
  return settings;
}

/** The policies that this one may hand steps to. */
function companionsOf(policy: CachePolicy): readonly CachePolicy[] {
  return POLICIES.filter((other) => other !== policy);
}

/** What a chunk is to be computed with. */
export function chunkSettings(values: ParameterValues): ChunkSettings {
  const policy = policyNamed(text(values, 'cache.policy'));
  return {
    policy: policy.name,
    values: valuesOfPolicy(policy, values),
    companions: Object.fromEntries(
      companionsOf(policy).map((other) => [other.name, valuesOfPolicy(other, values)]),
    ),
    noise: text(values, 'sampler.noise') === 'fresh' ? 'fresh' : 'fixed',
    seed: number(values, 'sampler.seed'),
  };
}

/** How the model is to be executed. */
export function executionOptions(values: ParameterValues): ExecutionOptions {
  const prefill = text(values, 'execution.prefill_precision');
  return {
    provider: text(values, 'execution.provider') as ExecutionOptions['provider'],
    precision: text(values, 'execution.precision') as ExecutionOptions['precision'],
    ...(prefill === 'same' ? {} : { prefillPrecision: prefill as ExecutionOptions['precision'] }),
    device: number(values, 'execution.device'),
    threads: number(values, 'execution.threads'),
  };
}

/**
 * Why values that each fit for themselves do not fit together, or do not fit the model; undefined if they do.
 * @param model undefined before one is loaded
 */
export function problemWithTogether(
  values: ParameterValues,
  model: ModelFacts | undefined,
): string | undefined {
  const execution = refuseExecution(executionOptions(values));
  if (execution !== undefined) return execution;
  if (model === undefined) return undefined;
  const replanSteps = number(values, 'control.replan_steps');
  if (replanSteps > model.shape.horizon) {
    return `control.replan_steps ${replanSteps}: must be at most ${model.shape.horizon}, the model gives ${model.shape.horizon} actions in a chunk`;
  }
  const policy = policyNamed(text(values, 'cache.policy'));
  try {
    const settingsOf = (one: CachePolicy): FieldValues<FieldTable> =>
      resolveSettings(one.name, one.fields, valuesOfPolicy(one, values), model);
    const context: RefusalContext = {
      companions: Object.fromEntries(companionsOf(policy).map((other) => [other.name, settingsOf(other)])),
      // A getter: schedules lie in a file that is none of the other policies' business.
      get bacSchedules() {
        return model.resources?.bacSchedules ?? [];
      },
    };
    const refusal = policy.refuse(settingsOf(policy), model.shape, model.schedule, context);
    return refusal === undefined ? undefined : `cache.policy ${policy.name}: ${refusal}`;
  } catch (error) {
    return messageOf(error);
  }
}

/** A sentence for settings that are allowed but unwise; undefined if there is nothing to say. */
export function warningAbout(values: ParameterValues, model: ModelFacts): string | undefined {
  const policy = policyNamed(text(values, 'cache.policy'));
  const settings = resolveSettings(policy.name, policy.fields, valuesOfPolicy(policy, values), model);
  return policy.warn?.(settings, model.shape, model.schedule);
}

/** A parameter that the table says is a text or one of several words. */
export function text(values: ParameterValues, name: string): string {
  const value = values.get(name);
  if (typeof value === 'string') return value;
  throw new TypeError(`parameter ${name} is not a text`);
}

/** A parameter that the table says is a number. */
export function number(values: ParameterValues, name: string): number {
  const value = values.get(name);
  if (typeof value === 'number') return value;
  throw new TypeError(`parameter ${name} is not a number`);
}

/** A parameter that the table says is true or false. */
export function truth(values: ParameterValues, name: string): boolean {
  const value = values.get(name);
  if (typeof value === 'boolean') return value;
  throw new TypeError(`parameter ${name} is not true or false`);
}
