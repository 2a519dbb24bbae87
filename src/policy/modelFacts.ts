import type { Bundle } from '../bundle/Bundle';
import { createSchedule } from '../sampler/schedule';
import type { ModelFacts } from '../settings/Parameter';
import { BacScheduleFile } from './BacScheduleFile';
import { BundleResources } from './resolvePolicy';

/** What parameters are held against, from a bundle. The schedules beside it are looked up when a policy asks. */
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
    schedule: createSchedule(sampler.steps, sampler.shift),
    control: { rate: control.rate, replanSteps: control.replan_steps },
    resources: new BundleResources(new BacScheduleFile(bundle)),
  };
}
