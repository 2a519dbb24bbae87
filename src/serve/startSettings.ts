import { readChoices, UNCACHED } from '../cache/choice';
import { parameterName, policyNamed } from '../cache/registry';
import { UsageError } from '../errors';
import type { RunParameters } from '../evaluation/runParameters';
import type { ModelFacts } from '../settings/Parameter';
import { ParameterSet } from '../settings/ParameterSet';
import type { ParameterValue } from '../settings/parameterFile';
import { problemWithTogether, settingsOf } from '../settings/parameterValues';
import type { ParameterValues } from '../settings/parameterValues';
import { POLICY_PARAMETERS } from '../settings/policyParameters';

/** The policy of clients that choose none, where neither a flag nor the params file names one: the node's. */
const DEFAULT_POLICY = 'c3ache';

export interface StartRequest {
  /** what the command line says, in place of the params file */
  readonly policy?: string;
  /** `name=value` */
  readonly texts: readonly string[];
  readonly params?: RunParameters;
}

/**
 * The parameters that clients start from: what the params file sets, and what the command line says over it.
 * @returns what was set, without defaults
 * @throws UsageError, InputError for what does not fit the model
 */
export function startSettings({ policy, texts, params }: StartRequest, model: ModelFacts): ParameterValues {
  const explicit = new Map<string, ParameterValue>(params?.set.explicitValues);
  const ofFile = explicit.get('cache.policy');
  const name = policy ?? (typeof ofFile === 'string' ? ofFile : DEFAULT_POLICY);
  const [choice = UNCACHED] = readChoices({
    policies: [name],
    texts,
    base: (one) => settingsOf(one, explicit),
  });
  const own = [[choice.policy, choice.values] as const, ...Object.entries(choice.companions)];
  explicit.set('cache.policy', choice.policy);
  for (const [of, values] of own) {
    for (const [field, value] of Object.entries(values)) {
      explicit.set(parameterName(policyNamed(of), field), value);
    }
  }
  const set = new ParameterSet(POLICY_PARAMETERS, problemWithTogether);
  set.apply(explicit);
  const problem = set.problemWithModel(model);
  if (problem !== undefined) throw new UsageError(problem);
  return explicit;
}
