import { InputError } from '../errors';
import type { CameraSource } from '../settings/sources';
import { checkCompressedImage, decodeCompressedImage } from './decodeCompressedImage';
import type { CompressedImageMessage } from './decodeCompressedImage';
import { checkImage, decodeImage } from './decodeImage';
import type { ImageMessage } from './decodeImage';
import type { RgbImage } from './types';

/** A camera message whose picture is still encoded. */
export type RawFrame =
  ({ readonly kind: 'raw' } & ImageMessage) | ({ readonly kind: 'compressed' } & CompressedImageMessage);

/**
 * The frame in a message of a ROS client or a bag. Every field is looked at before it is trusted: a recording defines
 * its types itself. What the source states of the encoding goes before what messages say.
 *
 * @throws InputError where the message is not the type that the transport stands for.
 */
export function rawFrame(
  { transport, encoding: stated }: Pick<CameraSource, 'transport' | 'encoding'>,
  message: unknown,
): RawFrame {
  const fields = (typeof message === 'object' && message !== null ? message : {}) as Readonly<
    Record<string, unknown>
  >;
  const { width, height, step, encoding, is_bigendian: bigEndian, format, data } = fields;
  if (transport === 'compressed') {
    if (typeof format === 'string' && data instanceof Uint8Array) return { kind: 'compressed', format, data };
    throw new InputError('a message is not a sensor_msgs/msg/CompressedImage; is the transport right?');
  }
  if (
    typeof width === 'number' &&
    typeof height === 'number' &&
    typeof step === 'number' &&
    typeof encoding === 'string' &&
    (typeof bigEndian === 'number' || typeof bigEndian === 'boolean') &&
    data instanceof Uint8Array
  ) {
    return { kind: 'raw', width, height, step, encoding: stated ?? encoding, is_bigendian: bigEndian, data };
  }
  throw new InputError('a message is not a sensor_msgs/msg/Image; is the transport right?');
}

/**
 * Whether a frame is of a kind that can be decoded, without doing it: one that is not shall not take the place of one
 * that is.
 * @throws InputError where it cannot; damage inside a picture shows only when it is decoded
 */
export function checkFrame(frame: RawFrame): void {
  if (frame.kind === 'raw') checkImage(frame);
  else checkCompressedImage(frame);
}

/**
 * The picture of a frame, RGB uint8 [height, width, 3].
 * @throws InputError where it cannot be read.
 */
export async function decodeFrame(frame: RawFrame): Promise<RgbImage> {
  return frame.kind === 'raw' ? decodeImage(frame) : decodeCompressedImage(frame);
}

/** The frame with bytes of its own, apart from the buffer that it was read into. */
export function detached(frame: RawFrame): RawFrame {
  return { ...frame, data: frame.data.slice() };
}
