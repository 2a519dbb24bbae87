import type { TensorFile } from '../../src/formats/StoredTensor';
import { readBytes } from '../../src/formats/readTensor';
import type { RgbImage } from '../../src/observation/types';

/** An image tensor, uint8 [h, w, 3], of a golden file. */
export function imageOf(file: TensorFile, name: string): RgbImage {
  const tensor = file.tensors.get(name);
  if (tensor?.dtype !== 'U8') throw new Error(`${file.path} has no image ${name}`);
  const [height, width] = tensor.shape as [number, number, number];
  return { width, height, data: readBytes(tensor) };
}
