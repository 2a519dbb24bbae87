import type { BundleManifest } from '../../bundle/schema';
import { UsageError, messageOf } from '../../errors';
import { MAPPING_KEYS, checkCameras, mappingOf } from '../../settings/mapping';
import type { TopicMapping } from '../../settings/mapping';
import type { ParameterEntry } from '../../settings/parameterFile';
import type { ParameterValues } from '../../settings/parameterValues';
import { elementNames } from '../../settings/sources';

const FILE = 'parameters';

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
  const entries = new Map<string, ParameterEntry>();
  for (const name of explicit) {
    const value = values.get(name);
    const empty = value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
    if (MAPPING_KEYS.includes(name.split('.')[0] ?? '') && !empty)
      entries.set(name, { name, value, line: 0 });
  }
  let mapping: TopicMapping;
  try {
    mapping = mappingOf({ file: FILE, entries });
    checkCameras(
      mapping,
      cameras.map(({ name }) => name),
    );
  } catch (error) {
    // Parameters have no lines to point at.
    throw new UsageError(messageOf(error).replace(/^parameters(:0)?: /, ''), { cause: error });
  }
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
