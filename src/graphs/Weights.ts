import { isAbsolute, relative } from 'node:path';
import { FastWamError } from '../errors';
import type { StoredDType, StoredTensor } from '../formats/StoredTensor';
import type { GraphBuilder } from '../onnx/GraphBuilder';
import { int } from '../onnx/GraphBuilder';
import { DATA_TYPE } from '../onnx/types';
import type { DataType, Value } from '../onnx/types';

const ONNX_TYPE: Partial<Record<StoredDType, DataType>> = {
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
  ) {}

  /** Where a tensor lies. */
  stored(name: string): StoredTensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new FastWamError(`the checkpoint has no tensor ${name}`);
    return tensor;
  }

  /** How external data in `file` is referred to. */
  locationOf(file: string): string {
    const location = relative(this.folder, file);
    if (location.startsWith('..') || isAbsolute(location)) {
      throw new FastWamError(`weights in ${file} lie outside ${this.folder}`);
    }
    return location;
  }

  /** The tensor as a value of the compute type; `shape` overrides the stored one (same number of elements). */
  use(g: GraphBuilder, name: string, shape?: readonly number[]): Value {
    const tensor = this.stored(name);
    const type = ONNX_TYPE[tensor.dtype];
    if (!type)
      throw new FastWamError(`tensor ${name}: expected a floating-point type, found ${tensor.dtype}`);
    const raw = g.external(name, type, shape ?? tensor.shape, {
      location: this.locationOf(tensor.file),
      offset: tensor.offset,
      byteLength: tensor.byteLength,
    });
    return cast(g, raw, this.compute);
  }
}

/** Converts a value unless it has the type already. */
export function cast(g: GraphBuilder, value: Value, type: DataType): Value {
  if (value.type === type) return value;
  return g.op('Cast', [value], { attributes: { to: int(DATA_TYPE[type]) } }, type);
}
