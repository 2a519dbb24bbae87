import { nearestName } from '../cache/nearestName';
import { UsageError } from '../errors';
import { quoted } from '../formats/quoted';
import type { TopicMapping } from '../settings/mapping';
import type { CameraSource, VectorSource } from '../settings/sources';
import type { BagReader, BagTopic } from './types';

/** The topics of a mapping as the recording has them. */
export interface ResolvedTopics {
  readonly cameras: readonly { readonly source: CameraSource; readonly topic: string }[];
  readonly proprio: readonly { readonly source: VectorSource; readonly topic: string }[];
  readonly commands: { readonly source: VectorSource; readonly topic: string } | undefined;
  readonly instruction: string | undefined;
}

const IMAGE_TYPES = { raw: 'sensor_msgs/msg/Image', compressed: 'sensor_msgs/msg/CompressedImage' } as const;
const STRING_TYPE = 'std_msgs/msg/String';

/** A relative name belongs to the root namespace: a recording has no node that it could be relative to. */
function findTopic(reader: BagReader, name: string): BagTopic | undefined {
  const absolute = name.startsWith('/') ? name : `/${name.replace(/^~\//, '')}`;
  return (
    reader.topics.find((topic) => topic.name === absolute) ??
    reader.topics.find((topic) => topic.name === name)
  );
}

/**
 * Finds the topics of a mapping in a recording and checks their types.
 * @throws UsageError with the file and line of the mapping, naming what the recording has instead.
 */
export function resolveTopics(reader: BagReader, mapping: TopicMapping): ResolvedTopics {
  const resolve = (key: string, source: CameraSource | VectorSource, type: string): string => {
    const where = `${source.origin}: ${key}.topic`;
    const topic = findTopic(reader, source.topic);
    if (topic === undefined) {
      const names = reader.topics.map(({ name }) => name);
      const near = nearestName(source.topic, names);
      const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
      throw new UsageError(
        `${where}: the recording has no topic ${quoted(source.topic)}${hint}; it has ${names.join(', ') || 'none'}`,
      );
    }
    if (topic.type !== type) {
      const remedy =
        'transport' in source
          ? `set ${key}.transport to ${source.transport === 'raw' ? 'compressed' : 'raw'} if that is the camera`
          : `set ${key}.type`;
      throw new UsageError(
        `${where}: ${quoted(topic.name)} has the type ${quoted(topic.type)}, expected ${type}; ${remedy}`,
      );
    }
    return topic.name;
  };
  const { commands } = mapping;
  const instruction = findTopic(reader, mapping.instructionTopic);
  return {
    cameras: mapping.cameras.map((source) => ({
      source,
      topic: resolve(`cameras.${source.name}`, source, IMAGE_TYPES[source.transport]),
    })),
    proprio: mapping.proprio.map((source) => ({
      source,
      topic: resolve(`proprio.${source.name}`, source, source.type),
    })),
    commands: commands && { source: commands, topic: resolve('commands', commands, commands.type) },
    instruction: instruction?.type === STRING_TYPE ? instruction.name : undefined,
  };
}
