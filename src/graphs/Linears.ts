import { readFloat32 } from '../formats/readTensor';
import type { GraphBuilder } from '../onnx/GraphBuilder';
import { int } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import type { ScratchWeights } from './ScratchWeights';
import type { Weights } from './Weights';

/** Emits y = x W^T + b for a named Linear of the checkpoint; x [S, in] -> [S, out]. */
export interface Linears {
  apply(g: GraphBuilder, x: Value, name: string): Value;
}

/** Linear layers in the compute type, weights by reference. */
export class FloatLinears implements Linears {
  constructor(private readonly weights: Weights) {}

  apply(g: GraphBuilder, x: Value, name: string): Value {
    const weight = this.weights.use(g, `${name}.weight`);
    const bias = this.weights.use(g, `${name}.bias`);
    return g.op('Gemm', [x, weight, bias], { attributes: { transB: int(1) }, name });
  }
}

/** Largest magnitude of symmetric int8. */
const INT8_MAX = 127;

/**
 * Linear layers with int8 weights, one scale for each output, and activations quantised as they come (CPU).
 * The weights are quantised when the graph is made; the checkpoint stays as it is.
 */
export class Int8Linears implements Linears {
  constructor(
    private readonly weights: Weights,
    private readonly scratch: ScratchWeights,
  ) {}

  apply(g: GraphBuilder, x: Value, name: string): Value {
    const stored = this.weights.stored(`${name}.weight`);
    const [outputs = 0, inputs = 0] = stored.shape;
    const { values, scales } = quantiseColumns(readFloat32(stored), outputs, inputs);
    const weight = g.external(`${name}.int8`, 'int8', [inputs, outputs], {
      location: this.weights.locationOf(this.scratch.path),
      ...this.scratch.add(values),
    });
    const scale = g.initializer(`${name}.scale`, 'float32', [outputs], scales);
    const bias = this.weights.use(g, `${name}.bias`);
    return g.op('DynamicQuantizeMatMul', [x, weight, scale, undefined, bias], {
      domain: 'com.microsoft',
      name,
    });
  }
}

/**
 * Symmetric int8 with one scale for each output of weight [outputs, inputs].
 * @returns values [inputs, outputs] (transposed, as MatMul takes them) and scales [outputs]
 */
export function quantiseColumns(
  weight: Float32Array,
  outputs: number,
  inputs: number,
): { values: Int8Array; scales: Float32Array } {
  const values = new Int8Array(weight.length);
  const scales = new Float32Array(outputs);
  for (let o = 0; o < outputs; o++) {
    const row = weight.subarray(o * inputs, (o + 1) * inputs);
    let largest = 0;
    for (const w of row) largest = Math.max(largest, Math.abs(w));
    const scale = largest > 0 ? Math.fround(largest / INT8_MAX) : 1;
    scales[o] = scale;
    for (let i = 0; i < inputs; i++) values[i * outputs + o] = Math.round((row[i] ?? 0) / scale);
  }
  return { values, scales };
}
