import type { ParameterField } from '../settings/Parameter';
import type { ParameterScalar, ParameterValue } from '../settings/parameterFile';
import { PARAMETER_TYPE } from './rclnodejs';
import type { Rclnodejs, RosParameter } from './rclnodejs';

/** The ROS type of a field. */
export function rosType(field: ParameterField): number {
  switch (field.type) {
    case 'text':
    case 'enum':
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

/**
 * A value from ROS as the table has it: integers as numbers; a whole number where a double is wanted, and the other
 * way round, is taken for what it means, which the command line and YAML leave to chance. Undefined for a parameter
 * that is being deleted. Whether the value fits is not looked at here.
 */
export function fromRos(field: ParameterField, { type, value }: RosParameter): ParameterValue | undefined {
  if (type === PARAMETER_TYPE.notSet || value === null || value === undefined) return undefined;
  const plain = Array.isArray(value) || ArrayBuffer.isView(value) ? plainList(value) : plainScalar(value);
  if (field.type === 'names' && typeof plain === 'string') return [plain];
  return plain;
}

function plainList(value: unknown): ParameterValue {
  return Array.from(value as ArrayLike<unknown>, plainScalar);
}

function plainScalar(value: unknown): ParameterScalar {
  return typeof value === 'bigint' ? Number(value) : (value as ParameterScalar);
}
