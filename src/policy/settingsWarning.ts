import type { Bundle } from '../bundle/Bundle';
import type { ExpertShape } from '../cache/types';
import { BacScheduleFile } from './BacScheduleFile';
import { resolvePolicy } from './resolvePolicy';
import type { PolicySettings } from './types';

/** The expert's sizes as a bundle states them. */
export function expertShape({ dimensions, schedule }: Bundle): ExpertShape {
  const { horizon, actionDim, actionHidden, layers } = dimensions;
  return { steps: schedule.steps, horizon, actionDim, hidden: actionHidden, layers };
}

/**
 * Checks settings against a bundle before anything runs.
 * @returns a sentence for settings that are allowed but unwise
 * @throws UsageError, InputError for settings that do not fit; FileFormatError for a damaged file of schedules
 */
export function settingsWarning(bundle: Bundle, settings: PolicySettings): string | undefined {
  const shape = expertShape(bundle);
  const { schedule } = bundle;
  const { policy, values } = resolvePolicy(settings, { shape, schedule }, new BacScheduleFile(bundle));
  return policy.warn?.(values, shape, schedule);
}
