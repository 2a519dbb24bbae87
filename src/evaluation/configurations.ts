import { fieldNamed, parseValue, resolveSettings } from '../cache/fieldValues';
import type { FieldValue } from '../cache/fieldValues';
import { POLICIES, policyNamed } from '../cache/registry';
import type { CachePolicy } from '../cache/types';
import { UsageError } from '../errors';
import type { ModelFacts } from '../settings/Parameter';
import { configurationName } from './configurationName';
import { UNCACHED_POLICY } from './evaluate';
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
type Given = Readonly<Record<string, SettingValue>>;

/**
 * The configurations of a request, in the order of the listed values, the last one varying fastest. Settings that a
 * policy does not have are left out for it, but every setting must belong to one of them, or as `policy.field` to one
 * that a configuration hands steps to (`tail=bac` and `bac.updates`).
 *
 * @throws UsageError for unknown policies and settings, values that cannot be read or do not fit the model
 */
export function configurationsOf(request: ConfigurationRequest, model: ModelFacts): readonly Configuration[] {
  const policies = request.policies.map(policyNamed);
  const found = policies.flatMap((policy) => {
    const own = combinations(request, policy, (name) => ownField(name, policy));
    return own.flatMap((given) => configurations(request, policy, given, model));
  });
  const helpers = new Set(found.flatMap(({ companions }) => Object.keys(companions ?? {})));
  for (const [name] of request.settings) checkBelongs(name, policies, helpers);
  return found;
}

/** Every combination of the listed values of the settings that are a policy's. */
function combinations(
  { settings }: ConfigurationRequest,
  policy: CachePolicy,
  fieldOf: (name: string) => string | undefined,
): readonly Settings[] {
  const axes = settings.flatMap(([name, texts]): (readonly [string, readonly FieldValue[]])[] => {
    const field = fieldOf(name);
    const definition = field === undefined ? undefined : policy.fields[field];
    return field === undefined || definition === undefined
      ? []
      : [[field, texts.map((text) => parseValue(field, definition, text))]];
  });
  return axes.reduce<readonly Settings[]>(
    (found, [field, values]) => found.flatMap((one) => values.map((value) => ({ ...one, [field]: value }))),
    [{}],
  );
}

/**
 * What a policy with its own settings comes to: one configuration, or several where values are listed for the policies
 * that it hands steps to. R and the range are always in the name, other settings where somebody gave them.
 */
function configurations(
  request: ConfigurationRequest,
  policy: CachePolicy,
  listed: Settings,
  model: ModelFacts,
): readonly Configuration[] {
  const given: Given = { ...request.base(policy), ...listed };
  const settings: Given = resolveSettings(policy.name, policy.fields, given, model);
  const shown = Object.fromEntries(
    Object.entries(settings).filter(
      ([field]) => field === 'refresh_interval' || field === 'range' || given[field] !== undefined,
    ),
  );
  const alone: Configuration = { name: configurationName(policy.name, shown), policy: policy.name, settings };
  return helpersOf(policy, settings).reduce<readonly Configuration[]>(
    (found, helper) =>
      found.flatMap((one) =>
        combinations(request, helper, (name) => prefixedField(name, helper)).map((values) =>
          withCompanion(one, helper, values, request, model),
        ),
      ),
    [alone],
  );
}

/** The policies that this one hands steps to: those that its settings name. */
function helpersOf(policy: CachePolicy, settings: Given): readonly CachePolicy[] {
  const named = new Set(Object.values(settings));
  return POLICIES.filter(
    (other) => other !== policy && other.name !== UNCACHED_POLICY && named.has(other.name),
  );
}

function withCompanion(
  one: Configuration,
  helper: CachePolicy,
  listed: Settings,
  request: ConfigurationRequest,
  model: ModelFacts,
): Configuration {
  const given: Given = { ...request.base(helper), ...listed };
  const settings: Given = resolveSettings(helper.name, helper.fields, given, model);
  const shown = Object.entries(given).map(([field, value]) => [`${helper.name}.${field}`, value] as const);
  return {
    ...one,
    name: configurationName(one.name, Object.fromEntries(shown)),
    companions: { ...one.companions, [helper.name]: settings },
  };
}

/** The field that a setting names for this policy; undefined if it is not one of its. */
function ownField(name: string, policy: CachePolicy): string | undefined {
  return Object.hasOwn(policy.fields, name) ? name : prefixedField(name, policy);
}

/** The field of `policy.field`; undefined if the setting is not this policy's. */
function prefixedField(name: string, policy: CachePolicy): string | undefined {
  if (!name.startsWith(`${policy.name}.`)) return undefined;
  const field = name.slice(policy.name.length + 1);
  return Object.hasOwn(policy.fields, field) ? field : undefined;
}

function checkBelongs(name: string, policies: readonly CachePolicy[], helpers: ReadonlySet<string>): void {
  if (policies.some((policy) => ownField(name, policy) !== undefined)) return;
  const other = POLICIES.find((one) => name.startsWith(`${one.name}.`));
  if (other && !policies.includes(other)) {
    fieldNamed(other.name, other.fields, name.slice(other.name.length + 1));
    if (helpers.has(other.name)) return;
    throw new UsageError(
      `setting "${name}": nothing here hands steps to ${other.name}; name it as a policy, or as the tail of one (--set tail=${other.name})`,
    );
  }
  const [policy, ...others] = policies;
  // With one policy its own sentence is the best one: it names what is near.
  if (policy && others.length === 0) fieldNamed(policy.name, policy.fields, name);
  throw new UsageError(
    `setting "${name}": none of ${policies.map((one) => one.name).join(', ')} has it; write policy.setting for one of them`,
  );
}
