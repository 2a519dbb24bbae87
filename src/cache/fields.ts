import type { ExpertShape } from './ExpertShape';
import type { Schedule } from '../sampler/types';

interface FieldBase {
  /** What it does, for people; the unit belongs here where it is not SI or obvious. */
  readonly description: string;
  readonly unit?: string;
  /** Where the default comes from: paper, table, code, or "this project". */
  readonly source: string;
  /** Whether it means the same in every policy that has it, and so is one parameter, `cache.<name>`. */
  readonly shared?: boolean;
}

/** What a default may depend on. */
export interface DefaultContext {
  readonly shape: ExpertShape;
  readonly schedule: Schedule;
}

type DefaultOf<T> = T | ((context: DefaultContext) => T);

export interface IntegerField extends FieldBase {
  readonly type: 'integer';
  readonly default: DefaultOf<number>;
  readonly min: number;
  readonly max: number;
}
export interface NumberField extends FieldBase {
  readonly type: 'number';
  readonly default: DefaultOf<number>;
  readonly min: number;
  readonly max: number;
}
export interface BooleanField extends FieldBase {
  readonly type: 'boolean';
  readonly default: DefaultOf<boolean>;
}
export interface EnumField<V extends string = string> extends FieldBase {
  readonly type: 'enum';
  readonly values: readonly V[];
  readonly default: DefaultOf<V>;
}
/** Name of another policy to which this one hands work; `none` hands over nothing. */
export interface PolicyField extends FieldBase {
  readonly type: 'policy';
  /** what that policy must offer; without it any policy will do */
  readonly offers?: 'tail';
  /** name of a policy that will not do: the one that has the field */
  readonly except?: string;
  readonly default: string;
}
/** Inclusive denoising step indices [start, end]. */
export interface RangeField extends FieldBase {
  readonly type: 'range';
  readonly default: DefaultOf<readonly [number, number]>;
}

/** Denoising step indices, ascending. */
export interface StepsField extends FieldBase {
  readonly type: 'steps';
  readonly default: DefaultOf<readonly number[]>;
}

export type Field =
  IntegerField | NumberField | BooleanField | EnumField | PolicyField | RangeField | StepsField;
export type FieldTable = Readonly<Record<string, Field>>;

type ValueOf<F extends Field> = F extends IntegerField | NumberField
  ? number
  : F extends BooleanField
    ? boolean
    : F extends EnumField<infer V>
      ? V
      : F extends PolicyField
        ? string
        : F extends StepsField
          ? readonly number[]
          : readonly [number, number];

/** The value type that a table of fields describes. */
export type FieldValues<F extends FieldTable> = { readonly [K in keyof F]: ValueOf<F[K]> };
