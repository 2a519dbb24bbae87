import { InputError } from '../errors';
import { decodeYuv420, decodeYuv422 } from './yuv';
import { IMAGE_ENCODINGS } from '../settings/sources';
import { quoted } from '../words/quoted';
import type { RgbImage } from './types';

/** The fields of sensor_msgs/msg/Image that carry the picture; both ROS clients and bag readers give them so. */
export interface ImageMessage {
  readonly width: number;
  readonly height: number;
  readonly encoding: string;
  /** Byte order of samples wider than a byte. rclnodejs gives a number, bag readers a number or a boolean. */
  readonly is_bigendian: number | boolean;
  /** Bytes from one row to the next; at least the bytes of a row. */
  readonly step: number;
  readonly data: Uint8Array;
}

/** 8192 x 4096, above 8K video: no camera has more, and a picture of so many pixels takes 100 MB. */
export const MAX_PIXELS = 2 ** 25;
/** A picture that is one line of millions of pixels is no camera's. */
export const MAX_SIDE = 2 ** 14;

/** Positions of red, green and blue within a pixel of `channels` samples. */
interface Packed {
  readonly channels: number;
  readonly red: number;
  readonly green: number;
  readonly blue: number;
  readonly bytesPerSample: 1 | 2;
}

const PACKED: ReadonlyMap<string, Packed> = new Map([
  ['rgb8', { channels: 3, red: 0, green: 1, blue: 2, bytesPerSample: 1 }],
  ['bgr8', { channels: 3, red: 2, green: 1, blue: 0, bytesPerSample: 1 }],
  ['rgba8', { channels: 4, red: 0, green: 1, blue: 2, bytesPerSample: 1 }],
  ['bgra8', { channels: 4, red: 2, green: 1, blue: 0, bytesPerSample: 1 }],
  ['mono8', { channels: 1, red: 0, green: 0, blue: 0, bytesPerSample: 1 }],
  ['rgb16', { channels: 3, red: 0, green: 1, blue: 2, bytesPerSample: 2 }],
  ['bgr16', { channels: 3, red: 2, green: 1, blue: 0, bytesPerSample: 2 }],
  ['mono16', { channels: 1, red: 0, green: 0, blue: 0, bytesPerSample: 2 }],
]);

/** Chroma and luma positions within the four bytes of two pixels. */
const YUV_422: ReadonlyMap<string, 'uyvy' | 'yuyv'> = new Map([
  ['yuv422', 'uyvy'],
  ['uyvy', 'uyvy'],
  ['yuv422_yuy2', 'yuyv'],
  ['yuyv', 'yuyv'],
]);

const YUV_420: ReadonlyMap<string, 'nv12' | 'nv21' | 'i420'> = new Map([
  ['nv12', 'nv12'],
  ['nv21', 'nv21'],
  ['i420', 'i420'],
]);

function decodePacked(message: ImageMessage, layout: Packed): RgbImage {
  const { width, height, step, data } = message;
  const out = new Uint8Array(width * height * 3);
  const { red, green, blue, bytesPerSample } = layout;
  if (bytesPerSample === 1 && layout.channels === 3 && red === 0) {
    for (let y = 0; y < height; y++) out.set(data.subarray(y * step, y * step + width * 3), y * width * 3);
    return { width, height, data: out };
  }
  const pixelBytes = layout.channels * bytesPerSample;
  if (bytesPerSample === 1) {
    for (let y = 0, o = 0; y < height; y++) {
      for (let x = 0, i = y * step; x < width; x++, i += pixelBytes, o += 3) {
        out[o] = data[i + red] as number;
        out[o + 1] = data[i + green] as number;
        out[o + 2] = data[i + blue] as number;
      }
    }
    return { width, height, data: out };
  }
  // Full scale to full scale (65535 -> 255), rounded, as cv_bridge converts 16 to 8 bits.
  const high = message.is_bigendian ? 0 : 1;
  const sample = (at: number): number =>
    Math.round((((data[at + high] as number) << 8) | (data[at + 1 - high] as number)) / 257);
  for (let y = 0, o = 0; y < height; y++) {
    for (let x = 0, i = y * step; x < width; x++, i += pixelBytes, o += 3) {
      out[o] = sample(i + red * 2);
      out[o + 1] = sample(i + green * 2);
      out[o + 2] = sample(i + blue * 2);
    }
  }
  return { width, height, data: out };
}

function isCount(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= most;
}

/** Throws unless `rows` rows of `rowBytes`, `step` apart, lie inside the data. The last row may lack its padding. */
function checkSize(message: ImageMessage, rowBytes: number, rows: number): void {
  const { width, height, encoding, step, data } = message;
  const what = `an ${encoding} image of ${width}x${height}`;
  if (!Number.isInteger(step) || step < rowBytes) {
    throw new InputError(`${what} has rows of at least ${rowBytes} bytes, but its step is ${step}`);
  }
  const needed = step * (rows - 1) + rowBytes;
  if (data.length < needed) {
    throw new InputError(
      `${what} with step ${step} needs ${needed} bytes, but the message has ${data.length}`,
    );
  }
}

function whyNot(encoding: string): string {
  const name = encoding.toLowerCase();
  if (name.startsWith('bayer')) return 'a raw Bayer pattern; publish it through image_proc (debayer) first';
  if (/^\d+[usf]c\d+$/.test(name)) {
    return 'a bare sample type, which does not say what the channels mean; if it is colour, say which: cameras.<name>.encoding (rgb8, bgr8, mono8)';
  }
  return `not an encoding that can be read as colour; expected one of ${IMAGE_ENCODINGS.join(', ')}`;
}

/**
 * A sensor_msgs/msg/Image as RGB, uint8 [height, width, 3]. Grey becomes three equal channels, alpha is dropped,
 * 16-bit samples are scaled to 8 bits, YUV is converted as OpenCV does (BT.601, limited range), which is what
 * cv_bridge gives.
 *
 * @throws InputError for an encoding that is not colour, and when width, height, step and data do not agree.
 */
export function decodeImage(message: ImageMessage): RgbImage {
  return decoderOf(message)();
}

/**
 * Whether a sensor_msgs/msg/Image can be decoded, without doing it.
 * @throws InputError as {@link decodeImage}
 */
export function checkImage(message: ImageMessage): void {
  decoderOf(message);
}

/** What decodes the message, once it has been seen to hold what it says. */
function decoderOf(message: ImageMessage): () => RgbImage {
  const { width, height } = message;
  if (!isCount(width, MAX_SIDE) || !isCount(height, MAX_SIDE) || width * height > MAX_PIXELS) {
    throw new InputError(
      `an image of ${width}x${height} cannot be read: sides must be 1 to ${MAX_SIDE}, with at most ${MAX_PIXELS} pixels`,
    );
  }
  const encoding = message.encoding.trim().toLowerCase();

  const packed = PACKED.get(encoding);
  if (packed !== undefined) {
    checkSize(message, width * packed.channels * packed.bytesPerSample, height);
    return () => decodePacked(message, packed);
  }

  const order422 = YUV_422.get(encoding);
  if (order422 !== undefined) {
    if (width % 2 !== 0) throw new InputError(`an ${encoding} image has an even width, not ${width}`);
    checkSize(message, width * 2, height);
    return () => decodeYuv422(message, order422);
  }

  const order420 = YUV_420.get(encoding);
  if (order420 !== undefined) {
    if (width % 2 !== 0 || height % 2 !== 0) {
      throw new InputError(`an ${encoding} image has even sides, not ${width}x${height}`);
    }
    // The half-size chroma planes follow the luma plane; together they fill half as many rows again.
    checkSize(message, width, height + height / 2);
    return () => decodeYuv420(message, order420);
  }

  throw new InputError(`image encoding ${quoted(message.encoding)} is ${whyNot(encoding)}`);
}
