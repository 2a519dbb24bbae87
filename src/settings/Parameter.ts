import { defaultOf, problemWith, wordsOf } from '../cache/fieldValues';
import type { Field } from '../cache/fields';
import type { CacheModel } from '../cache/types';
import { createSchedule } from '../sampler/schedule';
import type { ParameterValue } from './parameterFile';

interface TextBase {
  readonly description: string;
  readonly unit?: string;
  readonly source: string;
}
/** Any text; empty where nothing is said. */
export interface TextField extends TextBase {
  readonly type: 'text';
  readonly default: string;
}
/** A list of names, in an order that matters. */
export interface NamesField extends TextBase {
  readonly type: 'names';
  readonly default: readonly string[];
}
/** What a parameter may hold: the fields of a cache policy, and what only a node needs. */
export type ParameterField = Field | TextField | NamesField;

/** What of a loaded model defaults and limits of parameters depend on. */
export interface ModelFacts extends CacheModel {
  readonly control: { readonly rate: number; readonly replanSteps: number };
  /** of the starting noise */
  readonly seed: number;
}

/**
 * One parameter of a node: the single place where its name, type, default, limits and text are said. Declaration,
 * validation, `ros2 param describe`, the params files and the documentation come from it.
 */
export interface Parameter {
  readonly name: string;
  readonly field: ParameterField;
  /** `live`: at any time, for the next chunk on; `unconfigured`: only before the node is configured. */
  readonly settable: 'live' | 'unconfigured';
  /** The default where it is a fact of the bundle. */
  readonly fromModel?: (model: ModelFacts) => ParameterValue;
  /** The default where it follows from other parameters. */
  readonly fromOthers?: (values: ReadonlyMap<string, ParameterValue>, name: string) => ParameterValue;
}

/** The released Fast-WAM (N 10, shift 5, T 32, d 1024, L 30): defaults before a bundle has said otherwise. */
export const NOMINAL_MODEL: ModelFacts = {
  shape: { steps: 10, horizon: 32, actionDim: 7, hidden: 1024, layers: 30 },
  schedule: createSchedule(10, 5),
  control: { rate: 10, replanSteps: 10 },
  seed: 42,
};

/** Before a model is known, only what no model could fit is refused. */
const UNKNOWN_MODEL: ModelFacts = {
  ...NOMINAL_MODEL,
  schedule: { ...NOMINAL_MODEL.schedule, steps: Number.MAX_SAFE_INTEGER },
};

/** The default of a parameter; before a model is loaded, that of the released one. */
export function defaultValue(
  { field, fromModel }: Parameter,
  model: ModelFacts = NOMINAL_MODEL,
): ParameterValue {
  if (fromModel) return fromModel(model);
  if (field.type === 'text' || field.type === 'names') return field.default;
  return defaultOf(field, model);
}

/** Whether the default is a fact of the model, and so changes when one is loaded. */
export function dependsOnModel({ field, fromModel }: Parameter): boolean {
  return fromModel !== undefined || typeof field.default === 'function';
}

/** Why a value does not fit, as one line that says what would fit; undefined if it fits. */
export function problemWithParameter(
  { name, field }: Parameter,
  value: unknown,
  model: ModelFacts = UNKNOWN_MODEL,
): string | undefined {
  switch (field.type) {
    case 'text':
      return typeof value === 'string' ? undefined : `${name} ${JSON.stringify(value)}: expected a text`;
    case 'names': {
      const fits = Array.isArray(value) && value.every((item) => typeof item === 'string');
      return fits ? undefined : `${name} ${JSON.stringify(value)}: expected a list of names`;
    }
    default:
      return problemWith(name, field, value, model);
  }
}

/** What a value must keep to beyond its type, for people: "0 to 1000000", "one of none, c3ache". Empty if nothing. */
export function constraintText({ field, settable }: Parameter): string {
  const parts: string[] = [];
  if (field.type === 'integer' || field.type === 'number') parts.push(`${field.min} to ${field.max}`);
  if (field.type === 'enum' || field.type === 'policy') parts.push(`one of ${wordsOf(field).join(', ')}`);
  if (field.type === 'range') parts.push('[start, end] with 0 <= start <= end < denoising steps');
  if (field.type === 'steps') parts.push('ascending, each from 0 to below the denoising steps');
  if (settable === 'unconfigured') parts.push('only while the node is unconfigured');
  return parts.join('; ');
}

/** The description with its unit, one line. */
export function descriptionText({ field }: Parameter): string {
  return field.unit === undefined ? field.description : `${field.description} [${field.unit}]`;
}
