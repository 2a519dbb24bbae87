import { MessageWriter } from '@foxglove/rosmsg2-serialization';
import { ros2jazzy } from '@foxglove/rosmsg-msgs-common';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FastWamError } from '../../src/errors';
import { decodeMessage } from '../../src/ros/client/decodeMessage';

/** Bytes as another implementation writes them. */
function written(type: keyof typeof ros2jazzy, message: object): Uint8Array {
  const wanted: string[] = [type];
  for (let i = 0; i < wanted.length; i++) {
    const definition = ros2jazzy[wanted[i] as keyof typeof ros2jazzy];
    for (const field of definition.definitions) {
      if (field.isComplex === true && !wanted.includes(field.type)) wanted.push(field.type);
    }
  }
  return new MessageWriter(wanted.map((name) => ros2jazzy[name as keyof typeof ros2jazzy])).writeMessage(
    message,
  );
}

const header = { stamp: { sec: 12, nanosec: 34 }, frame_id: 'camera' };

describe('decoding messages from their bytes', () => {
  it('reads an Image as another implementation wrote it', () => {
    const image = {
      header,
      height: 2,
      width: 3,
      encoding: 'rgb8',
      is_bigendian: 0,
      step: 9,
      data: Uint8Array.from({ length: 18 }, (_, i) => i),
    };
    const { data, ...rest } = decodeMessage.image(written('sensor_msgs/Image', image));
    expect({ ...rest, data: [...data] }).toEqual({ ...image, data: [...image.data] });
  });

  it('reads joint states with names of any length, which moves the alignment of what follows', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.stringMatching(/^[a-z_]{0,12}$/), fc.double()), { maxLength: 8 }),
        (joints) => {
          const state = {
            header: { ...header, frame_id: joints[0]?.[0] ?? '' },
            name: joints.map(([name]) => name),
            position: Float64Array.from(joints, ([, value]) => value),
            velocity: new Float64Array(0),
            effort: Float64Array.of(1.5),
          };
          expect(
            decodeMessage.vector('sensor_msgs/msg/JointState', written('sensor_msgs/JointState', state)),
          ).toEqual(state);
        },
      ),
    );
  });

  it('reads poses, arrays, compressed images and texts', () => {
    const pose = { position: { x: 1, y: 2, z: 3 }, orientation: { x: 0, y: 0, z: 0, w: 1 } };
    expect(
      decodeMessage.vector(
        'geometry_msgs/msg/PoseStamped',
        written('geometry_msgs/PoseStamped', { header, pose }),
      ),
    ).toEqual({ header, pose });
    const array = {
      layout: { dim: [{ label: 'a', size: 2, stride: 2 }], data_offset: 0 },
      data: Float32Array.of(0.5, -1),
    };
    expect(
      decodeMessage.vector('std_msgs/msg/Float32MultiArray', written('std_msgs/Float32MultiArray', array)),
    ).toEqual(array);
    const picture = { header, format: 'jpeg', data: Uint8Array.of(255, 216) };
    const read = decodeMessage.compressedImage(written('sensor_msgs/CompressedImage', picture));
    expect([read.format, ...read.data]).toEqual(['jpeg', 255, 216]);
    expect(decodeMessage.string(written('std_msgs/String', { data: 'wipe it' }))).toBe('wipe it');
    // two bytes for ü: the length counts bytes, and a zero at the end
    expect(decodeMessage.string(Uint8Array.of(0, 1, 0, 0, 4, 0, 0, 0, 0x67, 0xc3, 0xbc, 0))).toBe('gü');
    // the same from a machine of the other byte order
    expect(decodeMessage.string(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 4, 0x67, 0xc3, 0xbc, 0))).toBe('gü');
  });

  it('answers any bytes with a message or a named error, and allocates nothing that they only claim', () => {
    const good = written('sensor_msgs/JointState', {
      header,
      name: ['a', 'b'],
      position: Float64Array.of(1, 2),
      velocity: new Float64Array(0),
      effort: new Float64Array(0),
    });
    const decoders: ((bytes: Uint8Array) => unknown)[] = [
      (bytes) => decodeMessage.image(bytes),
      (bytes) => decodeMessage.compressedImage(bytes),
      (bytes) => decodeMessage.string(bytes),
      (bytes) => decodeMessage.vector('sensor_msgs/msg/JointState', bytes),
      (bytes) => decodeMessage.vector('std_msgs/msg/Float64MultiArray', bytes),
    ];
    const damaged = fc
      .tuple(fc.nat(good.length), fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }))
      .map(([length, edits]) => {
        const bytes = good.slice(0, length);
        for (const [at, value] of edits) if (at < length) bytes[at] = value;
        return bytes;
      });
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 64 }), damaged),
        fc.constantFrom(...decoders),
        (bytes, decode) => {
          try {
            decode(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(FastWamError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
