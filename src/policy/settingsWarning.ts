import type { Bundle } from '../bundle/Bundle';
import { resolveSettings } from '../cache/fieldValues';
import { policyNamed } from '../cache/registry';
import type { ExpertShape } from '../cache/types';
import { InputError } from '../errors';
import type { PolicySettings } from './types';

/** The expert's sizes as a bundle states them. */
export function expertShape({ dimensions, schedule }: Bundle): ExpertShape {
  const { horizon, actionDim, actionHidden, layers } = dimensions;
  return { steps: schedule.steps, horizon, actionDim, hidden: actionHidden, layers };
}

/**
 * Checks settings against a bundle before anything runs.
 * @returns a sentence for settings that are allowed but unwise
 * @throws UsageError, InputError for settings that do not fit
 */
export function settingsWarning(bundle: Bundle, settings: PolicySettings): string | undefined {
  const policy = policyNamed(settings.policy);
  const { schedule } = bundle;
  const shape = expertShape(bundle);
  const values = resolveSettings(policy.name, policy.fields, settings.values, { shape, schedule });
  const refusal = policy.refuse(values, shape, schedule);
  if (refusal) throw new InputError(refusal);
  return policy.warn?.(values, shape, schedule);
}
