import type { TaskContext } from '../bundle/Bundle';
import { InputError, messageOf } from '../errors';
import type { ChunkBinding, FastWamModel } from '../model/FastWamModel';
import { composeImage } from '../observation/compose';
import { decodeFrame } from '../observation/RawFrame';
import type { RawFrame } from '../observation/RawFrame';
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

  /** @throws InputError for an unknown instruction, or proprioception that does not fit */
  check(observation: Observation): CheckedObservation {
    const context = this.#contextOf(observation.instruction);
    return { observation, context, proprio: this.#proprio.apply(observation.proprio) };
  }

  /**
   * @param started when work on this observation began, milliseconds of `performance.now()`
   * @throws InputError for an image that cannot be read or does not fit
   */
  async perceive(
    { observation, context, proprio }: CheckedObservation,
    started = performance.now(),
  ): Promise<Percept> {
    const image = await this.#compose(observation);
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

  #contextOf(task: string): TaskContext {
    if (this.#context?.task !== task) {
      this.#context = { task, context: this.model.bundle.context(task) };
    }
    return this.#context.context;
  }

  async #compose({ image, cameras }: Observation): Promise<Uint8Array> {
    if (image) return image;
    const { manifest, dimensions } = this.model.bundle;
    if (!cameras) throw new InputError('an observation needs a composed image or the frames of its cameras');
    const frames = new Map<string, RgbImage>();
    for (const { name } of manifest.cameras) {
      const frame = cameras.get(name);
      if (frame) frames.set(name, await decodeNamed(name, frame));
    }
    return composeImage(manifest.cameras, dimensions, frames);
  }
}

/** A frame as RGB; the camera's name goes into the error of one that cannot be read. */
async function decodeNamed(camera: string, frame: RawFrame): Promise<RgbImage> {
  try {
    return await decodeFrame(frame);
  } catch (error) {
    throw new InputError(`camera ${camera}: ${messageOf(error)}`, { cause: error });
  }
}
