import { isAbsolute, relative } from 'node:path';
import { FastWamError } from '../errors';
import { readFloat32 } from '../formats/readTensor';
import { elementCount } from '../formats/StoredTensor';
import type { StoredDType, StoredTensor } from '../formats/StoredTensor';
import type { GraphBuilder } from '../onnx/GraphBuilder';
import { int } from '../onnx/GraphBuilder';
import { DATA_TYPE } from '../onnx/types';
import type { DataType, Value } from '../onnx/types';

/** Types in which weights may be stored. */
export const ONNX_TYPE: Partial<Record<StoredDType, DataType>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
};

/** Types in which a graph can compute. */
export type ComputeType = 'float32' | 'float16' | 'bfloat16';

/**
 * The tensors of a checkpoint as initializers by reference: the graph holds the place of the bytes in the
 * checkpoint's own file, and a Cast (folded when the model loads) where the file's type is not the one computed in.
 */
export class Weights {
  constructor(
    readonly tensors: ReadonlyMap<string, StoredTensor>,
    /** folder that external data is relative to; given to the session */
    readonly folder: string,
    /** element type of activations */
    readonly compute: ComputeType,
    /**
     * Weights that need no conversion are copied while the graph is loaded, so that nothing of their file stays mapped: where
     * somebody cuts it, the next read of a mapping would end the process (SIGBUS).
     */
    readonly detached = false,
  ) {}

  /** Where a tensor lies. */
  stored(name: string): StoredTensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new FastWamError(`the checkpoint has no tensor ${name}`);
    return tensor;
  }

  /** A tensor's values, for what is computed when a graph is made. */
  float32(name: string): Float32Array {
    return readFloat32(this.stored(name));
  }

  /** How external data in `file` is referred to. */
  locationOf(file: string): string {
    const location = relative(this.folder, file);
    if (location.startsWith('..') || isAbsolute(location)) {
      throw new FastWamError(`weights in ${file} lie outside ${this.folder}`);
    }
    return location;
  }

  readonly #used = new WeakMap<GraphBuilder, Map<string, Value>>();

  /** The tensor as a value of the compute type, once in each graph; `shape` overrides the stored one (same number of elements). */
  use(g: GraphBuilder, name: string, shape?: readonly number[]): Value {
    const used = this.#used.get(g) ?? new Map<string, Value>();
    this.#used.set(g, used);
    const key = `${name} ${shape?.join() ?? ''}`;
    const value = used.get(key) ?? this.#refer(g, name, shape);
    used.set(key, value);
    return value;
  }

  #refer(g: GraphBuilder, name: string, shape?: readonly number[]): Value {
    const tensor = this.stored(name);
    const type = ONNX_TYPE[tensor.dtype];
    if (!type)
      throw new FastWamError(`tensor ${name}: expected a floating-point type, found ${tensor.dtype}`);
    const wanted = shape ?? tensor.shape;
    // What onnxruntime computes of constants is memory of its own.
    const copies = this.detached && type === this.compute;
    const raw = g.external(name, type, copies ? [elementCount(wanted)] : wanted, {
      location: this.locationOf(tensor.file),
      offset: tensor.offset,
      byteLength: tensor.byteLength,
    });
    return copies ? g.op('Reshape', [raw, g.int64(wanted)]) : cast(g, raw, this.compute);
  }
}

/** Converts a value unless it has the type already. */
export function cast(g: GraphBuilder, value: Value, type: DataType): Value {
  if (value.type === type) return value;
  return g.op('Cast', [value], { attributes: { to: int(DATA_TYPE[type]) } }, type);
}
