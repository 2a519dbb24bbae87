import sharp from 'sharp';
import { InputError, messageOf } from '../errors';
import { quoted } from '../words/quoted';
import { MAX_PIXELS, MAX_SIDE } from './decodeImage';
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

/** A decoder that takes longer works on something else than a camera's picture. */
const MOST_SECONDS = 30;
/** What deflate makes of one byte at most. */
const DEFLATE_RATIO = 1032;

/** Raw encodings that are no colour: depth in millimetres or metres, or samples nobody says the meaning of. */
const SAMPLES = /^\s*(?:\d+[USF]C\d+)\s*(?:;|$)/i;

/**
 * Refuses what is not a picture to see with: the format says what was compressed (`16UC1; png compressed`), and where
 * it does not, one channel of 16 bits is depth.
 */
function refuseDepth(format: string, data: Uint8Array, type: 'jpeg' | 'png' | undefined): void {
  const shown = quoted(format);
  // 8-bit samples are named so by drivers that know no better, and compressed as BGR.
  const [sampleType = ''] = SAMPLES.exec(format) ?? [];
  const isDepth = sampleType !== '' && !/^\s*8U/i.test(sampleType);
  if (/compressedDepth/i.test(format) || isDepth) {
    throw new InputError(`compressed image ${shown} is a depth image; map a colour camera's topic instead`);
  }
  if (type !== 'png' || data.length < 29) return;
  const [bits, colour] = [data[24], data[25]];
  if (bits === 16 && colour === 0 && !/mono16/i.test(format)) {
    throw new InputError(
      `compressed image ${shown} has one channel of 16 bits, which is depth; map a colour camera's topic instead`,
    );
  }
}

/** Refuses a PNG whose header promises more than its bytes can hold, before memory is taken for it. */
function checkPngSize(data: Uint8Array): void {
  if (data.length < 29) throw new InputError('it ends within its header');
  const header = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const [width, height] = [header.getUint32(16), header.getUint32(20)];
  checkSides(width, height);
  const channels = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[data[25] ?? 0] ?? 1;
  const bytes = (width * height * channels * (data[24] ?? 8)) / 8;
  if (bytes > data.length * DEFLATE_RATIO) {
    throw new InputError(`its header says ${width}x${height}, more than ${data.length} bytes can hold`);
  }
}

function checkSides(width: number, height: number): void {
  if (width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS) {
    throw new InputError(
      `it is ${width}x${height}; sides must be at most ${MAX_SIDE}, with at most ${MAX_PIXELS} pixels`,
    );
  }
}

/** Refuses a JPEG that was cut off: it ends with a marker, which is looked for from the end, since drivers pad. */
function checkJpegEnd(data: Uint8Array): void {
  const { buffer, byteOffset, byteLength } = data;
  if (Buffer.from(buffer, byteOffset, byteLength).lastIndexOf(JPEG_END) < 0)
    throw new InputError('it ends within the picture');
}

const JPEG_END = Buffer.from([0xff, 0xd9]);

/**
 * Whether a sensor_msgs/msg/CompressedImage is of a format that is read, and whole, without decoding it; damage inside
 * shows only then.
 * @throws InputError for other formats (depth, video), and pictures that were cut off or say sizes they cannot have
 */
export function checkCompressedImage({ format, data }: CompressedImageMessage): 'jpeg' | 'png' {
  const type = pictureType(data);
  refuseDepth(format, data, type);
  if (type === undefined) {
    throw new InputError(
      `compressed image ${quoted(format)} of ${data.length} bytes is neither JPEG nor PNG, the two formats that can be read`,
    );
  }
  try {
    if (type === 'png') checkPngSize(data);
    else checkJpegEnd(data);
  } catch (error) {
    throw notDecoded(type, data, error);
  }
  return type;
}

function notDecoded(type: string, { length }: Uint8Array, error: unknown): InputError {
  const why = messageOf(error).split('\n')[0] ?? '';
  return new InputError(`a ${type} image of ${length} bytes cannot be decoded: ${why}`, { cause: error });
}

/**
 * A sensor_msgs/msg/CompressedImage (JPEG or PNG) as RGB, uint8 [height, width, 3]. The bytes of a JPEG are those
 * that PIL gives. Where the format says `compressed rgb8`, red and blue are exchanged, as image_transport's own
 * subscriber does: such a publisher handed RGB to an encoder that takes BGR.
 *
 * @throws InputError for other formats (depth, video), damaged or truncated pictures, and more than 2^25 pixels.
 */
export async function decodeCompressedImage(message: CompressedImageMessage): Promise<RgbImage> {
  const type = checkCompressedImage(message);
  const { data } = message;
  try {
    const picture = sharp(data, { limitInputPixels: MAX_PIXELS, failOn: 'warning', ignoreIcc: true });
    const { width, height } = await picture.metadata();
    checkSides(width, height);
    const { data: pixels, info } = await picture
      .timeout({ seconds: MOST_SECONDS })
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const rgb = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
    if (info.channels !== 3) throw new InputError(`it decodes to ${info.channels} channels, expected 3`);
    if (/compressed rgb/.test(message.format)) swapRedAndBlue(rgb);
    return { width: info.width, height: info.height, data: rgb };
  } catch (error) {
    throw notDecoded(type, data, error);
  }
}
