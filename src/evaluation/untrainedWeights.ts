import { readFloat32 } from '../formats/readTensor';
import type { TensorFile } from '../formats/StoredTensor';

/** Matrices that training forms strongly: queries and keys of the action expert's first block. */
const MATRICES = ['self_attn.q', 'self_attn.k', 'cross_attn.q', 'cross_attn.k'].map(
  (name) => `mixtures.action.blocks.0.${name}.weight`,
);

/** Independent numbers give 1 ± 0.1 for a matrix of fifty rows, trained weights two to four. */
const TRAINED_EXCESS = 1.5;

/**
 * Whether nobody trained these weights, judged by the weights themselves: a report on random numbers must say so,
 * and checkpoints do not. In a matrix of independent numbers the norms of the rows differ by chance alone, and by how
 * much follows from their number and kurtosis; training makes some rows matter more than others.
 */
export function looksUntrained({ tensors }: Pick<TensorFile, 'tensors'>): boolean {
  const excesses = MATRICES.flatMap((name) => {
    const tensor = tensors.get(name);
    const [rows = 0, columns = 0] = tensor?.shape ?? [];
    return tensor && rows > 1 ? [rowNormExcess(readFloat32(tensor), rows, columns)] : [];
  }).sort((a, b) => a - b);
  const median = excesses[Math.floor(excesses.length / 2)];
  return median !== undefined && median < TRAINED_EXCESS;
}

/**
 * Spread of the row norms of a matrix [rows, columns] over the spread that independent numbers would give,
 * sqrt((κ − 1) / 4n) of the mean norm for n columns and kurtosis κ (delta method on the sum of squares). 0 for a
 * matrix of zeros.
 */
export function rowNormExcess(values: Float32Array, rows: number, columns: number): number {
  let squares = 0;
  let fourths = 0;
  const norms = new Float64Array(rows);
  values.forEach((value, i) => {
    const square = value * value;
    squares += square;
    fourths += square * square;
    const row = Math.floor(i / columns);
    norms[row] = (norms[row] ?? 0) + square;
  });
  if (squares === 0) return 0;
  const kurtosis = (fourths * values.length) / squares ** 2;
  const roots = norms.map(Math.sqrt);
  const mean = roots.reduce((sum, norm) => sum + norm, 0) / rows;
  const variance = roots.reduce((sum, norm) => sum + (norm - mean) ** 2, 0) / rows;
  const byChance = Math.sqrt((kurtosis - 1) / (4 * columns));
  return byChance === 0 ? 0 : Math.sqrt(variance) / mean / byChance;
}
