import { dirname } from 'node:path';
import { mkdirSync } from 'node:fs';
import type { ModelDimensions } from '../bundle/layout';
import type { Bundle } from '../bundle/Bundle';
import { InputError } from '../errors';
import { readBytes, readFloat32 } from '../formats/readTensor';
import { openSafetensors, writeSafetensors } from '../formats/safetensors';
import type { StoredTensor, TensorFile } from '../formats/StoredTensor';
import type { RawFrame } from '../observation/RawFrame';
import type { ActionChunk, ChunkTrace, Observation } from './types';

/** Tensors that a message names. */
const NAMED = 20;

/** Observations of one episode, read from a safetensors file chunk by chunk. */
export class RecordedInputs {
  readonly chunks: number;
  readonly #file: TensorFile;
  readonly #dims: ModelDimensions;
  readonly #context: Float32Array | undefined;

  /**
   * @param path `images` [chunks, H, W, 3] uint8 composed, or one tensor [chunks, h, w, 3] named after each camera;
   *   `proprio` [chunks, p]; optional `noise` [chunks, T, a] and `context` [length, text dim], in place of a cached one
   * @throws FileFormatError, InputError naming the tensor and the expected shape
   */
  constructor(
    path: string,
    private readonly bundle: Bundle,
  ) {
    this.#file = openSafetensors(path);
    this.#dims = bundle.dimensions;
    const { height, width, proprioDim, horizon, actionDim } = this.#dims;
    const first =
      this.#file.tensors.get('images') ?? this.#camera(bundle.manifest.cameras[0] ?? { name: 'images' });
    this.chunks = first.shape[0] ?? 0;
    if (this.chunks < 1) throw new InputError(`${path}: ${first.name} has no chunks`);
    const images = this.#file.tensors.get('images');
    if (images) this.#expect(images, ['U8'], [height, width, 3]);
    else
      for (const camera of bundle.manifest.cameras) this.#expect(this.#camera(camera), ['U8'], [-1, -1, 3]);
    if (proprioDim > 0) this.#expect(this.#proprio(), ['F32', 'F64'], [proprioDim]);
    const noise = this.#file.tensors.get('noise');
    if (noise) this.#expect(noise, ['F32'], [horizon, actionDim]);
    const context = this.#file.tensors.get('context');
    if (context) this.#context = this.#readContext(context);
  }

  /** What stands for the instruction where the file gives the text's context. */
  get contextName(): string | undefined {
    return this.#context && 'as the given context says';
  }

  #readContext(tensor: StoredTensor): Float32Array {
    const { textDim } = this.#dims;
    const [rows = 0, dim] = tensor.shape;
    if (tensor.shape.length !== 2 || rows < 1 || dim !== textDim) {
      throw new InputError(
        `${this.#file.path}: context is [${tensor.shape.join(', ')}], expected [length, ${textDim}]`,
      );
    }
    return readFloat32(tensor);
  }

  /** The observation of chunk `index`, with the file's context where the bundle does not know the instruction; its stamp is the chunk's place in the bundle's replan period. */
  observation(index: number, instruction: string): Observation {
    const { rate, replan_steps } = this.bundle.manifest.control;
    const proprio = this.#dims.proprioDim > 0 ? this.#floats(this.#proprio(), index) : [];
    const common = {
      proprio,
      instruction,
      stamp: (index * replan_steps) / rate,
      ...(this.#context && !this.bundle.knows(instruction) && { context: this.#context }),
    };
    const images = this.#file.tensors.get('images');
    if (images) return { ...common, image: this.#bytes(images, index) };
    const cameras = new Map<string, RawFrame>();
    for (const camera of this.bundle.manifest.cameras) {
      const tensor = this.#camera(camera);
      const [, height = 0, width = 0] = tensor.shape;
      const data = this.#bytes(tensor, index);
      cameras.set(camera.name, {
        kind: 'raw',
        encoding: 'rgb8',
        width,
        height,
        step: 3 * width,
        is_bigendian: 0,
        data,
      });
    }
    return { ...common, cameras };
  }

  /** The starting noise of chunk `index`, if the file gives it. */
  noise(index: number): Float32Array | undefined {
    const noise = this.#file.tensors.get('noise');
    return noise && this.#floats(noise, index);
  }

  #tensor(name: string): StoredTensor {
    const tensor = this.#file.tensors.get(name);
    if (!tensor) {
      const found = [...this.#file.tensors.keys()].slice(0, NAMED).join(', ') || 'none';
      throw new InputError(`${this.#file.path}: lacks the tensor ${name}; found: ${found}`);
    }
    return tensor;
  }

  /** A camera's frames: under its name, or as LeRobot's datasets call it, before or after renaming. */
  #camera({ name, source }: { readonly name: string; readonly source?: string | undefined }): StoredTensor {
    const names = [name, source].flatMap((n) =>
      n === undefined ? [] : [n, `images.${n}`, `observation.images.${n}`],
    );
    return this.#tensor(this.#first(names) ?? `images.${name}`);
  }

  #proprio(): StoredTensor {
    return this.#tensor(this.#first(['proprio', 'state', 'observation.state']) ?? 'proprio');
  }

  #first(names: readonly string[]): string | undefined {
    return names.find((name) => this.#file.tensors.has(name));
  }

  #expect(tensor: StoredTensor, dtypes: readonly string[], rest: readonly number[]): void {
    const shape = [this.chunks, ...rest];
    const fits =
      tensor.shape.length === shape.length && tensor.shape.every((d, i) => shape[i] === -1 || shape[i] === d);
    if (fits && dtypes.includes(tensor.dtype)) return;
    throw new InputError(
      `${this.#file.path}: ${tensor.name} is ${tensor.dtype} [${tensor.shape.join(', ')}], expected ${dtypes.join(' or ')} [${shape.map((d) => (d < 0 ? '*' : d)).join(', ')}]`,
    );
  }

  #bytes(tensor: StoredTensor, index: number): Uint8Array {
    const size = tensor.byteLength / this.chunks;
    return readBytes(tensor, index * size, size);
  }

  #floats(tensor: StoredTensor, index: number): Float32Array {
    const [, ...shape] = tensor.shape;
    const byteLength = tensor.byteLength / this.chunks;
    return readFloat32({ ...tensor, shape, byteLength, offset: tensor.offset + index * byteLength });
  }
}

/**
 * Writes the chunks of one episode, run with `recordTrace`, as the tensors of `fastwam infer`, float32:
 * `action` [chunks, T, a], `velocity` [chunks, N, T, a], `latents` [chunks, 48, h, w], `refreshed` [chunks] and
 * `computed`, [chunks, N] or [chunks, N, L], of a fixed schedule [N, L, 3].
 */
export function writeChunks(path: string, chunks: readonly ActionChunk[], dims: ModelDimensions): void {
  const [first] = chunks;
  if (!first) throw new InputError('there are no chunks to write');
  const { steps, horizon, actionDim, layers, latentChannels, vaeSpatialFactor } = dims;
  const count = chunks.length;
  const tensor = (name: string, shape: readonly number[], parts: readonly ArrayLike<number>[]) => {
    const data = new Float32Array(parts.reduce((n, p) => n + p.length, 0));
    let at = 0;
    for (const part of parts) {
      data.set(part, at);
      at += part.length;
    }
    return { name, dtype: 'F32' as const, shape, data };
  };
  const computedShape = {
    steps: [count, steps],
    blocks: [count, steps, layers],
    // A fixed schedule is the same for every chunk.
    subblocks: [steps, layers, 3],
  }[first.report.computedShape];
  const computed = first.report.computedShape === 'subblocks' ? [first] : chunks;
  mkdirSync(dirname(path), { recursive: true });
  writeSafetensors(path, [
    tensor(
      'action',
      [count, horizon, actionDim],
      chunks.map((c) => c.actions),
    ),
    tensor(
      'velocity',
      [count, steps, horizon, actionDim],
      chunks.map((c) => traceOf(c).velocity),
    ),
    tensor(
      'latents',
      [count, latentChannels, dims.height / vaeSpatialFactor, dims.width / vaeSpatialFactor],
      chunks.map((c) => traceOf(c).latents),
    ),
    tensor(
      'computed',
      computedShape,
      computed.map((c) => c.report.computed),
    ),
    tensor('refreshed', [count], [chunks.map((c) => (c.report.refreshed ? 1 : 0))]),
  ]);
}

function traceOf({ chunk, trace }: ActionChunk): ChunkTrace {
  if (!trace) throw new InputError(`chunk ${chunk} was run without \`recordTrace\``);
  return trace;
}
