import type { CompressedImageMessage } from '../../observation/decodeCompressedImage';
import type { ImageMessage } from '../../observation/decodeImage';
import type { VectorType } from '../../settings/sources';
import { CdrReader } from './CdrReader';
import type { TimeMessage } from './rclnodejs';

interface Header {
  readonly stamp: TimeMessage;
  readonly frame_id: string;
}

/** sensor_msgs/msg/JointState */
export interface JointStateMessage {
  readonly header: Header;
  readonly name: readonly string[];
  readonly position: Float64Array;
  readonly velocity: Float64Array;
  readonly effort: Float64Array;
}

/**
 * The messages that observations are made of, from their bytes. rclnodejs' own decoding of names and nested fields
 * costs five to ten times as much, and would be paid 200 times a second for joint states.
 */
export const decodeMessage = {
  image(message: Uint8Array): ImageMessage & { readonly header: Header } {
    const cdr = new CdrReader(message);
    return {
      header: header(cdr),
      height: cdr.uint32(),
      width: cdr.uint32(),
      encoding: cdr.string(),
      is_bigendian: cdr.uint8(),
      step: cdr.uint32(),
      data: cdr.bytes(),
    };
  },

  compressedImage(message: Uint8Array): CompressedImageMessage & { readonly header: Header } {
    const cdr = new CdrReader(message);
    return { header: header(cdr), format: cdr.string(), data: cdr.bytes() };
  },

  string(message: Uint8Array): string {
    return new CdrReader(message).string();
  },

  jointState(message: Uint8Array): JointStateMessage {
    return jointState(new CdrReader(message));
  },

  /** A message that numbers are taken from; `header` only where its type has one. */
  vector(type: VectorType, message: Uint8Array): object {
    const cdr = new CdrReader(message);
    switch (type) {
      case 'sensor_msgs/msg/JointState':
        return jointState(cdr);
      case 'geometry_msgs/msg/PoseStamped':
        return {
          header: header(cdr),
          pose: {
            position: { x: cdr.float64(), y: cdr.float64(), z: cdr.float64() },
            orientation: { x: cdr.float64(), y: cdr.float64(), z: cdr.float64(), w: cdr.float64() },
          },
        };
      case 'std_msgs/msg/Float32MultiArray':
        return { layout: layout(cdr), data: cdr.float32Array() };
      case 'std_msgs/msg/Float64MultiArray':
        return { layout: layout(cdr), data: cdr.float64Array() };
    }
  },
} as const;

function jointState(cdr: CdrReader): JointStateMessage {
  return {
    header: header(cdr),
    name: cdr.stringArray(),
    position: cdr.float64Array(),
    velocity: cdr.float64Array(),
    effort: cdr.float64Array(),
  };
}

function header(cdr: CdrReader): Header {
  return { stamp: { sec: cdr.int32(), nanosec: cdr.uint32() }, frame_id: cdr.string() };
}

/** std_msgs/MultiArrayLayout */
function layout(cdr: CdrReader): object {
  return {
    dim: cdr.sequence(12, () => ({ label: cdr.string(), size: cdr.uint32(), stride: cdr.uint32() })),
    data_offset: cdr.uint32(),
  };
}
