import { fitMapping, isMappingKey, mappingOf } from '../../settings/mapping';
import type { FittedMapping, MappedModel, MappingEntry, TopicMapping } from '../../settings/mapping';
import type { ParameterValues } from '../../settings/parameterValues';

/**
 * Which topics the node's parameters make an observation of, checked against the bundle.
 * @param explicit names of the parameters that have been given a value
 * @throws UsageError naming the parameter and what it should be
 */
export function topicMapping(
  values: ParameterValues,
  explicit: ReadonlySet<string>,
  manifest: MappedModel,
): FittedMapping<TopicMapping> {
  const entries = new Map<string, MappingEntry>();
  for (const name of explicit) {
    const value = values.get(name);
    const empty = value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
    if (isMappingKey(name) && !empty) entries.set(name, { name, value, origin: '' });
  }
  return fitMapping(mappingOf(entries), manifest);
}
