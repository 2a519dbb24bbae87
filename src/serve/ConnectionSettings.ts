import { UNCACHED, fit, nameOf, readChoices } from '../cache/choice';
import type { PolicySettings } from '../cache/choice';
import { parseValue } from '../cache/fieldValues';
import { InputError } from '../errors';
import type { ModelFacts } from '../settings/Parameter';
import { ParameterSet } from '../settings/ParameterSet';
import type { ParameterScalar, ParameterValue } from '../settings/parameterFile';
import { policySettings, problemWithTogether, settingsOf } from '../settings/parameterValues';
import type { ParameterValues } from '../settings/parameterValues';
import { POLICY_PARAMETERS } from '../settings/policyParameters';
import { quoted } from '../words/quoted';
import { isMap } from './message';
import type { WireMap, WireValue } from './message';
import { NdArray } from './NdArray';

/** No setting is a longer text. */
const LONGEST_TEXT = 100;
/** What a client may set for its own connection; the rest is the server's. */
const SETTABLE = /^(?:cache|sampler)\./;

/**
 * What the chunks of one connection are computed with. The names are those of the node's parameters, and so are the
 * rules: a set that is refused changes nothing.
 */
export class ConnectionSettings {
  readonly #set = new ParameterSet(POLICY_PARAMETERS, problemWithTogether);
  readonly #model: ModelFacts;

  /** @param initial what the server was started with */
  constructor(initial: ParameterValues, model: ModelFacts) {
    this.#model = model;
    this.#set.apply(initial);
    this.#set.useModel(model);
  }

  /**
   * Splits a message into settings and the rest: `cache.policy`, or a map `cache` with a map or value by each name.
   */
  static take(message: WireMap): {
    readonly settings: ReadonlyMap<string, WireValue>;
    readonly rest: WireMap;
  } {
    const settings = new Map<string, WireValue>();
    const rest: Record<string, WireValue> = {};
    for (const [key, value] of Object.entries(message)) {
      if (SETTABLE.test(key)) settings.set(key, value);
      else if (SETTABLE.test(`${key}.`) && isMap(value)) {
        for (const [name, inner] of dotted(value, `${key}.`)) settings.set(name, inner);
      } else rest[key] = value;
    }
    return { settings, rest };
  }

  /**
   * The values that settings of a message stand for.
   * @throws InputError, UsageError with one sentence for what does not fit; nothing has changed then
   */
  check(settings: ReadonlyMap<string, WireValue>): ParameterValues {
    const changes = new Map<string, ParameterValue>();
    for (const [name, value] of settings) changes.set(name, this.#value(name, value));
    const problem = this.#set.problemWith(changes, true);
    if (problem !== undefined) throw new InputError(problem);
    return changes;
  }

  /** Makes changes that {@link check} has let through. */
  apply(changes: ParameterValues): void {
    this.#set.apply(changes);
  }

  get current(): PolicySettings {
    return policySettings(this.#set.values);
  }

  /** `c3ache R=4 [0,6]`: what is not as it comes, the policy, R and the range */
  get name(): string {
    const { explicitValues } = this.#set;
    const [choice = UNCACHED] = readChoices({
      policies: [this.current.policy],
      texts: [],
      base: (policy) => settingsOf(policy, explicitValues),
    });
    return nameOf(choice, this.#model);
  }

  /** A sentence about settings that are allowed but unwise. */
  get warning(): string | undefined {
    return fit(this.current, this.#model).warning;
  }

  /** A value in the parameter's own type: numpy's arrays are lists, and texts are read as a command line's are. */
  #value(name: string, value: WireValue): ParameterValue {
    const plain = plainValue(value);
    if (plain === undefined) {
      throw new InputError(`${quoted(name)}: expected a number, a text, true or false, or a list`);
    }
    if (typeof plain === 'string' && plain.length > LONGEST_TEXT) {
      throw new InputError(`${quoted(name)}: ${quoted(plain, 20)} is no value of a setting`);
    }
    const field = this.#set.table.find(name)?.field;
    if (typeof plain !== 'string' || !field || field.type === 'text' || field.type === 'names') return plain;
    return parseValue(name, field, plain);
  }
}

function* dotted(map: WireMap, prefix: string): Generator<readonly [string, WireValue]> {
  for (const [key, value] of Object.entries(map)) {
    if (isMap(value)) yield* dotted(value, `${prefix}${key}.`);
    else yield [`${prefix}${key}`, value];
  }
}

function plainValue(value: WireValue): ParameterValue | undefined {
  if (isScalar(value)) return value;
  if (value instanceof NdArray) {
    const numbers = Array.from(value.numbers());
    return value.shape.length === 0 ? numbers[0] : numbers;
  }
  return Array.isArray(value) && (value as readonly WireValue[]).every(isScalar)
    ? (value as readonly ParameterScalar[])
    : undefined;
}

function isScalar(value: WireValue): value is ParameterScalar {
  return typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean';
}
