import type { Bundle } from '../bundle/Bundle';
import { BacScheduleFile } from './BacScheduleFile';
import { modelFacts } from './modelFacts';
import { resolvePolicy } from './resolvePolicy';
import type { PolicySettings } from './types';

/**
 * Checks settings against a bundle before anything runs.
 * @returns a sentence for settings that are allowed but unwise
 * @throws UsageError, InputError for settings that do not fit; FileFormatError for a damaged file of schedules
 */
export function settingsWarning(bundle: Bundle, settings: PolicySettings): string | undefined {
  const { shape, schedule } = modelFacts(bundle);
  const { policy, values } = resolvePolicy(settings, { shape, schedule }, new BacScheduleFile(bundle));
  return policy.warn?.(values, shape, schedule);
}
