import { UsageError } from '../errors';
import { nearestName } from '../words/nearestName';
import type { DefaultContext, Field, FieldTable, FieldValues } from './fields';
import { UNCACHED_POLICY } from './none';
import { rangeText } from './pathCoverage';
import { POLICIES } from './registry';

/** Values that a field may hold. */
export type FieldValue = FieldValues<FieldTable>[string];

/** The default of a field for a model. */
export function defaultOf(field: Field, context: DefaultContext): FieldValue {
  return typeof field.default === 'function' ? field.default(context) : field.default;
}

/** The words that a field may hold; none where it is no choice of words. */
export function wordsOf(field: Field): readonly string[] {
  if (field.type === 'enum') return field.values;
  if (field.type !== 'policy') return [];
  const { offers, except } = field;
  const others = POLICIES.filter(
    (policy) => policy.name !== except && (offers === undefined || policy[offers] !== undefined),
  );
  return [...new Set([UNCACHED_POLICY, ...others.map(({ name }) => name)])];
}

/**
 * Why a value does not fit a field of a model, as one line that says what would fit; undefined if it fits.
 * `name` is how the user knows the field (`refresh_interval`, `cache.refresh_interval`).
 */
export function problemWith(
  name: string,
  field: Field,
  value: unknown,
  context: DefaultContext,
): string | undefined {
  switch (field.type) {
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `${name} ${shown(value)}: expected true or false`;
    case 'enum':
    case 'policy': {
      const words = wordsOf(field);
      return typeof value === 'string' && words.includes(value)
        ? undefined
        : `${name} ${shown(value)}: expected one of ${words.join(', ')}${suggestion(value, words)}`;
    }
    case 'integer':
    case 'number':
      return problemWithNumber(name, field, value);
    case 'range':
      return problemWithRange(name, value, context.schedule.steps);
    case 'steps':
      return problemWithSteps(name, value, context.schedule.steps);
  }
}

/**
 * The settings of a policy: the given values, checked, and the defaults of this model for the rest. `owner` names the
 * policy in messages.
 * @throws UsageError for an unknown name (with the nearest known one) or a value that does not fit
 */
export function resolveSettings<F extends FieldTable>(
  owner: string,
  fields: F,
  given: Readonly<Record<string, unknown>>,
  context: DefaultContext,
): FieldValues<F> {
  for (const name of Object.keys(given)) fieldNamed(owner, fields, name);
  const values: Record<string, FieldValue> = {};
  for (const [name, field] of Object.entries(fields)) {
    const value = given[name] ?? defaultOf(field, context);
    const problem = problemWith(name, field, value, context);
    if (problem !== undefined) throw new UsageError(problem);
    values[name] = Array.isArray(value) ? [...(value as readonly number[])] : (value as FieldValue);
  }
  return values as FieldValues<F>;
}

/**
 * Reads the value of one field as it is written on a command line: `4`, `0:6` or `[0, 6]`, `residual`, `true`. Only the
 * spelling is checked; limits are the model's affair.
 * @throws UsageError if it cannot be read as the field's type
 */
export function parseValue(name: string, field: Field, text: string): FieldValue {
  switch (field.type) {
    case 'boolean': {
      const value = BOOLEANS.get(text.toLowerCase());
      if (value === undefined) throw new UsageError(`${name} "${text}": expected true or false`);
      return value;
    }
    case 'enum':
    case 'policy':
      return text;
    case 'integer':
    case 'number': {
      const value = text === '' ? Number.NaN : Number(text);
      if (Number.isNaN(value)) {
        throw new UsageError(
          `${name} "${text}": expected ${text.includes(',') ? 'one' : 'a'} ${field.type === 'integer' ? 'whole number' : 'number'}${text.includes(',') ? '; lists are for sweep, and for simulate --grid' : ''}`,
        );
      }
      return value;
    }
    case 'range': {
      const match = /^\[?\s*(-?\d+)\s*[:,]\s*(-?\d+)\s*\]?$/.exec(text);
      if (match === null) {
        throw new UsageError(
          `${name} "${text}": expected start:end in whole numbers, both inclusive, for instance 0:6`,
        );
      }
      return [Number(match[1]), Number(match[2])];
    }
    case 'steps': {
      const inner = /^\[(.*)\]$/.exec(text.trim())?.[1] ?? text;
      const parts = inner.split(/[:,]/).map((part) => part.trim());
      if (!parts.every((part) => /^-?\d+$/.test(part))) {
        throw new UsageError(
          `${name} "${text}": expected step numbers with colons between them, for instance 0:8`,
        );
      }
      return parts.map(Number);
    }
  }
}

/** The field of that name. @throws UsageError that lists the known names, the nearest one first */
export function fieldNamed(owner: string, fields: FieldTable, name: string): Field {
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (field !== undefined) return field;
  const known = Object.keys(fields);
  if (known.length === 0)
    throw new UsageError(
      `${owner} has no settings, so "${name}" cannot be set; choose a policy that has it, for instance c3ache`,
    );
  throw new UsageError(
    `${owner} has no setting "${name}"${suggestion(name, known)}; its settings are ${known.join(', ')}`,
  );
}

const BOOLEANS = new Map([
  ['true', true],
  ['false', false],
  ['1', true],
  ['0', false],
  ['yes', true],
  ['no', false],
  ['on', true],
  ['off', false],
]);

function problemWithNumber(
  name: string,
  field: Extract<Field, { type: 'integer' | 'number' }>,
  value: unknown,
): string | undefined {
  const unit = field.unit === undefined ? '' : ` ${field.unit}`;
  const wanted = `a ${field.type === 'integer' ? 'whole number' : 'number'} from ${field.min} to ${field.max}${unit}`;
  const fits =
    typeof value === 'number' &&
    Number.isFinite(value) &&
    (field.type === 'number' || Number.isInteger(value)) &&
    value >= field.min &&
    value <= field.max;
  return fits ? undefined : `${name} ${shown(value)}: expected ${wanted}`;
}

function problemWithRange(name: string, value: unknown, steps: number): string | undefined {
  const [start, end] = (Array.isArray(value) ? value : []) as unknown[];
  if (
    !Array.isArray(value) ||
    value.length !== 2 ||
    !Number.isInteger(start) ||
    !Number.isInteger(end) ||
    typeof start !== 'number' ||
    typeof end !== 'number'
  ) {
    return `${name} ${shown(value)}: expected two whole numbers [start, end], the first and the last step to reuse`;
  }
  const label = `${name} ${rangeText([start, end])}`;
  if (start < 0) return `${label}: start must be at least 0`;
  if (end > steps - 1) return `${label}: end must be at most ${steps - 1}, the sampler takes ${steps} steps`;
  if (start > end) return `${label}: start must be at most end, which is ${end}`;
  return undefined;
}

function problemWithSteps(name: string, value: unknown, steps: number): string | undefined {
  const wanted = 'expected whole step numbers, ascending, from 0 on, for instance [0, 8]';
  if (!Array.isArray(value) || value.length === 0) return `${name} ${shown(value)}: ${wanted}`;
  const indices = value as readonly unknown[];
  if (!indices.every((index, i) => Number.isInteger(index) && Number(index) > Number(indices[i - 1] ?? -1))) {
    return `${name} ${shown(value)}: ${wanted}`;
  }
  const last = Number(indices.at(-1));
  return last > steps - 1
    ? `${name} ${shown(value)}: ${last} must be at most ${steps - 1}, the sampler takes ${steps} steps`
    : undefined;
}

function suggestion(value: unknown, known: readonly string[]): string {
  const near = typeof value === 'string' ? nearestName(value, known) : undefined;
  return near === undefined ? '' : `; did you mean "${near}"?`;
}

function shown(value: unknown): string {
  if (value === undefined) return 'without a value';
  return typeof value === 'number' || typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
}
