import { createHash } from 'node:crypto';
import type { TaskContext } from '../bundle/Bundle';
import { InputError, PictureRefused, messageOf } from '../errors';
import type { ChunkBinding, FastWamModel } from '../model/FastWamModel';
import { composeImage } from '../observation/compose';
import { decodeFrame } from '../observation/RawFrame';
import type { RawFrame } from '../observation/RawFrame';
import { stackCameras, unitImage, vaeInput } from '../observation/stackCameras';
import type { RgbImage } from '../observation/types';
import { ProprioTransform } from './actions';
import type { Observation, StageTimes } from './types';

/** An observation whose numbers are known to fit the model; its images are still as they came. */
export interface CheckedObservation {
  readonly observation: Observation;
  readonly context: TaskContext;
  /** normalised, [p] */
  readonly proprio: Float32Array;
}

/** An observation as the model takes it. */
export interface Percept {
  readonly proprio: Float32Array;
  /** [48, h, w] */
  readonly latents: Float32Array;
  readonly binding: ChunkBinding;
  readonly times: Pick<StageTimes, 'decode' | 'vae' | 'prefill'>;
}

/** The way of an observation into the model: decode and compose, VAE, prefill. */
export class Perception {
  readonly #proprio: ProprioTransform;
  #context: { readonly task: string; readonly context: TaskContext } | undefined;

  constructor(private readonly model: FastWamModel) {
    this.#proprio = new ProprioTransform(model.bundle);
  }

  /**
   * @throws InputError for an unknown instruction, or a context or proprioception that does not fit; FileFormatError
   * where the weights were changed under the running model
   */
  check(observation: Observation): CheckedObservation {
    this.model.checkWeights();
    const context = this.#given(observation) ?? this.#contextOf(observation.instruction);
    return { observation, context, proprio: this.#proprio.apply(observation.proprio) };
  }

  /**
   * @param started when work on this observation began, milliseconds of `performance.now()`
   * @param look is shown each camera's picture before anything is made of it, and may throw
   * @throws PictureRefused for a picture that cannot be read, InputError for an image that does not fit
   */
  async perceive(
    { observation, context, proprio }: CheckedObservation,
    started = performance.now(),
    look: (camera: string, picture: RgbImage) => void = () => undefined,
  ): Promise<Percept> {
    const image = await this.#compose(observation, look);
    const decoded = performance.now();
    const latents = await this.model.encode(image);
    const encoded = performance.now();
    const binding = await this.model.prefill(latents, proprio, context);
    const prefilled = performance.now();
    return {
      proprio,
      latents,
      binding,
      times: {
        decode: (decoded - started) / 1000,
        vae: (encoded - decoded) / 1000,
        prefill: (prefilled - encoded) / 1000,
      },
    };
  }

  /** The context that comes with an observation. */
  #given({ context: rows }: Observation): TaskContext | undefined {
    if (rows === undefined) return undefined;
    const { textDim } = this.model.bundle.dimensions;
    if (rows.length === 0 || rows.length % textDim !== 0) {
      throw new InputError(`context: expected rows of ${textDim} values, got ${rows.length} values in all`);
    }
    if (!rows.every(Number.isFinite)) throw new InputError('context: has a value that is not finite');
    const bytes = new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);
    const key = `given:${createHash('sha256').update(bytes).digest('hex')}`;
    return { key, rows, tokens: rows.length / textDim };
  }

  #contextOf(task: string): TaskContext {
    if (this.#context?.task !== task) {
      this.#context = { task, context: this.model.bundle.context(task) };
    }
    return this.#context.context;
  }

  async #compose(
    { image, cameras }: Observation,
    look: (camera: string, picture: RgbImage) => void,
  ): Promise<Uint8Array | Float32Array> {
    const { manifest, dimensions } = this.model.bundle;
    const { width, height } = dimensions;
    if (image) {
      return manifest.image ? vaeInput(unitImage({ width, height, data: image }), manifest.image) : image;
    }
    if (!cameras) throw new InputError('an observation needs a composed image or the frames of its cameras');
    const frames = new Map<string, RgbImage>();
    for (const { name } of manifest.cameras) {
      const frame = cameras.get(name);
      if (!frame) continue;
      const picture = await decodeNamed(name, frame);
      look(name, picture);
      frames.set(name, picture);
    }
    if (!manifest.image) return composeImage(manifest.cameras, dimensions, frames);
    return vaeInput(stackCameras(manifest.cameras, dimensions, frames, manifest.image), manifest.image);
  }
}

/** A frame as RGB; the camera's name goes into the error of one that cannot be read. */
async function decodeNamed(camera: string, frame: RawFrame): Promise<RgbImage> {
  try {
    return await decodeFrame(frame);
  } catch (error) {
    throw new PictureRefused('undecodable', camera, `camera ${camera}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
