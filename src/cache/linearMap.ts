import { OUTSIDE } from './matrix';
import type { Numbers } from './matrix';
import type { LinearMap } from './types';

/** y = x W^T + b for `rows` row vectors: x [rows, inputs] -> float32 [rows, outputs], summed in float64. */
export function applyLinear(map: LinearMap, x: Numbers, rows: number): Float32Array {
  const { weight, bias, inputs, outputs } = map;
  const result = new Float32Array(rows * outputs);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < outputs; j++) {
      let sum = bias[j] ?? OUTSIDE;
      for (let m = 0; m < inputs; m++)
        sum += (x[i * inputs + m] ?? OUTSIDE) * (weight[j * inputs + m] ?? OUTSIDE);
      result[i * outputs + j] = sum;
    }
  }
  return result;
}
