import { resolveSettings } from '../cache/fieldValues';
import type { FieldTable, FieldValues } from '../cache/fields';
import { policyNamed } from '../cache/registry';
import type { BacSchedule } from '../cache/bacSchedule';
import type { CachePolicy, CacheResources, ExpertShape, Grain, RefusalContext } from '../cache/types';
import { InputError } from '../errors';
import type { Schedule } from '../sampler/types';
import type { BacScheduleFile } from './BacScheduleFile';
import type { PolicySettings } from './types';

type Values = FieldValues<FieldTable>;
type Companions = Readonly<Record<string, Values>>;

/** A policy with its settings, and those of the policies it may hand steps to, filled in for a model. */
export interface ResolvedPolicy {
  readonly policy: CachePolicy;
  readonly values: Values;
  readonly companions: Companions;
}

/**
 * The policy of a chunk, checked against the model.
 * @throws UsageError for unknown names and values out of range, InputError for settings that do not fit the model
 */
export function resolvePolicy(
  settings: PolicySettings,
  model: { readonly shape: ExpertShape; readonly schedule: Schedule },
  schedules: BacScheduleFile,
): ResolvedPolicy {
  const { shape, schedule } = model;
  const policy = policyNamed(settings.policy);
  const values = resolveSettings(policy.name, policy.fields, settings.values, { shape, schedule });
  const companions = Object.fromEntries(
    Object.entries(settings.companions ?? {}).map(([name, given]) => {
      const { fields } = policyNamed(name);
      return [name, resolveSettings(name, fields, given, { shape, schedule })];
    }),
  );
  const refusal = policy.refuse(values, shape, schedule, new BundleResources(schedules, companions));
  if (refusal !== undefined) throw new InputError(refusal);
  return { policy, values, companions };
}

/** How finely a policy cuts the expert with these settings, which `resolvePolicy` may still refuse. */
export function grainOf({ policy, values }: Pick<PolicySettings, 'policy' | 'values'>): Grain {
  return policyNamed(policy).grain(values as Values);
}

/** What a policy finds beside the model. The file of schedules is opened only by a policy that asks for them. */
export class BundleResources implements RefusalContext, CacheResources {
  constructor(
    private readonly file: BacScheduleFile,
    readonly companions: Companions = {},
  ) {}

  get bacSchedules(): readonly BacSchedule[] {
    return this.file.read();
  }
}
