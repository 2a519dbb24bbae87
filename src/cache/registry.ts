import { UsageError } from '../errors';
import { nearestName } from '../words/nearestName';
import { adaptive } from './adaptive';
import { bac } from './bac';
import { c3ache } from './c3ache';
import { fewSteps } from './fewSteps';
import { none } from './none';
import { planReuse } from './planReuse';
import { worldcacheCa } from './worldcacheCa';
import { worldcacheHt } from './worldcacheHt';
import { xCache } from './xCache';
import type { CachePolicy } from './types';

/** Every cache policy, in the order in which they are shown. Adding one is one line here; see docs/adding-a-cache.md. */
export const POLICIES: readonly CachePolicy[] = [
  none,
  fewSteps,
  c3ache,
  xCache,
  worldcacheCa,
  worldcacheHt,
  bac,
  adaptive,
  planReuse,
];

/** The policy of that name. @throws UsageError that lists the known names and the nearest one */
export function policyNamed(name: string): CachePolicy {
  const policy = POLICIES.find((candidate) => candidate.name === name);
  if (policy !== undefined) return policy;
  const known = POLICIES.map((candidate) => candidate.name);
  const near = nearestName(name, known);
  const hint = near === undefined ? '' : `; did you mean "${near}"?`;
  throw new UsageError(`unknown cache policy "${name}"${hint} (known: ${known.join(', ')})`);
}

/**
 * The name of a policy's field as a parameter: `cache.<field>` of a shared one (`cache.refresh_interval`), else
 * `cache.<policy>.<field>`.
 */
export function parameterName(policy: CachePolicy, field: string): string {
  return policy.fields[field]?.shared === true ? `cache.${field}` : `cache.${policy.name}.${field}`;
}
