import type { FullRun, FullStep, GatedRun } from '../cache/types';
import { InputError } from '../errors';
import { LoopExpert, fullRun, noSteps } from './LoopExpert';

/** The action expert of one chunk as a plain Loop over full steps. */
export class StackExpert extends LoopExpert {
  async fullSteps(
    x: Float32Array,
    steps: readonly FullStep[],
    record: { residuals?: boolean; parts?: boolean } = {},
  ): Promise<FullRun> {
    if (record.parts) return this.#needsGates();
    if (steps.length === 0) return noSteps(x);
    const residuals = record.residuals ? (['residuals'] as const) : [];
    return fullRun(await this.run(this.stepFeeds(x, steps), ['x_out', 'xs', 'vs', ...residuals]));
  }

  probe(): Promise<never> {
    return this.#needsGates();
  }

  resume(): Promise<never> {
    return this.#needsGates();
  }

  scheduledSteps(): Promise<never> {
    return this.#needsGates();
  }

  gatedSteps(): Promise<GatedRun> {
    return this.#needsGates();
  }

  #needsGates(): Promise<never> {
    const message = 'this call needs the expert with block gates, and the plain one is loaded';
    return Promise.reject(new InputError(message));
  }
}
