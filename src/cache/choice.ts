import { InputError, UsageError } from '../errors';
import type { Sampler } from '../sampler/types';
import type { DefaultContext, FieldTable, FieldValues } from './fields';
import { fieldNamed, parseValue, resolveSettings } from './fieldValues';
import type { FieldValue } from './fieldValues';
import { UNCACHED_POLICY } from './none';
import { POLICIES, policyNamed } from './registry';
import type { CacheModel, CachePolicy, Companion, Grain } from './types';
import { listed } from '../words/listed';

/** Settings of one policy by field name. */
export type Settings = Readonly<Record<string, FieldValue>>;

/** A cache policy with settings as somebody chose them; the model's defaults fill the rest. Plain data. */
export interface Choice {
  /** name of a cache policy */
  readonly policy: string;
  readonly values: Settings;
  /** settings of the policies that it hands work to, by policy name */
  readonly companions: Readonly<Record<string, Settings>>;
}

/** Everything that may change from chunk to chunk. */
export type PolicySettings = Choice & Sampler;

/** One of the choices that are compared. */
export type Configuration = Choice & {
  /** unique among them */
  readonly name: string;
  /** actions executed of each chunk, where that is another number than the bundle's */
  readonly replanSteps?: number;
};

/** Every step of every chunk in full: what all others are measured against. */
export const UNCACHED: Choice = { policy: UNCACHED_POLICY, values: {}, companions: {} };

/** Whether a configuration is what all others are measured against: no cache, executed as the bundle says. */
export function isUncached({ policy, replanSteps }: Omit<Configuration, 'name'>): boolean {
  return policy === UNCACHED_POLICY && replanSteps === undefined;
}

/** A choice that fits a model, with everything filled in. */
export interface Fit extends Companion {
  /** the policies that it hands work to, by name */
  readonly companions: Readonly<Record<string, Companion>>;
  /** what of the action expert it needs to be able to address */
  readonly grain: Grain;
  /** a sentence for settings that are allowed but unwise; undefined if there is nothing to say */
  readonly warning: string | undefined;
}

/** What is chosen, as it is written on a command line, in a params file or on a page. */
export interface ChoiceRequest {
  /** names of policies; each is run with the settings below that it has */
  readonly policies: readonly string[];
  /** `name=value`, or `policy.name=value`, also for a policy that one of them hands work to (`tail=bac`) */
  readonly texts: readonly string[];
  /** each value is a list of values to try, `0,4,8`, where else the last text of a name counts; every combination is a
   * choice, the last name varying fastest */
  readonly lists?: boolean;
  /** what holds where no text says otherwise: parameters of a node, a params file */
  readonly base?: (policy: CachePolicy) => Settings;
}

/**
 * The only reader of choices: whatever is given by hand, from whichever side, comes through here.
 * @throws UsageError for unknown policies and settings, settings that belong to none of the policies, and values that
 * cannot be read; whether values fit the model is the affair of {@link fit}
 */
export function readChoices(request: ChoiceRequest): readonly Choice[] {
  const { base = () => ({}), lists = false } = request;
  const policies = request.policies.map(policyNamed);
  const axes = new Map<string, readonly string[]>();
  for (const text of request.texts) {
    const [name, values] = readSetting(text, lists);
    axes.set(name, lists ? [...(axes.get(name) ?? []), ...values] : values);
  }
  const choices = policies.flatMap((policy) =>
    combinations(policy, axes, (name) => ownField(name, policy)).flatMap((written) => {
      const values = { ...base(policy), ...written };
      const alone = { policy: policy.name, values, companions: {} };
      return withCompanions(alone, handedTo(policy, values), axes, base);
    }),
  );
  for (const name of axes.keys()) checkBelongs(name, policies, choices);
  return choices;
}

/**
 * The only check of a choice against a model, with the defaults filled in.
 * @throws UsageError for unknown names and values out of range; InputError for settings that do not fit the model;
 * FileFormatError for a damaged file of what was learnt for it
 */
export function fit(choice: Choice, model: CacheModel): Fit {
  const { policy, values, companions } = filled(choice, model);
  const { shape, schedule, resources } = model;
  const refusal = policy.refuse(values, shape, schedule, {
    companions,
    learnt: (calibration) => resources?.learnt?.(calibration) ?? [],
  });
  if (refusal !== undefined) throw new InputError(refusal);
  return {
    policy,
    values,
    companions,
    grain: policy.grain(values, companions),
    warning: policy.warn?.(values, shape, schedule),
  };
}

/**
 * A short name that tells the choices of one evaluation apart: the policy, R and the range where it has them, and every
 * other setting that was given. `c3ache R=4 [0,6]`, `c3ache R=4 [0,6] tail=bac bac.updates=3`.
 * @throws UsageError as {@link fit}
 */
export function nameOf(choice: Choice, model: DefaultContext): string {
  const { policy, values } = filled(choice, model);
  const always = new Set(['refresh_interval', 'range']);
  const own = Object.entries<FieldValue>(values)
    .filter(([field]) => always.has(field) || choice.values[field] !== undefined)
    .map(([field, value]) => settingName(field, value));
  const others = Object.entries(choice.companions).flatMap(([name, given]) =>
    Object.entries(given).map(([field, value]) => settingName(`${name}.${field}`, value)),
  );
  return [policy.name, ...own, ...others].join(' ');
}

/**
 * A choice by its name, with all its settings written out for a model: enough to run the same again.
 * @throws UsageError for unknown names and values out of range
 */
export function configurationOf(choice: Choice, model: DefaultContext): Configuration {
  const { policy, values, companions } = filled(choice, model);
  return {
    name: nameOf(choice, model),
    policy: policy.name,
    values,
    companions: Object.fromEntries(
      Object.entries(companions).map(([name, companion]) => [name, companion.values]),
    ),
  };
}

/** The value of a setting as it is written on a command line. */
export function valueText(value: FieldValue): string {
  return Array.isArray(value) ? value.join(':') : String(value);
}

/** The settings of a choice by the names and values with which {@link readChoices} reads them again. */
export function settingTexts({
  values,
  companions,
}: Omit<Choice, 'policy'>): Readonly<Record<string, string>> {
  const all = [
    ...Object.entries(values),
    ...Object.entries(companions).flatMap(([policy, own]) =>
      Object.entries(own).map(([name, value]) => [`${policy}.${name}`, value] as const),
    ),
  ];
  return Object.fromEntries(all.map(([name, value]) => [name, valueText(value)]));
}

/** Some settings of a policy, as the policy itself names them. */
export function someSettings(of: Partial<FieldValues<FieldTable>>): Settings {
  return Object.fromEntries(
    Object.entries(of).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

// ------------------------------------------------------------------------------------------------------------- reading

type Axes = ReadonlyMap<string, readonly string[]>;

function readSetting(text: string, lists: boolean): readonly [name: string, values: readonly string[]] {
  const equals = text.indexOf('=');
  if (equals < 1) {
    throw new UsageError(`setting "${text}": expected name=value, for instance refresh_interval=4`);
  }
  const value = text.slice(equals + 1).trim();
  const values = lists ? listed(value) : [value];
  // An empty list would be no choice at all; as a value it gets the sentence of its field.
  return [text.slice(0, equals).trim(), values.length > 0 ? values : [value]];
}

/** Every combination of the listed values of the settings that are a policy's. */
function combinations(
  policy: CachePolicy,
  axes: Axes,
  fieldOf: (name: string) => string | undefined,
): readonly Settings[] {
  return [...axes].reduce<readonly Settings[]>(
    (found, [name, texts]) => {
      const field = fieldOf(name);
      const definition = field === undefined ? undefined : policy.fields[field];
      if (field === undefined || definition === undefined) return found;
      const values = texts.map((text) => parseValue(field, definition, text));
      return found.flatMap((one) => values.map((value) => ({ ...one, [field]: value })));
    },
    [{}],
  );
}

/** A choice with the settings of those it hands work to, and of those that they hand work to. */
function withCompanions(
  choice: Choice,
  [next, ...others]: readonly CachePolicy[],
  axes: Axes,
  base: NonNullable<ChoiceRequest['base']>,
): readonly Choice[] {
  if (next === undefined) return [choice];
  if (next.name === choice.policy || Object.hasOwn(choice.companions, next.name)) {
    return withCompanions(choice, others, axes, base);
  }
  return combinations(next, axes, (name) => prefixedField(name, next)).flatMap((written) => {
    const values = { ...base(next), ...written };
    const companions = { ...choice.companions, [next.name]: values };
    return withCompanions({ ...choice, companions }, [...others, ...handedTo(next, values)], axes, base);
  });
}

/** The policies that one with these settings hands work to. */
function handedTo(policy: CachePolicy, values: Settings): readonly CachePolicy[] {
  return Object.entries(policy.fields).flatMap(([name, field]) => {
    if (field.type !== 'policy') return [];
    const named = values[name] ?? field.default;
    return POLICIES.filter((other) => other.name === named && named !== UNCACHED_POLICY);
  });
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

function checkBelongs(name: string, policies: readonly CachePolicy[], choices: readonly Choice[]): void {
  if (policies.some((policy) => ownField(name, policy) !== undefined)) return;
  const dot = name.indexOf('.');
  const other = dot < 0 ? undefined : policyNamed(name.slice(0, dot));
  if (other) {
    fieldNamed(other.name, other.fields, name.slice(dot + 1));
    if (choices.some(({ companions }) => Object.hasOwn(companions, other.name))) return;
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

// ------------------------------------------------------------------------------------------------------------- filling

type Filled = Pick<Fit, 'policy' | 'values' | 'companions'>;

function filled(choice: Choice, model: DefaultContext): Filled {
  const policy = policyNamed(choice.policy);
  const values = valuesFor(policy, choice.values, model);
  const companions: Record<string, Companion> = {};
  const waiting = [...handedTo(policy, values)];
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    if (next === policy || Object.hasOwn(companions, next.name)) continue;
    const own = valuesFor(next, choice.companions[next.name] ?? {}, model);
    companions[next.name] = { policy: next, values: own };
    waiting.push(...handedTo(next, own));
  }
  const idle = Object.keys(choice.companions).find((name) => !Object.hasOwn(companions, name));
  if (idle !== undefined) {
    throw new UsageError(`settings of ${policyNamed(idle).name}: ${policy.name} hands no steps to it`);
  }
  return { policy, values, companions };
}

function valuesFor(policy: CachePolicy, given: Settings, model: DefaultContext): FieldValues<FieldTable> {
  return resolveSettings(policy.name, policy.fields, given, model);
}

function settingName(name: string, value: FieldValue): string {
  if (name === 'refresh_interval') return `R=${String(value)}`;
  if (name === 'range' && Array.isArray(value)) return `[${value.join(',')}]`;
  return `${name}=${Array.isArray(value) ? `[${value.join(',')}]` : String(value)}`;
}
