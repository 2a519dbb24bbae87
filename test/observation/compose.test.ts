import { join } from 'node:path';
import { describe, it, expect } from 'vitest';
import { InputError } from '../../src/errors';
import { openSafetensors } from '../../src/formats/safetensors';
import { composeImage, coverSize, rotate180 } from '../../src/observation/compose';
import type { CameraPlacement, RgbImage } from '../../src/observation/types';
import { imageOf } from './imageOf';

// What the original's own functions give (`_center_crop_resize`, `_resize_rgb`), see the file's metadata.
const golden = openSafetensors(join(__dirname, '..', 'fixtures', 'compose.safetensors'));

const LIBERO: readonly CameraPlacement[] = [
  { name: 'image', x: 0, y: 0, width: 28, height: 28, rotate180: true, fit: 'cover' },
  { name: 'wrist_image', x: 28, y: 0, width: 28, height: 28, rotate180: true, fit: 'cover' },
];

const ROBOTWIN: readonly CameraPlacement[] = [
  { name: 'head', x: 0, y: 0, width: 40, height: 32, rotate180: false, fit: 'stretch' },
  { name: 'left', x: 0, y: 32, width: 20, height: 16, rotate180: false, fit: 'stretch' },
  { name: 'right', x: 20, y: 32, width: 20, height: 16, rotate180: false, fit: 'stretch' },
];

function frames(prefix: string, placements: readonly CameraPlacement[]): Map<string, RgbImage> {
  return new Map(placements.map(({ name }) => [name, imageOf(golden, `${prefix}.${name}`)]));
}

function plain(width: number, height: number, value: number): RgbImage {
  return { width, height, data: new Uint8Array(width * height * 3).fill(value) };
}

describe('the composed image', () => {
  it.each([0, 1, 2])('turns, covers and crops like the original on LIBERO frames (case %i)', (i) => {
    const composed = composeImage(LIBERO, { width: 56, height: 28 }, frames(`libero${i}`, LIBERO));
    expect(composed).toEqual(imageOf(golden, `libero${i}.composed`).data);
  });

  it('stretches and stacks like the original on RoboTwin frames', () => {
    const composed = composeImage(ROBOTWIN, { width: 40, height: 48 }, frames('robotwin', ROBOTWIN));
    expect(composed).toEqual(imageOf(golden, 'robotwin.composed').data);
  });

  it('leaves black what no camera covers', () => {
    const box: CameraPlacement = {
      name: 'a',
      x: 1,
      y: 1,
      width: 1,
      height: 1,
      rotate180: false,
      fit: 'stretch',
    };
    const composed = composeImage([box], { width: 3, height: 2 }, new Map([['a', plain(2, 2, 9)]]));
    // Pixel (1, 1) of a 3x2 image starts at byte (1*3 + 1)*3 = 12.
    expect([...composed]).toEqual([...Array<number>(12).fill(0), 9, 9, 9, 0, 0, 0]);
  });

  it('rounds the covering size as Python does, halves to even', () => {
    // 5x2 into 4x1: scale max(4/5, 1/2) = 0.8 -> 4 x 1.6 -> 4x2. 2x5 into 1x1: 0.5 -> 1 x 2.5 -> 1x2.
    expect(coverSize({ width: 5, height: 2 }, { width: 4, height: 1 })).toEqual({ width: 4, height: 2 });
    expect(coverSize({ width: 2, height: 5 }, { width: 1, height: 1 })).toEqual({ width: 1, height: 2 });
    expect(coverSize({ width: 2, height: 7 }, { width: 1, height: 1 })).toEqual({ width: 1, height: 4 });
  });

  it('turns a frame by 180 degrees, and back again', () => {
    const image: RgbImage = { width: 2, height: 1, data: Uint8Array.from([1, 2, 3, 4, 5, 6]) };
    expect([...rotate180(image).data]).toEqual([4, 5, 6, 1, 2, 3]);
    expect(rotate180(rotate180(image))).toEqual(image);
  });

  it('names the camera that has no frame and the frames there are', () => {
    const given = new Map([['image', plain(4, 4, 0)]]);
    expect(() => composeImage(LIBERO, { width: 56, height: 28 }, given)).toThrow(
      new InputError('camera wrist_image has no frame; frames were given for: image'),
    );
  });

  it('names the camera whose data do not fit its size', () => {
    const given = new Map([
      ['image', plain(4, 4, 0)],
      ['wrist_image', { ...plain(4, 4, 0), width: 5 }],
    ]);
    expect(() => composeImage(LIBERO, { width: 56, height: 28 }, given)).toThrow(
      'camera wrist_image: a frame of 5x4 needs 60 bytes of RGB, got 48',
    );
  });

  it('refuses a box outside the image, an empty one, and a camera placed twice', () => {
    const [first] = LIBERO as [CameraPlacement, CameraPlacement];
    const compose = (placements: CameraPlacement[]) => () =>
      composeImage(placements, { width: 56, height: 28 }, new Map());
    expect(compose([{ ...first, x: 29 }])).toThrow('reaches outside the composed image of 56x28');
    expect(compose([{ ...first, height: 0 }])).toThrow('whole pixels with a size of at least 1x1');
    expect(compose([first, first])).toThrow('camera image is placed twice');
  });
});
