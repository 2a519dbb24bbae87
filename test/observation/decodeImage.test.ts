import { describe, it, expect } from 'vitest';
import fc from 'fast-check';
import sharp from 'sharp';
import { InputError } from '../../src/errors';
import { decodeCompressedImage } from '../../src/observation/decodeCompressedImage';
import { decodeImage } from '../../src/observation/decodeImage';
import { IMAGE_ENCODINGS } from '../../src/settings/sources';
import type { ImageMessage } from '../../src/observation/decodeImage';

function message(
  encoding: string,
  width: number,
  height: number,
  step: number,
  data: number[],
): ImageMessage {
  return { encoding, width, height, step, is_bigendian: 0, data: Uint8Array.from(data) };
}

function pixels(m: ImageMessage): number[] {
  return [...decodeImage(m).data];
}

describe('reading sensor_msgs/Image', () => {
  it('puts every order of channels into RGB', () => {
    expect(pixels(message('rgb8', 2, 1, 6, [1, 2, 3, 4, 5, 6]))).toEqual([1, 2, 3, 4, 5, 6]);
    expect(pixels(message('bgr8', 2, 1, 6, [3, 2, 1, 6, 5, 4]))).toEqual([1, 2, 3, 4, 5, 6]);
    expect(pixels(message('rgba8', 2, 1, 8, [1, 2, 3, 99, 4, 5, 6, 99]))).toEqual([1, 2, 3, 4, 5, 6]);
    expect(pixels(message('bgra8', 2, 1, 8, [3, 2, 1, 99, 6, 5, 4, 99]))).toEqual([1, 2, 3, 4, 5, 6]);
    expect(pixels(message('mono8', 2, 1, 2, [7, 8]))).toEqual([7, 7, 7, 8, 8, 8]);
  });

  it('skips the padding at the end of rows, which the last row may lack', () => {
    expect(pixels(message('mono8', 2, 2, 4, [1, 2, 99, 99, 3, 4]))).toEqual([
      1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4,
    ]);
    expect(pixels(message('rgb8', 1, 2, 5, [1, 2, 3, 99, 99, 4, 5, 6]))).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('reads 16-bit samples in the stated byte order, full scale to full scale', () => {
    // 0x0101 * k / 257 = k; 0x0180 = 384 -> 384/257 = 1.49 -> 1.
    const little = message('rgb16', 1, 1, 6, [0x05, 0x05, 0xff, 0xff, 0x80, 0x01]);
    expect(pixels(little)).toEqual([5, 255, 1]);
    const big = { ...message('rgb16', 1, 1, 6, [0x05, 0x05, 0xff, 0xff, 0x01, 0x80]), is_bigendian: true };
    expect(pixels(big)).toEqual([5, 255, 1]);
  });

  // Expected values from OpenCV 4's cvtColor (COLOR_YUV2RGB_UYVY, _YUY2, _NV12, _NV21, _I420) on the same bytes.
  it('converts packed YUV like OpenCV', () => {
    const data = [248, 194, 190, 207, 147, 26, 237, 21, 245, 211, 239, 45, 5, 157, 159, 60];
    const uyvy = [
      255, 110, 255, 255, 125, 255, 186, 0, 50, 180, 0, 44, 255, 91, 255, 211, 0, 255, 214, 187, 0, 101, 74,
      0,
    ];
    const yuyv = [
      255, 180, 255, 255, 113, 255, 0, 255, 0, 86, 255, 51, 134, 255, 255, 127, 255, 255, 0, 44, 59, 58, 210,
      225,
    ];
    expect(pixels(message('yuv422', 4, 2, 8, data))).toEqual(uyvy);
    expect(pixels(message('uyvy', 4, 2, 8, data))).toEqual(uyvy);
    expect(pixels(message('yuv422_yuy2', 4, 2, 8, data))).toEqual(yuyv);
    expect(pixels(message('yuyv', 4, 2, 8, data))).toEqual(yuyv);
  });

  it('converts planar YUV like OpenCV', () => {
    const data = [
      54, 236, 109, 46, 199, 82, 32, 205, 36, 7, 134, 222, 57, 146, 8, 149, 14, 15, 22, 10, 144, 208, 24, 24,
    ];
    expect(pixels(message('nv12', 4, 4, 4, data))).toEqual([
      0, 181, 0, 76, 255, 26, 0, 246, 0, 0, 172, 0, 33, 255, 0, 0, 213, 0, 0, 156, 0, 32, 255, 6, 151, 0, 56,
      128, 0, 32, 0, 255, 0, 74, 255, 30, 175, 0, 80, 255, 80, 184, 0, 125, 0, 0, 255, 0,
    ]);
    expect(pixels(message('nv21', 4, 4, 4, data))).toEqual([
      0, 181, 0, 74, 255, 28, 0, 241, 0, 0, 167, 0, 31, 255, 0, 0, 214, 0, 0, 151, 0, 51, 255, 0, 49, 0, 185,
      26, 0, 161, 0, 255, 0, 74, 255, 30, 73, 3, 209, 177, 107, 255, 0, 125, 0, 0, 255, 0,
    ]);
    expect(pixels(message('i420', 4, 4, 4, data))).toEqual([
      70, 76, 0, 255, 255, 26, 236, 87, 0, 163, 14, 0, 239, 245, 0, 102, 108, 0, 146, 0, 0, 255, 199, 0, 0,
      149, 0, 0, 126, 0, 0, 255, 0, 74, 255, 2, 0, 174, 0, 0, 255, 0, 0, 131, 0, 0, 255, 0,
    ]);
  });

  it('says which encoding it cannot read and what to do', () => {
    expect(() => decodeImage(message('bayer_rggb8', 2, 2, 2, [0, 0, 0, 0]))).toThrow(
      /Bayer pattern.*image_proc/,
    );
    expect(() => decodeImage(message('8UC3', 1, 1, 3, [0, 0, 0]))).toThrow(
      /does not say what the channels mean/,
    );
    const control = message('32\u001b[2J', 1, 1, 3, [0, 0, 0]);
    expect(() => decodeImage(control)).toThrow(/^image encoding "32\\u001b\[2J" is .*expected one of rgb8/);
  });

  it('refuses data that are shorter than width, height and step say', () => {
    expect(() => decodeImage(message('rgb8', 2, 2, 6, Array<number>(11).fill(0)))).toThrow(
      new InputError('an rgb8 image of 2x2 with step 6 needs 12 bytes, but the message has 11'),
    );
    expect(() => decodeImage(message('rgb8', 2, 2, 5, Array<number>(12).fill(0)))).toThrow('step is 5');
    expect(() => decodeImage(message('nv12', 3, 2, 4, Array<number>(12).fill(0)))).toThrow('even sides');
  });

  it('answers any header over any data with an image of that size or an InputError', () => {
    const side = fc.oneof(
      fc.integer({ min: -1, max: 9 }),
      fc.constantFrom(2 ** 31, 4294967295, Number.NaN, 0.5),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...IMAGE_ENCODINGS, '', 'x'),
        side,
        side,
        side,
        fc.uint8Array({ maxLength: 256 }),
        (encoding, width, height, step, data) => {
          try {
            const image = decodeImage({ encoding, width, height, step, data, is_bigendian: 0 });
            expect(image.data.length).toBe(width * height * 3);
          } catch (error) {
            expect(error).toBeInstanceOf(InputError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('reading sensor_msgs/CompressedImage', () => {
  const red = { create: { width: 4, height: 2, channels: 3 as const, background: { r: 200, g: 30, b: 10 } } };

  it('reads PNG exactly, alpha dropped', async () => {
    const png = await sharp(red).ensureAlpha().png().toBuffer();
    const image = await decodeCompressedImage({ format: 'png', data: png });
    expect([image.width, image.height, ...image.data.subarray(0, 3)]).toEqual([4, 2, 200, 30, 10]);
    expect(image.data.length).toBe(24);
  });

  it('reads JPEG in colour and in grey', async () => {
    const colour = await decodeCompressedImage({
      format: 'rgb8; jpeg compressed bgr8',
      data: await sharp(red).jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).toBuffer(),
    });
    // JPEG of a plain colour at quality 100 is off by rounding only.
    [200, 30, 10].forEach((v, i) => expect(Math.abs(colour.data[i]! - v)).toBeLessThanOrEqual(2));
    const grey = await decodeCompressedImage({
      format: 'mono8; jpeg compressed ',
      data: await sharp(red).greyscale().jpeg().toBuffer(),
    });
    expect(grey.data.length).toBe(24);
    expect(grey.data[0]).toBe(grey.data[1]);
  });

  it('exchanges red and blue where the publisher did', async () => {
    const png = await sharp(red).png().toBuffer();
    const image = await decodeCompressedImage({ format: 'rgb8; png compressed rgb8', data: png });
    expect([...image.data.subarray(0, 3)]).toEqual([10, 30, 200]);
  });

  it('refuses depth images, other formats and damaged pictures', async () => {
    const png = await sharp(red).png().toBuffer();
    const depth = decodeCompressedImage({ format: '16UC1; compressedDepth png', data: png });
    await expect(depth).rejects.toThrow('is a depth image; map a colour camera');
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    await expect(decodeCompressedImage({ format: 'jpeg', data: svg })).rejects.toThrow(
      'neither JPEG nor PNG',
    );
    await expect(decodeCompressedImage({ format: 'png', data: png.subarray(0, 60) })).rejects.toThrow(
      InputError,
    );
  });

  it('refuses a small file that would unpack to an enormous picture', async () => {
    const png = await sharp({ create: { width: 9000, height: 9000, channels: 3, background: 'black' } })
      .png()
      .toBuffer();
    await expect(decodeCompressedImage({ format: 'png', data: png })).rejects.toThrow(
      /sides must be at most 16384, with at most 33554432 pixels/,
    );
  });
});
