import { BacCalibration } from '../cache/BacCalibration';
import type { BacBudget } from '../cache/BacCalibration';
import type { BacSchedule } from '../cache/bacSchedule';
import type { FastWamModel } from '../model/FastWamModel';
import { chunkNoise } from '../sampler/noise';
import { Perception } from './Perception';
import type { InferOptions, Observation, PolicySettings } from './types';

/**
 * Learns schedules for `bac` from uncached chunks. What the sub-blocks add at every step (118 MB for the released
 * model) is compared where it was computed; only the comparisons are kept.
 */
export class BacRecorder {
  readonly #calibration: BacCalibration;
  readonly #perception: Perception;

  constructor(private readonly model: FastWamModel) {
    this.#calibration = new BacCalibration(model.shape);
    this.#perception = new Perception(model);
  }

  /**
   * Computes one chunk without a cache and learns from it.
   * @throws InputError for an observation that does not fit
   */
  async learn(
    observation: Observation,
    sampler: Pick<PolicySettings, 'noise' | 'seed'>,
    options: Pick<InferOptions, 'noise'> = {},
  ): Promise<void> {
    const { model } = this;
    const { steps, horizon, actionDim } = model.shape;
    const { binding } = await this.#perception.perceive(this.#perception.check(observation));
    await model.ensureGrain('block');
    const chunk = this.#calibration.chunks;
    const noise = options.noise ?? chunkNoise(sampler.noise, sampler.seed, chunk, horizon * actionDim);
    const all = Array.from({ length: steps }, (_, index) => ({ index }));
    const { parts } = await model.expert(binding).fullSteps(noise, all, { parts: true });
    this.#calibration.add(parts ?? new Float32Array(0));
  }

  /** @throws InputError before the first chunk */
  solve(budget: BacBudget): BacSchedule {
    return this.#calibration.solve(budget);
  }
}
