import { elementNames } from '../settings/sources';
import type { JointField, VectorSource } from '../settings/sources';
import { someOf, withNearest } from './jointNames';
import type { Refusal } from './Refusal';

/** Numbers of one message in the order its source asks for, or why there are none. */
export type VectorReading =
  | { readonly kind: 'values'; readonly values: Float64Array }
  /** The message is about other joints only: another publisher on the same topic. */
  | { readonly kind: 'unrelated'; readonly refusal: Refusal }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

function isNumberList(value: unknown): value is ArrayLike<number> {
  if (Array.isArray(value)) return value.every((item) => typeof item === 'number');
  return value instanceof Float64Array || value instanceof Float32Array;
}

function malformed(source: VectorSource, problem: string): VectorReading {
  const message = `${source.name}: a message on ${source.topic} ${problem}`;
  return { kind: 'refused', refusal: { kind: 'malformed', source: source.name, message } };
}

/** The joints of a source picked by name from a sensor_msgs/msg/JointState. */
function readJoints(
  source: VectorSource,
  message: Partial<Record<JointField | 'name', unknown>>,
): VectorReading {
  const { name } = message;
  const numbers = message[source.field];
  if (!Array.isArray(name) || !isNumberList(numbers)) {
    return malformed(source, `has no name and ${source.field} lists; is it a JointState?`);
  }
  if (name.length === 0 && numbers.length > 0) {
    return malformed(
      source,
      `has ${numbers.length} values of ${source.field} and no names to tell them apart`,
    );
  }
  const at = source.joints.map((joint) => name.indexOf(joint));
  if (at.every((i) => i < 0)) {
    return { kind: 'unrelated', refusal: missingJoints(source, source.joints, name) };
  }
  // A publisher may leave velocity or effort empty, or shorter than the names: those joints have no value either.
  const missing = source.joints.filter((_, j) => (at[j] ?? -1) < 0 || (at[j] ?? 0) >= numbers.length);
  if (missing.length > 0) {
    return { kind: 'refused', refusal: missingJoints(source, missing, name) };
  }
  return { kind: 'values', values: Float64Array.from(at, (i) => numbers[i] as number) };
}

function missingJoints(source: VectorSource, missing: readonly string[], names: readonly unknown[]): Refusal {
  const { name, topic, field } = source;
  return {
    kind: 'missing_joints',
    source: name,
    // Put into words when somebody asks: such messages may come a thousand times a second.
    get message() {
      const there = names.filter((item): item is string => typeof item === 'string');
      return `${name}: ${topic} has no ${field} for ${missing.map((joint) => withNearest(joint, there)).join(', ')}; it names ${someOf(there)}; check proprio.${name}.joints`;
    },
  };
}

/**
 * The rotation vector (axis times angle, radians) of a unit quaternion, as robosuite and so the original's evaluation
 * compute it (`quat2axisangle`): the angle is 0 … 2 pi and is not folded.
 */
export function axisAngle(x: number, y: number, z: number, w: number): [number, number, number] {
  const cosine = Math.min(Math.max(w, -1), 1);
  const sine = Math.sqrt(1 - cosine * cosine);
  if (sine === 0) return [0, 0, 0];
  const factor = (2 * Math.acos(cosine)) / sine;
  return [x * factor, y * factor, z * factor];
}

/** Position and axis-angle of a geometry_msgs/msg/PoseStamped, [6]. */
function readPose(source: VectorSource, message: { pose?: unknown }): VectorReading {
  const pose = message.pose as
    | {
        position?: Partial<Record<'x' | 'y' | 'z', unknown>>;
        orientation?: Partial<Record<'x' | 'y' | 'z' | 'w', unknown>>;
      }
    | undefined;
  const p = pose?.position;
  const q = pose?.orientation;
  const numbers = [p?.x, p?.y, p?.z, q?.x, q?.y, q?.z, q?.w];
  if (!isNumberList(numbers))
    return malformed(source, 'has no position and orientation; is it a PoseStamped?');
  const [px, py, pz, qx, qy, qz, qw] = numbers as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const norm = Math.hypot(qx, qy, qz, qw);
  // NaN passes here and is refused for what it is when the numbers are looked at.
  if (Math.abs(norm - 1) > 0.01) {
    return malformed(source, `has an orientation of length ${norm.toFixed(3)}, not a unit quaternion`);
  }
  return { kind: 'values', values: Float64Array.of(px, py, pz, ...axisAngle(qx, qy, qz, qw)) };
}

/** All elements of a std_msgs Float32MultiArray or Float64MultiArray after its data offset. */
function readArray(source: VectorSource, message: { data?: unknown; layout?: unknown }): VectorReading {
  const { data } = message;
  if (!isNumberList(data)) return malformed(source, 'has no list of numbers');
  const offset = (message.layout as { data_offset?: unknown } | undefined)?.data_offset;
  const values = Float64Array.from(data).slice(typeof offset === 'number' ? offset : 0);
  const names = elementNames(source);
  if (names !== undefined && values.length !== names.length) {
    return malformed(source, `has ${values.length} numbers, expected ${names.length} (${names.join(', ')})`);
  }
  return { kind: 'values', values };
}

/**
 * The numbers that `source` takes from a decoded message: joints by name, a pose as position and axis-angle, or an
 * array as it is. Never throws; what the message lacks comes back as a refusal.
 */
export function readVector(source: VectorSource, message: unknown): VectorReading {
  if (typeof message !== 'object' || message === null) return malformed(source, 'is empty');
  switch (source.type) {
    case 'sensor_msgs/msg/JointState':
      return readJoints(source, message);
    case 'geometry_msgs/msg/PoseStamped':
      return readPose(source, message);
    case 'std_msgs/msg/Float32MultiArray':
    case 'std_msgs/msg/Float64MultiArray':
      return readArray(source, message);
  }
}
