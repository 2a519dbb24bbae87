/**
 * The few row-major matrix operations that the caches do outside the graph. Everything is small (tokens x action
 * dimensions, or one pass over the hidden state), so clarity wins over speed; sums are taken in float64.
 */

/** Any array of numbers that these functions read: typed arrays and plain ones. */
export type Numbers = ArrayLike<number>;

/** What a read beyond the end of an array counts as, so that a mistake shows up in every result. */
export const OUTSIDE = Number.NaN;

/**
 * The element at an index that is known to be inside. Loops over hidden states write `values[i] ?? OUTSIDE` instead:
 * an accessor that all loops share sees arrays of every kind, and V8 then reads each element the slow way.
 */
export function at(values: Numbers, index: number): number {
  return values[index] ?? OUTSIDE;
}

/** Sum of all elements, from the first to the last; 0 of none. */
export function sum(values: Numbers): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i] ?? OUTSIDE;
  return total;
}

/** Identity [n, n]. */
export function identity(n: number): Float64Array {
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++) matrix[i * n + i] = 1;
  return matrix;
}

/** Transpose of `matrix` [rows, columns]. */
export function transpose(matrix: Numbers, rows: number, columns: number): Float64Array {
  const result = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) result[j * rows + i] = matrix[i * columns + j] ?? OUTSIDE;
  }
  return result;
}

/** left [rows, inner] x right [inner, columns]. */
export function multiply(
  left: Numbers,
  right: Numbers,
  rows: number,
  inner: number,
  columns: number,
): Float64Array {
  const result = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let m = 0; m < inner; m++) {
      const factor = left[i * inner + m] ?? OUTSIDE;
      for (let j = 0; j < columns; j++) {
        const target = i * columns + j;
        result[target] = (result[target] ?? OUTSIDE) + factor * (right[m * columns + j] ?? OUTSIDE);
      }
    }
  }
  return result;
}

/** left [rows, inner] x right^T, right [columns, inner]: the product of a PyTorch linear layer without its bias. */
export function multiplyTransposed(
  left: Numbers,
  right: Numbers,
  rows: number,
  inner: number,
  columns: number,
): Float64Array {
  const result = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let m = 0; m < inner; m++)
        sum += (left[i * inner + m] ?? OUTSIDE) * (right[j * inner + m] ?? OUTSIDE);
      result[i * columns + j] = sum;
    }
  }
  return result;
}

/** left + factor * right, element by element. */
export function addScaled(left: Numbers, right: Numbers, factor: number): Float64Array {
  const result = new Float64Array(left.length);
  for (let i = 0; i < result.length; i++) result[i] = (left[i] ?? OUTSIDE) + factor * (right[i] ?? OUTSIDE);
  return result;
}

/** Euclidean norm over all elements. */
export function norm(values: Numbers): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] ?? OUTSIDE) ** 2;
  return Math.sqrt(sum);
}

/** |left - right|_2 / |right|_2 over all elements; 0 for two equal zeros, infinite if only the reference is zero. */
export function relativeDistance(left: Numbers, right: Numbers): number {
  let difference = 0;
  let reference = 0;
  for (let i = 0; i < right.length; i++) {
    difference += ((left[i] ?? OUTSIDE) - (right[i] ?? OUTSIDE)) ** 2;
    reference += (right[i] ?? OUTSIDE) ** 2;
  }
  if (difference === 0) return 0;
  return Math.sqrt(difference) / Math.sqrt(reference);
}

/** mean|left - right| / mean|right|, with the same conventions at zero as {@link relativeDistance}. */
export function relativeMeanChange(left: Numbers, right: Numbers): number {
  let difference = 0;
  let reference = 0;
  for (let i = 0; i < right.length; i++) {
    difference += Math.abs((left[i] ?? OUTSIDE) - (right[i] ?? OUTSIDE));
    reference += Math.abs(right[i] ?? OUTSIDE);
  }
  if (difference === 0) return 0;
  return difference / reference;
}

/** Whether every element is a finite number: one sum tells, because NaN and infinity survive it. */
export function allFinite(values: Numbers): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] ?? OUTSIDE) * 0;
  return sum === 0;
}
