import type { BundleManifest } from '../bundle/schema';
import { createSchedule } from '../sampler/schedule';
import type { ModelFacts } from '../settings/Parameter';

/** What parameters are held against, from a bundle's manifest. */
export function modelFacts({ dimensions, sampler, control }: BundleManifest): ModelFacts {
  return {
    shape: {
      steps: sampler.steps,
      horizon: dimensions.horizon,
      actionDim: dimensions.action_dim,
      hidden: dimensions.action_hidden,
      layers: dimensions.layers,
    },
    schedule: createSchedule(sampler.steps, sampler.shift),
    control: { rate: control.rate, replanSteps: control.replan_steps },
  };
}
