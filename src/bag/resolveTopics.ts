import { UsageError } from '../errors';
import type { TopicMapping } from '../settings/mapping';
import { VECTOR_TYPES } from '../settings/sources';
import type { CameraSource, Transport, VectorSource } from '../settings/sources';
import { didYouMean } from '../words/nearestName';
import { quoted } from '../words/quoted';
import { topicKey } from './MessageDecoder';
import { READABLE_ENCODINGS } from './types';
import type { BagReader, BagTopic } from './types';

/** A topic of the recording; its name may be used with other types too, by other programs. */
export interface ResolvedTopic {
  readonly topic: string;
  /** tells its messages from those of the same name and another type, see {@link topicKey} */
  readonly key: string;
}

/** The topics of a mapping as the recording has them. */
export interface ResolvedTopics {
  readonly cameras: readonly (ResolvedTopic & { readonly source: CameraSource })[];
  readonly proprio: readonly (ResolvedTopic & { readonly source: VectorSource })[];
  readonly commands: (ResolvedTopic & { readonly source: VectorSource }) | undefined;
  readonly instruction: ResolvedTopic | undefined;
  /** what of the recording is not read, one line each */
  readonly warnings: readonly string[];
}

const IMAGE_TYPES: Readonly<Record<Transport, string>> = {
  raw: 'sensor_msgs/msg/Image',
  compressed: 'sensor_msgs/msg/CompressedImage',
};
const STRING_TYPE = 'std_msgs/msg/String';
/** Names that one message lists; a recording may have thousands. */
const MOST_NAMES = 30;

/** A relative name belongs to the root namespace: a recording has no node that it could be relative to. */
function findTopics(reader: BagReader, name: string): readonly BagTopic[] {
  const absolute = name.startsWith('/') ? name : `/${name.replace(/^~\//, '')}`;
  const found = reader.topics.filter((topic) => topic.name === absolute);
  return found.length > 0 ? found : reader.topics.filter((topic) => topic.name === name);
}

function resolved(topic: BagTopic): ResolvedTopic {
  return { topic: topic.name, key: topicKey(topic) };
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES);
  const more = names.length > MOST_NAMES ? [`${names.length - MOST_NAMES} more`] : [];
  return [...shown, ...more].join(', ') || 'none';
}

/** What to set so that a topic of such a type can be read; nothing where no setting helps. */
function remedyFor(key: string, source: CameraSource | VectorSource, types: readonly string[]): string {
  if ('transport' in source) {
    const other = source.transport === 'raw' ? 'compressed' : 'raw';
    return types.includes(IMAGE_TYPES[other])
      ? `; set ${key}.transport to ${other} if that is the camera`
      : '';
  }
  const readable = VECTOR_TYPES.find((type) => types.includes(type));
  return readable === undefined ? '' : `; set ${key}.type to ${readable} if that is the source`;
}

/** Topics of the recording that have the type that is looked for. */
function alternatives(reader: BagReader, type: string): string {
  const names = reader.topics.filter((topic) => topic.type === type).map(({ name }) => name);
  return names.length === 0 ? `; no topic of the recording is a ${type}` : `; ${type} is on ${listed(names)}`;
}

/**
 * Finds the topics of a mapping in a recording and checks their encodings and types.
 * @throws UsageError with the file and line of the mapping, naming what the recording has instead.
 */
export function resolveTopics(reader: BagReader, mapping: TopicMapping): ResolvedTopics {
  const resolve = (key: string, source: CameraSource | VectorSource, type: string): ResolvedTopic => {
    const where = `${source.origin}: ${key}.topic`;
    const topics = findTopics(reader, source.topic);
    const [first] = topics;
    if (first === undefined) {
      const names = [...new Set(reader.topics.map(({ name }) => name))];
      throw new UsageError(
        `${where}: the recording has no topic ${quoted(source.topic)}${didYouMean(source.topic, names)}; it has ${listed(names)}`,
      );
    }
    const readable = topics.filter(({ encoding }) => READABLE_ENCODINGS.includes(encoding));
    if (readable.length === 0) {
      throw new UsageError(
        `${where}: the messages on ${quoted(first.name)} are encoded as ${listed(topics.map(({ encoding }) => encoding))}, only cdr (ROS 2) can be read; convert the recording to ROS 2 first`,
      );
    }
    const found = readable.find((topic) => topic.type === type);
    if (found !== undefined) return resolved(found);
    const types = readable.map((topic) => topic.type);
    const remedy = remedyFor(key, source, types);
    throw new UsageError(
      `${where}: ${quoted(first.name)} has the type ${listed(types)}, expected ${type}${remedy === '' ? alternatives(reader, type) : remedy}`,
    );
  };
  const { commands } = mapping;
  const instructions = findTopics(reader, mapping.instructionTopic);
  const instruction = instructions.find(
    ({ type, encoding }) => type === STRING_TYPE && READABLE_ENCODINGS.includes(encoding),
  );
  const warnings =
    instruction === undefined && instructions.length > 0
      ? [
          `${mapping.instructionTopic}: the task is not read from it: it is ${listed(instructions.map(({ type, encoding }) => `${type} (${encoding})`))}, expected ${STRING_TYPE} (cdr)`,
        ]
      : [];
  return {
    cameras: mapping.cameras.map((source) => ({
      source,
      ...resolve(`cameras.${source.name}`, source, IMAGE_TYPES[source.transport]),
    })),
    proprio: mapping.proprio.map((source) => ({
      source,
      ...resolve(`proprio.${source.name}`, source, source.type),
    })),
    commands: commands && { source: commands, ...resolve('commands', commands, commands.type) },
    instruction: instruction && resolved(instruction),
    warnings,
  };
}
