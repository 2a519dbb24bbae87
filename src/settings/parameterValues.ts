import { UNCACHED, fit, readChoices } from '../cache/choice';
import type { PolicySettings, Settings } from '../cache/choice';
import type { FieldValue } from '../cache/fieldValues';
import { parameterName } from '../cache/registry';
import type { CachePolicy } from '../cache/types';
import { InputError, messageOf } from '../errors';
import { refuseExecution } from '../model/execution';
import type { ExecutionOptions } from '../model/execution';
import type { Sampler } from '../sampler/types';
import type { ModelFacts } from './Parameter';
import { RTC_FIELDS, rtcSettings } from './rtc';
import type { RtcSettings } from './rtc';
import type { ParameterValue } from './parameterFile';

/** Values by parameter name, already checked one by one against the table. */
export type ParameterValues = ReadonlyMap<string, ParameterValue>;

/** The settings of one policy among the parameters; fields whose parameter has no value are left to the default. */
export function settingsOf(policy: CachePolicy, values: ParameterValues): Settings {
  return Object.fromEntries(
    Object.keys(policy.fields).flatMap((field) => {
      const value = values.get(parameterName(policy, field));
      // The table says what each parameter may hold.
      return value === undefined ? [] : [[field, value as FieldValue]];
    }),
  );
}

/** The settings in force: what a chunk is to be computed with. */
export function policySettings(values: ParameterValues): PolicySettings {
  const [choice = UNCACHED] = readChoices({
    policies: [text(values, 'cache.policy')],
    texts: [],
    base: (policy) => settingsOf(policy, values),
  });
  return { ...choice, ...samplerOf(values) };
}

export function samplerOf(values: ParameterValues): Sampler {
  return {
    noise: text(values, 'sampler.noise') as Sampler['noise'],
    seed: number(values, 'sampler.seed'),
  };
}

/** The settings of real-time chunking among the parameters. */
export function rtcOf(values: ParameterValues): RtcSettings {
  return rtcSettings(
    Object.fromEntries(Object.keys(RTC_FIELDS).map((field) => [field, values.get(`rtc.${field}`)])),
  );
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

/** What an observation must keep to, see `ObservationLimits`. */
export function observationLimits(values: ParameterValues): {
  maxAge: number;
  maxSkew: number;
  maxDeviation: number;
} {
  return {
    maxAge: number(values, 'observation.max_age'),
    maxSkew: number(values, 'observation.max_skew'),
    maxDeviation: number(values, 'observation.max_deviation'),
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
  try {
    fit(policySettings(values), model);
    return undefined;
  } catch (error) {
    // What does not fit the model is about no one parameter.
    return error instanceof InputError
      ? `cache.policy ${text(values, 'cache.policy')}: ${error.message}`
      : messageOf(error);
  }
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
export function boolean(values: ParameterValues, name: string): boolean {
  const value = values.get(name);
  if (typeof value === 'boolean') return value;
  throw new TypeError(`parameter ${name} is not true or false`);
}
