import { UsageError } from '../errors';
import { didYouMean } from '../words/nearestName';
import { quoted } from '../words/quoted';
import { readParameterFile } from './parameterFile';
import type { ParameterEntry, ParameterValue } from './parameterFile';
import {
  CAMERA_KEYS,
  IMAGE_ENCODINGS,
  JOINT_FIELDS,
  TRANSPORTS,
  VECTOR_KEYS,
  VECTOR_TYPES,
  elementNames,
  messageType,
  transportOf,
} from './sources';
import { isTopicName } from './topicName';
import type { CameraSource, VectorSource } from './sources';

/** One setting with its full, dotted name, and where it stands: `file:line`; empty for a node's parameter. */
export interface MappingEntry {
  readonly name: string;
  readonly value: ParameterValue;
  readonly origin: string;
}

/** Which topics an observation is made of. */
export interface TopicMapping {
  readonly cameras: readonly CameraSource[];
  /** in the order in which their numbers are put together */
  readonly proprio: readonly VectorSource[];
  /** where a recording has the actions that were executed */
  readonly commands?: VectorSource;
  /** bare task text */
  readonly instruction?: string;
  /** std_msgs/msg/String */
  readonly instructionTopic: string;
}

/** What a params file says for one node. */
export interface FileMapping extends TopicMapping {
  readonly file: string;
  /** control steps per second and steps between chunks, where the file sets them; also among `parameters` */
  readonly control: { readonly rate?: number; readonly replanSteps?: number };
  /** everything that is not about topics, for the parameter table */
  readonly parameters: ReadonlyMap<string, ParameterEntry>;
}

/** First words of the settings that say which topics an observation is made of. */
const MAPPING_KEYS: readonly string[] = [
  'cameras',
  'proprio',
  'commands',
  'instruction',
  'instruction_topic',
];

/** Whether a setting says which topics an observation is made of. */
export function isMappingKey(name: string): boolean {
  return MAPPING_KEYS.includes(name.split('.')[0] ?? '');
}

const DEFAULT_INSTRUCTION_TOPIC = 'instruction';

/** Entries of one source by their last word. */
type Group = Map<string, MappingEntry>;

class MappingReader {
  readonly #entries: ReadonlyMap<string, MappingEntry>;
  readonly #origin: string;

  /** @param origin what the entries are from, for what is missing among them */
  constructor(entries: ReadonlyMap<string, MappingEntry>, origin: string) {
    this.#entries = entries;
    this.#origin = origin;
  }

  entry(name: string): MappingEntry | undefined {
    return this.#entries.get(name);
  }

  mustBeGroup(name: string): void {
    const entry = this.#entries.get(name);
    if (entry !== undefined) {
      throw this.wrong(entry, `${quoted(name)} must have settings below it, got ${shown(entry.value)}`);
    }
  }

  /** Entries `<prefix>.<name>.<key>` by name, in the order of the file. */
  groups(prefix: string, keys: readonly string[], own: readonly string[]): Map<string, Group> {
    const groups = new Map<string, Group>();
    for (const entry of this.#entries.values()) {
      if (!entry.name.startsWith(`${prefix}.`)) continue;
      const rest = entry.name.slice(prefix.length + 1);
      if (own.includes(rest)) continue;
      const dot = rest.lastIndexOf('.');
      const key = rest.slice(dot + 1);
      if (dot <= 0)
        throw this.wrong(
          entry,
          `${quoted(entry.name)} is unknown${didYouMean(rest, own)}; expected ${prefix}.<name>.${keys.join('|')}`,
        );
      if (!keys.includes(key)) throw this.#unknownKey(entry, key, keys);
      const name = rest.slice(0, dot);
      const group = groups.get(name) ?? new Map<string, MappingEntry>();
      groups.set(name, group.set(key, entry));
    }
    return groups;
  }

  /** Entries `<prefix>.<key>`. */
  group(prefix: string, keys: readonly string[]): Group {
    const group: Group = new Map();
    for (const entry of this.#entries.values()) {
      if (!entry.name.startsWith(`${prefix}.`)) continue;
      const key = entry.name.slice(prefix.length + 1);
      if (!keys.includes(key)) throw this.#unknownKey(entry, key, keys);
      group.set(key, entry);
    }
    return group;
  }

  camera(name: string, group: Group): CameraSource {
    const { topic, origin } = this.#topic(`cameras.${name}`, group);
    const transport = this.#oneOf(group.get('transport'), TRANSPORTS, transportOf(topic));
    const stated = group.get('encoding');
    if (stated === undefined || stated.value === '') return { name, topic, origin, transport };
    if (transport === 'compressed') {
      throw this.wrong(
        stated,
        `${quoted(stated.name)} is for raw images; compressed ones say themselves what they hold`,
      );
    }
    return { name, topic, origin, transport, encoding: this.#oneOf(stated, IMAGE_ENCODINGS, '') };
  }

  vector(name: string, prefix: string, group: Group): VectorSource {
    const { topic, origin } = this.#topic(prefix, group);
    const type = this.#vectorType(group.get('type'));
    const listed = group.get('joints');
    const joints = listed === undefined ? [] : this.texts(listed);
    const twice = joints.find((joint, i) => joints.indexOf(joint) !== i);
    if (twice !== undefined) throw this.wrong(listed, `${prefix}.joints has ${quoted(twice)} twice`);
    const field = group.get('field');
    if (field !== undefined && type !== 'sensor_msgs/msg/JointState') {
      throw this.wrong(field, `${quoted(field.name)} is for JointState only, this source is a ${type}`);
    }
    return { name, topic, origin, type, joints, field: this.#oneOf(field, JOINT_FIELDS, 'position') };
  }

  text(name: string): string | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    if (typeof entry.value === 'string' && entry.value.trim() !== '') return entry.value;
    throw this.wrong(entry, `${quoted(name)} must be a text, got ${shown(entry.value)}`);
  }

  texts(entry: MappingEntry): readonly string[] {
    const list: readonly unknown[] = Array.isArray(entry.value) ? entry.value : [entry.value];
    const texts = list.filter((item): item is string => typeof item === 'string' && item !== '');
    if (texts.length === list.length) return texts;
    throw this.wrong(entry, `${quoted(entry.name)} must be a list of names, got ${shown(entry.value)}`);
  }

  positive(name: string, whole: boolean): number | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    const { value } = entry;
    if (
      typeof value === 'number' &&
      Number.isFinite(value) &&
      value > 0 &&
      (!whole || Number.isInteger(value))
    ) {
      return value;
    }
    throw this.wrong(
      entry,
      `${quoted(name)} must be a ${whole ? 'whole ' : ''}number above 0, got ${shown(value)}`,
    );
  }

  wrong(entry: MappingEntry | undefined, problem: string): UsageError {
    return problemAt(entry?.origin ?? this.#origin, problem);
  }

  #topic(prefix: string, group: Group): { topic: string; origin: string } {
    const entry = group.get('topic');
    if (entry === undefined) {
      throw this.wrong([...group.values()][0], `${prefix}.topic is missing`);
    }
    const { value } = entry;
    if (typeof value === 'string' && isTopicName(value)) return { topic: value, origin: entry.origin };
    throw this.wrong(entry, `${quoted(entry.name)} is not a topic name: ${shown(value)}`);
  }

  #vectorType(entry: MappingEntry | undefined): VectorSource['type'] {
    if (entry === undefined) return 'sensor_msgs/msg/JointState';
    // The bare name is enough: no two of the types share it.
    const given = typeof entry.value === 'string' ? messageType(entry.value) : entry.value;
    const known = VECTOR_TYPES.find((type) => type === given || type.split('/').pop() === given);
    if (known !== undefined) return known;
    throw this.wrong(
      entry,
      `${quoted(entry.name)} is ${shown(entry.value)}, expected one of ${VECTOR_TYPES.join(', ')}`,
    );
  }

  #oneOf<T extends string>(entry: MappingEntry | undefined, values: readonly T[], fallback: T): T {
    if (entry === undefined) return fallback;
    const found = values.find((value) => value === entry.value);
    if (found !== undefined) return found;
    throw this.wrong(
      entry,
      `${quoted(entry.name)} is ${shown(entry.value)}, expected ${values.join(' or ')}`,
    );
  }

  #unknownKey(entry: MappingEntry, key: string, keys: readonly string[]): UsageError {
    return this.wrong(
      entry,
      `${quoted(entry.name)} is unknown${didYouMean(key, keys)}; known here: ${keys.join(', ')}`,
    );
  }
}

function problemAt(origin: string, problem: string): UsageError {
  return new UsageError(origin === '' ? problem : `${origin}: ${problem}`);
}

function shown(value: ParameterValue): string {
  return quoted(typeof value === 'string' ? value : JSON.stringify(value));
}

function proprioSources(reader: MappingReader): readonly VectorSource[] {
  const groups = reader.groups('proprio', VECTOR_KEYS, ['sources']);
  const sources = new Map(
    [...groups].map(([name, group]) => [name, reader.vector(name, `proprio.${name}`, group)]),
  );
  const listed = reader.entry('proprio.sources');
  if (listed === undefined) {
    if (sources.size > 1) {
      throw reader.wrong(
        undefined,
        `proprio.sources is missing: list ${[...sources.keys()].join(', ')} in the order the policy takes them`,
      );
    }
    return [...sources.values()];
  }
  const order = reader.texts(listed);
  for (const name of sources.keys()) {
    if (!order.includes(name)) {
      throw reader.wrong(
        listed,
        `proprio.sources does not list ${quoted(name)}, which has settings of its own`,
      );
    }
  }
  return order.map((name, i) => {
    const source = sources.get(name);
    if (source === undefined) {
      throw reader.wrong(
        listed,
        `proprio.sources lists ${quoted(name)}${didYouMean(name, sources.keys())}, but proprio.${name}.topic is not set`,
      );
    }
    if (order.indexOf(name) !== i) throw reader.wrong(listed, `proprio.sources lists ${quoted(name)} twice`);
    return source;
  });
}

/**
 * What settings say about topics: `cameras.*`, `proprio.*`, `commands.*`, `instruction`. Others are left alone.
 *
 * @param origin what the settings are from, a file's name; empty for a node's parameters
 * @throws UsageError that begins with where it stands, for unknown or missing keys and values that cannot be meant.
 */
export function mappingOf(entries: ReadonlyMap<string, MappingEntry>, origin = ''): TopicMapping {
  return readTopics(new MappingReader(entries, origin));
}

function readTopics(reader: MappingReader): TopicMapping {
  for (const name of ['cameras', 'proprio', 'commands']) reader.mustBeGroup(name);
  const cameras = [...reader.groups('cameras', CAMERA_KEYS, [])].map(([name, group]) =>
    reader.camera(name, group),
  );
  const proprio = proprioSources(reader);
  const commandGroup = reader.group('commands', VECTOR_KEYS);
  const commands = commandGroup.size > 0 ? reader.vector('commands', 'commands', commandGroup) : undefined;
  const instruction = reader.text('instruction');
  const instructionTopic = reader.text('instruction_topic') ?? DEFAULT_INSTRUCTION_TOPIC;
  return {
    cameras,
    proprio,
    ...(commands && { commands }),
    ...(instruction !== undefined && { instruction }),
    instructionTopic,
  };
}

/**
 * Reads a params file for a node: its topics, see {@link mappingOf}, and the rest of its parameters as they stand, see
 * {@link readParameterFile}.
 */
export function readMapping(path: string, node?: string): FileMapping {
  const { file, entries } = readParameterFile(path, node);
  const located = [...entries].map(([name, entry]) => {
    const { value, line } = entry;
    return [name, { name, value, origin: `${file}:${line}` }] as const;
  });
  const reader = new MappingReader(new Map(located), file);
  const topics = readTopics(reader);
  const rate = reader.positive('control.rate', false);
  const replanSteps = reader.positive('control.replan_steps', true);
  return {
    ...topics,
    file,
    control: { ...(rate !== undefined && { rate }), ...(replanSteps !== undefined && { replanSteps }) },
    parameters: new Map([...entries].filter(([name]) => !isMappingKey(name))),
  };
}

/** What of a bundle a mapping is held against. */
export interface MappedModel {
  readonly cameras: readonly { readonly name: string }[];
  readonly proprio: { readonly names: readonly string[] };
  readonly actions: { readonly items: readonly { readonly name: string }[] };
}

export interface FittedMapping<T extends TopicMapping> {
  /** with the bundle's names where a source of joints names none */
  readonly mapping: T;
  /** what is allowed and hardly meant, one line each */
  readonly warnings: readonly string[];
}

/**
 * Fits a mapping to a bundle: exactly its cameras, and as many numbers as it takes. A source that names none gives the
 * bundle's, in the bundle's order.
 *
 * @throws UsageError naming the camera that is unknown (with the nearest known one) or has no topic, the source whose
 *   joints must be named, or how many numbers the sources give in place of how many
 */
export function fitMapping<T extends TopicMapping & { readonly file?: string }>(
  mapping: T,
  { cameras, proprio: { names }, actions }: MappedModel,
): FittedMapping<T> {
  checkCameras(
    mapping,
    cameras.map(({ name }) => name),
  );
  const proprio = withJoints(mapping, names);
  checkProprio({ ...mapping, proprio }, names);
  const commands =
    mapping.commands?.type === 'sensor_msgs/msg/JointState' && mapping.commands.joints.length === 0
      ? { ...mapping.commands, joints: actions.items.map(({ name }) => name) }
      : mapping.commands;
  return {
    mapping: { ...mapping, proprio, ...(commands && { commands }) },
    warnings: orderWarnings(proprio, names),
  };
}

/** Whether a source leaves its joints to the bundle: of a list too, whose length would else be anything. */
function isUnnamed(source: VectorSource): boolean {
  return elementNames(source) === undefined;
}

/** The sources with what the others leave of the bundle's names to the one that names no joints. */
function withJoints({ proprio, file }: TopicMapping & { readonly file?: string }, names: readonly string[]) {
  const unnamed = proprio.filter(isUnnamed);
  const [first] = unnamed;
  if (first === undefined) return proprio;
  const origin = first.origin === '' ? (file ?? '') : first.origin;
  if (unnamed.length > 1) {
    throw problemAt(
      origin,
      `proprio.${first.name}.joints is missing: name the joints in the order the policy takes them (of several sources, one may leave its joints to the bundle)`,
    );
  }
  const numbersOf = (sources: readonly VectorSource[]): number =>
    sources.reduce((sum, source) => sum + (elementNames(source)?.length ?? 0), 0);
  const before = numbersOf(proprio.slice(0, proprio.indexOf(first)));
  const left = names.length - numbersOf(proprio);
  if (left <= 0) {
    throw problemAt(
      origin,
      `proprio.${first.name} has nothing to give: the other sources give ${numbersOf(proprio)} numbers, the bundle takes ${names.length} (${names.join(', ')})`,
    );
  }
  const joints = names.slice(before, before + left);
  return proprio.map((source) => (source === first ? { ...source, joints } : source));
}

function checkProprio(
  { proprio, file }: TopicMapping & { readonly file?: string },
  names: readonly string[],
): void {
  if (names.length > 0 && proprio.length === 0) {
    throw problemAt(
      file ?? '',
      `no source of proprioception: the bundle takes ${names.length} numbers (${names.join(', ')}); set proprio.<source>.topic, .type and .joints`,
    );
  }
  const given = proprio.flatMap((source) => elementNames(source) ?? []);
  if (given.length !== names.length) {
    const [first] = proprio;
    throw problemAt(
      first === undefined || first.origin === '' ? (file ?? '') : first.origin,
      `the sources of proprioception give ${given.length} numbers (${given.join(', ')}), the bundle takes ${names.length} (${names.join(', ')})`,
    );
  }
}

/** The bundle's names in another order than the bundle's. */
function orderWarnings(proprio: readonly VectorSource[], names: readonly string[]): readonly string[] {
  const given = proprio.flatMap((source) => elementNames(source) ?? []);
  const known = given.filter((name) => names.includes(name));
  if (given.length !== names.length || new Set(known).size !== known.length) return [];
  return given.flatMap((name, i) =>
    name === names[i] || !names.includes(name)
      ? []
      : [
          `proprio: ${quoted(name)} stands at place ${i + 1}, where the bundle has ${quoted(names[i] ?? '')}; its own place there is ${names.indexOf(name) + 1}`,
        ],
  );
}

/** @throws UsageError for a camera that the bundle lacks, or one of it that has no topic */
function checkCameras(mapping: TopicMapping & { readonly file?: string }, cameras: readonly string[]): void {
  for (const { name, origin } of mapping.cameras) {
    if (cameras.includes(name)) continue;
    throw problemAt(
      origin,
      `cameras.${name} is not a camera of the bundle${didYouMean(name, cameras)}; it has ${cameras.join(', ')}`,
    );
  }
  const missing = cameras.filter((name) => !mapping.cameras.some((camera) => camera.name === name));
  if (missing.length > 0) {
    throw problemAt(
      mapping.file ?? '',
      `no topic for ${missing.join(', ')}: set ${missing.map((name) => `cameras.${name}.topic`).join(', ')}`,
    );
  }
}
