import sharp from 'sharp';
import { InputError, messageOf } from '../errors';
import { quoted } from '../formats/quoted';
import { MAX_PIXELS } from './decodeImage';
import type { RgbImage } from './types';

/** The fields of sensor_msgs/msg/CompressedImage that carry the picture. */
export interface CompressedImageMessage {
  /** `jpeg`, `png`, or what image_transport writes: `rgb8; jpeg compressed bgr8` */
  readonly format: string;
  readonly data: Uint8Array;
}

// Frames come one after another and never again: libvips' operation cache would only hold memory. One thread for
// each picture leaves the cores to the model.
sharp.cache(false);
sharp.concurrency(1);

function startsWith(data: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, i) => data[i] === byte);
}

/** What the bytes are. The format string of a message only describes; the bytes decide which decoder runs. */
function pictureType(data: Uint8Array): 'jpeg' | 'png' | undefined {
  if (startsWith(data, [0xff, 0xd8, 0xff])) return 'jpeg';
  if (startsWith(data, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return 'png';
  return undefined;
}

function swapRedAndBlue(pixels: Uint8Array): void {
  for (let i = 0; i < pixels.length; i += 3) {
    const red = pixels[i] as number;
    pixels[i] = pixels[i + 2] as number;
    pixels[i + 2] = red;
  }
}

/**
 * Whether a sensor_msgs/msg/CompressedImage is of a format that is read, without decoding it; damage shows only then.
 * @throws InputError for other formats (depth, video)
 */
export function checkCompressedImage({ format, data }: CompressedImageMessage): 'jpeg' | 'png' {
  if (/compressedDepth/i.test(format)) {
    throw new InputError(
      `compressed image ${quoted(format)} is a depth image; map a colour camera's topic instead`,
    );
  }
  const type = pictureType(data);
  if (type === undefined) {
    throw new InputError(
      `compressed image ${quoted(format)} of ${data.length} bytes is neither JPEG nor PNG, the two formats that can be read`,
    );
  }
  return type;
}

/**
 * A sensor_msgs/msg/CompressedImage (JPEG or PNG) as RGB, uint8 [height, width, 3]. The bytes of a JPEG are those
 * that PIL gives. Where the format says `compressed rgb8`, red and blue are exchanged, as image_transport's own
 * subscriber does: such a publisher handed RGB to an encoder that takes BGR.
 *
 * @throws InputError for other formats (depth, video), damaged or truncated pictures, and more than 2^26 pixels.
 */
export async function decodeCompressedImage(message: CompressedImageMessage): Promise<RgbImage> {
  const type = checkCompressedImage(message);
  const { data } = message;
  try {
    const { data: pixels, info } = await sharp(data, {
      limitInputPixels: MAX_PIXELS,
      failOn: 'warning',
      ignoreIcc: true,
    })
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const rgb = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
    if (info.channels !== 3) throw new InputError(`it decodes to ${info.channels} channels, expected 3`);
    if (/compressed rgb/.test(message.format)) swapRedAndBlue(rgb);
    return { width: info.width, height: info.height, data: rgb };
  } catch (error) {
    const why = messageOf(error).split('\n')[0] ?? '';
    throw new InputError(`a ${type} image of ${data.length} bytes cannot be decoded: ${why}`, {
      cause: error,
    });
  }
}
