import type { ParameterField } from '../../settings/Parameter';
import type { ParameterScalar, ParameterValue } from '../../settings/parameterFile';
import { PARAMETER_TYPE } from '../client/rclnodejs';
import type { ParameterMessage, Rclnodejs, RosParameter } from '../client/rclnodejs';

/** The ROS type of a field. */
export function rosType(field: ParameterField): number {
  switch (field.type) {
    case 'text':
    case 'enum':
    case 'policy':
      return PARAMETER_TYPE.string;
    case 'names':
      return PARAMETER_TYPE.stringArray;
    case 'integer':
      return PARAMETER_TYPE.integer;
    case 'number':
      return PARAMETER_TYPE.double;
    case 'boolean':
      return PARAMETER_TYPE.bool;
    case 'range':
    case 'steps':
      return PARAMETER_TYPE.integerArray;
  }
}

/** A value of the table as ROS keeps it. */
export function toRos(
  { Parameter }: Rclnodejs,
  name: string,
  field: ParameterField,
  value: ParameterValue,
): RosParameter {
  const type = rosType(field);
  if (type === PARAMETER_TYPE.integer) return new Parameter(name, type, BigInt(value as number));
  if (type === PARAMETER_TYPE.integerArray) {
    return new Parameter(name, type, (value as readonly number[]).map(BigInt));
  }
  return new Parameter(name, type, Array.isArray(value) ? [...(value as readonly ParameterScalar[])] : value);
}

/** Which field of rcl_interfaces/msg/ParameterValue holds the value of a type. */
const VALUE_FIELD: Readonly<Record<number, string>> = {
  [PARAMETER_TYPE.bool]: 'bool_value',
  [PARAMETER_TYPE.integer]: 'integer_value',
  [PARAMETER_TYPE.double]: 'double_value',
  [PARAMETER_TYPE.string]: 'string_value',
  [PARAMETER_TYPE.byteArray]: 'byte_array_value',
  [PARAMETER_TYPE.boolArray]: 'bool_array_value',
  [PARAMETER_TYPE.integerArray]: 'integer_array_value',
  [PARAMETER_TYPE.doubleArray]: 'double_array_value',
  [PARAMETER_TYPE.stringArray]: 'string_array_value',
};

/** A parameter as a request brings it, whatever it holds. */
export function fromMessage({ name, value }: ParameterMessage): RosParameter {
  const field = VALUE_FIELD[value.type];
  return { name, type: value.type, value: field === undefined ? undefined : value[field] };
}

/**
 * A value from ROS as the table has it: integers as numbers; a whole number where a double is wanted, and the other
 * way round, is taken for what it means, which the command line and YAML leave to chance. Undefined for a parameter
 * that is being deleted. Whether the value fits is not looked at here.
 */
export function fromRos(field: ParameterField, { type, value }: RosParameter): ParameterValue | undefined {
  if (type === PARAMETER_TYPE.notSet || value === null || value === undefined) return undefined;
  const plain = plainValue(value);
  if (field.type === 'names' && typeof plain === 'string') return [plain];
  return plain;
}

function plainList(value: unknown): ParameterValue {
  return Array.from(value as ArrayLike<unknown>, plainScalar);
}

function plainScalar(value: unknown): ParameterScalar {
  return typeof value === 'bigint' ? Number(value) : (value as ParameterScalar);
}

/** Whether two parameters hold the same, of the same type. */
export function sameValue(a: RosParameter, b: RosParameter): boolean {
  return a.type === b.type && JSON.stringify(plainValue(a.value)) === JSON.stringify(plainValue(b.value));
}

function plainValue(value: unknown): ParameterValue {
  return Array.isArray(value) || ArrayBuffer.isView(value) ? plainList(value) : plainScalar(value);
}
