/** How images travel on a topic: sensor_msgs/msg/Image or sensor_msgs/msg/CompressedImage. */
export const TRANSPORTS = ['raw', 'compressed'] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** How images travel on a topic of which nothing is said. */
export function transportOf(topic: unknown): Transport {
  return typeof topic === 'string' && topic.endsWith('/compressed') ? 'compressed' : 'raw';
}

/** The encodings of sensor_msgs/msg/Image that can be read. */
export const IMAGE_ENCODINGS = [
  'rgb8',
  'bgr8',
  'rgba8',
  'bgra8',
  'mono8',
  'rgb16',
  'bgr16',
  'mono16',
  'yuv422',
  'uyvy',
  'yuv422_yuy2',
  'yuyv',
  'nv12',
  'nv21',
  'i420',
] as const;

/** Where the frames of one camera of the bundle come from. */
export interface CameraSource {
  /** the camera's name in the bundle */
  readonly name: string;
  readonly topic: string;
  readonly transport: Transport;
  /** what the pixels are, in place of what messages say; for recordings that say only 8UC3 */
  readonly encoding?: string;
  /** where the topic is named: `file:line`; empty where it is a node's parameter */
  readonly origin: string;
}

/** Settings of a camera: `cameras.<camera>.<key>`. */
export const CAMERA_KEYS = ['topic', 'transport', 'encoding'] as const;
export type CameraKey = (typeof CAMERA_KEYS)[number];

/** Settings of a source of numbers: `proprio.<source>.<key>`, `commands.<key>`. */
export const VECTOR_KEYS = ['topic', 'type', 'joints', 'field'] as const;
export type VectorKey = (typeof VECTOR_KEYS)[number];

/**
 * The full name of a message type: `sensor_msgs/Image`, as ROS 1 and many tools write it, is `sensor_msgs/msg/Image`.
 * Types are compared by this name alone.
 */
export function messageType(name: string): string {
  const [pkg, type, ...more] = name.trim().split('/');
  return pkg !== undefined && type !== undefined && more.length === 0 ? `${pkg}/msg/${type}` : name.trim();
}

/** Message types that numbers can be taken from. */
export const VECTOR_TYPES = [
  'sensor_msgs/msg/JointState',
  'geometry_msgs/msg/PoseStamped',
  'std_msgs/msg/Float32MultiArray',
  'std_msgs/msg/Float64MultiArray',
] as const;
export type VectorType = (typeof VECTOR_TYPES)[number];

/** The part of a JointState that is read. */
export const JOINT_FIELDS = ['position', 'velocity', 'effort'] as const;
export type JointField = (typeof JOINT_FIELDS)[number];

/** A topic that a part of the proprioception, or the executed commands of a recording, are read from. */
export interface VectorSource {
  readonly name: string;
  readonly topic: string;
  /** where the topic is named: `file:line`; empty where it is a node's parameter */
  readonly origin: string;
  readonly type: VectorType;
  /** JointState: which joints, in which order. Arrays: names of the elements, if given, and so their number. */
  readonly joints: readonly string[];
  /** JointState only */
  readonly field: JointField;
}

/** x, y, z and the axis-angle vector that a PoseStamped is turned into. */
export const POSE_ELEMENTS: readonly string[] = ['x', 'y', 'z', 'rx', 'ry', 'rz'];

/** Names of the numbers a source gives, in order; undefined for an array whose length only its messages tell. */
export function elementNames(source: VectorSource): readonly string[] | undefined {
  if (source.type === 'geometry_msgs/msg/PoseStamped') return POSE_ELEMENTS.map((e) => `${source.name}.${e}`);
  return source.joints.length > 0 ? source.joints : undefined;
}
