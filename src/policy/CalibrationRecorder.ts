import type { Settings } from '../cache/choice';
import type { FieldTable } from '../cache/fields';
import { resolveSettings } from '../cache/fieldValues';
import { policyNamed } from '../cache/registry';
import type { CachePolicy, Calibration, Learner } from '../cache/types';
import { UsageError } from '../errors';
import type { FastWamModel } from '../model/FastWamModel';
import { chunkNoise } from '../sampler/noise';
import type { Sampler } from '../sampler/types';
import { Perception } from './Perception';
import type { InferOptions, Observation } from './types';

/**
 * Learns for a policy from uncached chunks. What the sub-blocks add at every step (118 MB for the released model) is
 * compared where it was computed; only what the policy makes of it is kept.
 */
export class CalibrationRecorder {
  readonly #policy: CachePolicy;
  readonly #calibration: Calibration;
  readonly #learner: Learner<FieldTable, unknown>;
  readonly #perception: Perception;
  #chunks = 0;

  /** @throws UsageError for a policy that learns nothing beforehand */
  constructor(
    private readonly model: FastWamModel,
    policy: string,
  ) {
    this.#policy = policyNamed(policy);
    const { calibration } = this.#policy;
    if (!calibration) throw new UsageError(`policy ${policy} learns nothing beforehand`);
    this.#calibration = calibration;
    this.#learner = this.#calibration.begin(model.shape);
    this.#perception = new Perception(model);
  }

  /**
   * Computes one chunk without a cache and learns from it.
   * @throws InputError for an observation that does not fit
   */
  async learn(
    observation: Observation,
    sampler: Sampler,
    options: Pick<InferOptions, 'noise'> = {},
  ): Promise<void> {
    const { model } = this;
    const { steps, horizon, actionDim } = model.shape;
    const { binding } = await this.#perception.perceive(this.#perception.check(observation));
    const parts = this.#calibration.looksAt === 'parts';
    await model.ensureGrain(parts ? 'block' : 'stack');
    // All that is learnt from is one episode.
    const place = { chunk: this.#chunks, episode: 0 };
    const noise = options.noise ?? chunkNoise(sampler, place, horizon * actionDim);
    const all = Array.from({ length: steps }, (_, index) => ({ index }));
    this.#learner.add(
      await model.expert(binding).fullSteps(noise, all, parts ? { parts } : { residuals: true }),
    );
    this.#chunks += 1;
  }

  /**
   * The record for settings of the policy, defaults for the rest.
   * @throws InputError before the first chunk
   */
  solve(values: Settings): unknown {
    const { name, fields } = this.#policy;
    return this.#learner.solve(resolveSettings(name, fields, values, this.model));
  }
}
