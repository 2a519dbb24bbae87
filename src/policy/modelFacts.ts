import { noiseSeed, scheduleOf } from '../bundle/Bundle';
import type { Bundle } from '../bundle/Bundle';
import type { ModelFacts } from '../settings/Parameter';
import { BundleResources } from './CalibrationFile';

/** What settings and parameters are held against, from a bundle. What lies beside it is looked up when a policy asks. */
export function modelFacts(bundle: Pick<Bundle, 'folder' | 'manifest'>): ModelFacts {
  const { dimensions, sampler, control } = bundle.manifest;
  return {
    shape: {
      steps: sampler.steps,
      horizon: dimensions.horizon,
      actionDim: dimensions.action_dim,
      hidden: dimensions.action_hidden,
      layers: dimensions.layers,
    },
    schedule: scheduleOf(bundle.manifest),
    control: { rate: control.rate, replanSteps: control.replan_steps },
    seed: noiseSeed(bundle.manifest),
    resources: new BundleResources(bundle),
  };
}
