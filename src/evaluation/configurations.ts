import { fieldNamed, parseValue, resolveSettings } from '../cache/fieldValues';
import type { FieldValue } from '../cache/fieldValues';
import { policyNamed } from '../cache/registry';
import type { CachePolicy } from '../cache/types';
import { UsageError } from '../errors';
import type { ModelFacts } from '../settings/Parameter';
import { configurationName } from './configurationName';
import type { Configuration, SettingValue } from './types';

/** Which configurations are wanted: every policy with every combination of the listed values. */
export interface ConfigurationRequest {
  /** names; every one is run with the settings below that it has */
  readonly policies: readonly string[];
  /** by field, or by `policy.field`: the values to try, as they are written on a command line */
  readonly settings: readonly (readonly [name: string, values: readonly string[]])[];
  /** what holds where nothing is listed, by field of a policy (from the params file) */
  readonly base: (policy: CachePolicy) => Readonly<Record<string, SettingValue>>;
}

type Settings = Readonly<Record<string, FieldValue>>;

/**
 * The configurations of a request, in the order of the listed values, the last one varying fastest. Settings that a
 * policy does not have are left out for it, but every setting must belong to one of them.
 *
 * @throws UsageError for unknown policies and settings, values that cannot be read or do not fit the model
 */
export function configurationsOf(request: ConfigurationRequest, model: ModelFacts): readonly Configuration[] {
  const policies = request.policies.map(policyNamed);
  for (const [name] of request.settings) checkBelongs(name, policies);
  return policies.flatMap((policy) => {
    const axes = request.settings.flatMap(([name, texts]): (readonly [string, readonly FieldValue[]])[] => {
      const field = ownField(name, policy);
      const definition = field === undefined ? undefined : policy.fields[field];
      return field === undefined || definition === undefined
        ? []
        : [[field, texts.map((text) => parseValue(field, definition, text))]];
    });
    const combinations = axes.reduce<readonly Settings[]>(
      (found, [field, values]) =>
        found.flatMap((settings) => values.map((value) => ({ ...settings, [field]: value }))),
      [{}],
    );
    return combinations.map((given) => configuration(policy, { ...request.base(policy), ...given }, model));
  });
}

/** R and the range are always in the name, other settings where somebody gave them. */
function configuration(
  policy: CachePolicy,
  given: Readonly<Record<string, SettingValue>>,
  model: ModelFacts,
): Configuration {
  const resolved: Readonly<Record<string, SettingValue>> = resolveSettings(
    policy.name,
    policy.fields,
    given,
    model,
  );
  const shown = Object.fromEntries(
    Object.entries(resolved).filter(
      ([field]) => field === 'refresh_interval' || field === 'range' || given[field] !== undefined,
    ),
  );
  return { name: configurationName(policy.name, shown), policy: policy.name, settings: resolved };
}

/** The field that a setting names for this policy; undefined if it is not one of its. */
function ownField(name: string, policy: CachePolicy): string | undefined {
  const field = name.startsWith(`${policy.name}.`) ? name.slice(policy.name.length + 1) : name;
  return Object.hasOwn(policy.fields, field) ? field : undefined;
}

function checkBelongs(name: string, policies: readonly CachePolicy[]): void {
  if (policies.some((policy) => ownField(name, policy) !== undefined)) return;
  const [policy, ...others] = policies;
  // With one policy its own sentence is the best one: it names what is near.
  if (policy && others.length === 0) fieldNamed(policy.name, policy.fields, name);
  throw new UsageError(
    `setting "${name}": none of ${policies.map((one) => one.name).join(', ')} has it; write policy.setting for one of them`,
  );
}
