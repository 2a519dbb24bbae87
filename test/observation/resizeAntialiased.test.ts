import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors';
import { readBytes, readFloat32 } from '../../src/formats/readTensor';
import { openSafetensors } from '../../src/formats/safetensors';
import { resizeAntialiased } from '../../src/observation/resizeAntialiased';
import { stackCameras, unitImage, vaeInput } from '../../src/observation/stackCameras';
import type { RgbImage } from '../../src/observation/types';

const FOLDER = 'test/fixtures/lerobot/image_resize';
const file = openSafetensors(`${FOLDER}/image_resize.safetensors`);
const { cases } = JSON.parse(readFileSync(`${FOLDER}/image_resize.json`, 'utf8')) as {
  cases: { name: string; inputs: Record<string, [number, number, number]>; image_size: [number, number] }[];
};

const planes = (image: Float32Array): Float32Array =>
  image.map((_, i) => image[(i % (image.length / 3)) * 3 + Math.floor((3 * i) / image.length)]!);

describe.each(cases)('pictures as LeRobot stacks them, case $name', ({ name, inputs, image_size }) => {
  const names = Object.keys(inputs).sort();
  const [height, width] = image_size;
  const own = Math.floor(width / names.length);
  const cameras = names.map((camera, i) => ({
    name: camera,
    x: i * own,
    y: 0,
    width: own,
    height,
    rotate180: false,
    fit: 'stretch' as const,
  }));
  const frames = new Map(
    names.map((camera): [string, RgbImage] => {
      const [h, w] = inputs[camera]!;
      return [camera, { width: w, height: h, data: readBytes(file.tensors.get(`${name}.in.${camera}`)!) }];
    }),
  );
  const stacked = stackCameras(cameras, { width, height }, frames, { rounding: 'before' });

  it('are PyTorch’s to the last bit', () => {
    expect(planes(stacked.data)).toEqual(readFloat32(file.tensors.get(`${name}.out`)!));
  });

  it('are rounded as a bfloat16 policy rounds them', () => {
    const expected = file.tensors.get(`${name}.vae_in_bf16`);
    if (!expected) return;
    const input = vaeInput(stacked, { dtype: 'bfloat16', rounding: 'before' });
    expect(planes(input)).toEqual(readFloat32(expected));
  });
});

it('the two orders of mapping and rounding differ for half of the 256 levels, as in PyTorch', () => {
  const levels = Uint8Array.from({ length: 256 * 3 }, (_, i) => Math.floor(i / 3));
  const image = unitImage({ width: 256, height: 1, data: levels });
  const first = (values: Float32Array): number[] => [...values].filter((_, i) => i % 3 === 0);
  const before = first(vaeInput(image, { dtype: 'bfloat16', rounding: 'before' }));
  const after = first(vaeInput(image, { dtype: 'bfloat16', rounding: 'after' }));
  expect(before).toEqual([...readFloat32(file.tensors.get('levels.bf16_x2_minus1')!)]);
  expect(after).toEqual([...readFloat32(file.tensors.get('levels.fp32_x2_minus1_to_bf16')!)]);
  expect(before.filter((value, i) => value !== after[i])).toHaveLength(128);
});

it('an impossible size is refused', () => {
  const image = { width: 1, height: 1, data: new Float32Array(3) };
  expect(() => resizeAntialiased(image, { width: 0, height: 1 })).toThrow(InputError);
});
