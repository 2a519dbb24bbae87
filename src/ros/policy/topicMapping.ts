import type { BundleManifest } from '../../bundle/schema';
import { UsageError } from '../../errors';
import { checkCameras, isMappingKey, mappingOf } from '../../settings/mapping';
import type { MappingEntry, TopicMapping } from '../../settings/mapping';
import type { ParameterValues } from '../../settings/parameterValues';
import { elementNames } from '../../settings/sources';

/**
 * Which topics the node's parameters make an observation of, checked against the bundle.
 * @param explicit names of the parameters that have been given a value
 * @throws UsageError naming the parameter and what it should be
 */
export function topicMapping(
  values: ParameterValues,
  explicit: ReadonlySet<string>,
  { cameras, proprio }: Pick<BundleManifest, 'cameras' | 'proprio'>,
): TopicMapping {
  const entries = new Map<string, MappingEntry>();
  for (const name of explicit) {
    const value = values.get(name);
    const empty = value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
    if (isMappingKey(name) && !empty) entries.set(name, { name, value, origin: '' });
  }
  const mapping = mappingOf(entries);
  checkCameras(
    mapping,
    cameras.map(({ name }) => name),
  );
  checkProprio(mapping, proprio.names);
  return mapping;
}

function checkProprio({ proprio }: TopicMapping, names: readonly string[]): void {
  if (names.length > 0 && proprio.length === 0) {
    throw new UsageError(
      `no source of proprioception: the bundle takes ${names.length} numbers (${names.join(', ')}); set proprio.<source>.topic, .type and .joints`,
    );
  }
  const given = proprio.map(elementNames);
  if (given.some((elements) => elements === undefined)) return; // arrays without names: their messages will tell
  const count = given.flat().length;
  if (count !== names.length) {
    throw new UsageError(
      `the sources of proprioception give ${count} numbers (${given.flat().join(', ')}), the bundle takes ${names.length} (${names.join(', ')})`,
    );
  }
}
