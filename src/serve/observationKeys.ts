import type { Bundle } from '../bundle/Bundle';
import { InputError } from '../errors';
import { rotate180 } from '../observation/compose';
import type { RawFrame } from '../observation/RawFrame';
import type { Observation } from '../policy/types';
import type { TopicMapping } from '../settings/mapping';
import { elementNames } from '../settings/sources';
import { didYouMean } from '../words/nearestName';
import { quoted } from '../words/quoted';
import { isMap } from './message';
import type { WireMap, WireValue } from './message';
import { NdArray } from './NdArray';

/** The protocol's word for the task. */
const PROMPT = 'prompt';

/** Where the parts of an observation stand in a client's messages. */
export interface ObservationKeys {
  /** camera of the bundle and key of its pictures, in the bundle's order */
  readonly cameras: readonly { readonly name: string; readonly key: string; readonly rotated: boolean }[];
  /** in the order in which their numbers are put together */
  readonly state: readonly {
    readonly key: string;
    /** names of its numbers; undefined where any number of them will do */
    readonly names: readonly string[] | undefined;
  }[];
  /** the first is the one that is told to clients */
  readonly prompt: readonly string[];
  /** keys that clients send and nothing here needs */
  readonly ignored: readonly string[];
  /** the task where a client names none */
  readonly instruction: string | undefined;
}

export interface KeyOptions {
  /** cameras whose pictures clients turn by 180° before they send them */
  readonly rotated?: readonly string[];
  readonly ignored?: readonly string[];
}

/**
 * The keys of a bundle's observations: a topic of the params file is a key (`/` at its start left out). Without a file
 * they are `observation/<camera>`, `observation/state` and `prompt`.
 * @param mapping fitted to the bundle
 * @throws InputError for a rotated camera that the bundle has not
 */
export function observationKeys(
  { manifest }: Pick<Bundle, 'manifest'>,
  mapping: TopicMapping | undefined,
  { rotated = [], ignored = [] }: KeyOptions = {},
): ObservationKeys {
  const names = manifest.cameras.map(({ name }) => name);
  const stranger = rotated.find((name) => !names.includes(name));
  if (stranger !== undefined) {
    throw new InputError(
      `rotated camera ${quoted(stranger)}: the bundle has ${names.join(', ')}${didYouMean(stranger, names)}`,
    );
  }
  const topics = new Map(mapping?.cameras.map(({ name, topic }) => [name, keyOf(topic)]));
  const { instructions } = manifest;
  return {
    cameras: names.map((name) => ({
      name,
      key: topics.get(name) ?? `observation/${name}`,
      rotated: rotated.includes(name),
    })),
    state: mapping
      ? mapping.proprio.map((source) => ({ key: keyOf(source.topic), names: elementNames(source) }))
      : manifest.proprio.names.length > 0
        ? [{ key: 'observation/state', names: manifest.proprio.names }]
        : [],
    prompt: mapping ? [...new Set([keyOf(mapping.instructionTopic), PROMPT])] : [PROMPT],
    ignored,
    instruction: mapping?.instruction ?? (instructions.length === 1 ? instructions[0] : undefined),
  };
}

/** All keys of an observation, as a sentence lists them. */
export function expectedKeys({ cameras, state, prompt }: ObservationKeys): readonly string[] {
  return [...cameras, ...state].map(({ key }) => key).concat(prompt[0] ?? PROMPT);
}

/**
 * The observation in the fields of a message. A field may stand under its key or, as some clients send it, in maps by the
 * parts of its key (`images/cam_high`).
 * @param stamp time of the observation, seconds
 * @throws InputError with one sentence for a key that is missing or unknown, or a value that is not what its key holds
 */
export function readObservation(fields: WireMap, keys: ObservationKeys, stamp: number): Observation {
  const flat = new Map(flattened(fields, ''));
  for (const key of keys.ignored) flat.delete(key);
  const known = expectedKeys(keys).concat(keys.prompt);
  const unknown = [...flat.keys()].find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw new InputError(
      `unknown key ${quoted(unknown)}${didYouMean(unknown, known)}; an observation has ${expectedKeys(keys).join(', ')}`,
    );
  }
  const missing = [...keys.cameras, ...keys.state].find(({ key }) => !flat.has(key));
  if (missing) {
    throw new InputError(
      `key ${quoted(missing.key)} is missing; an observation has ${expectedKeys(keys).join(', ')}`,
    );
  }
  return {
    cameras: new Map(
      keys.cameras.map(({ name, key, rotated }) => [name, frameOf(key, flat.get(key), rotated)]),
    ),
    proprio: keys.state.flatMap(({ key, names }) => numbersOf(key, flat.get(key), names)),
    instruction: instructionOf(flat, keys),
    stamp,
  };
}

function* flattened(fields: WireMap, prefix: string): Generator<readonly [string, WireValue]> {
  for (const [key, value] of Object.entries(fields)) {
    if (isMap(value)) yield* flattened(value, `${prefix}${key}/`);
    else yield [`${prefix}${key}`, value];
  }
}

function frameOf(key: string, value: WireValue | undefined, rotated: boolean): RawFrame {
  if (value instanceof Uint8Array && !rotated) return { kind: 'compressed', format: '', data: value.slice() };
  if (!(value instanceof NdArray)) {
    throw new InputError(`${key}: expected a picture, uint8 [height, width, 3]${notSo(value)}`);
  }
  const [one = 0, two = 0, three = 0] = value.shape;
  const planes = three !== 3 && one === 3;
  if (value.dtype !== '|u1' || value.shape.length !== 3 || !(planes || three === 3)) {
    throw new InputError(
      `${key}: expected a picture, uint8 [height, width, 3] or [3, height, width], got ${value.description}`,
    );
  }
  const picture = planes
    ? { height: two, width: three, data: interleaved(value.data, two * three) }
    : { height: one, width: two, data: value.data.slice() };
  const { width, height, data } = rotated ? rotate180(picture) : picture;
  return { kind: 'raw', width, height, data, step: 3 * width, encoding: 'rgb8', is_bigendian: 0 };
}

/** [3, pixels] to [pixels, 3] */
function interleaved(planes: Uint8Array, pixels: number): Uint8Array {
  const out = new Uint8Array(planes.length);
  for (let channel = 0; channel < 3; channel++) {
    for (let i = 0; i < pixels; i++) out[3 * i + channel] = planes[channel * pixels + i] ?? 0;
  }
  return out;
}

function numbersOf(
  key: string,
  value: WireValue | undefined,
  names: readonly string[] | undefined,
): readonly number[] {
  const numbers = numbersIn(value);
  const expected = names ? `${names.length} numbers (${names.join(', ')})` : 'numbers';
  if (numbers === undefined) throw new InputError(`${key}: expected ${expected}${notSo(value)}`);
  if (names !== undefined && numbers.length !== names.length) {
    throw new InputError(`${key}: expected ${expected}, got ${numbers.length}`);
  }
  const wrong = numbers.findIndex((number) => !Number.isFinite(number));
  if (wrong >= 0) throw new InputError(`${key}: number ${wrong} is ${numbers[wrong] ?? NaN}, not finite`);
  return numbers;
}

/** The numbers of a list, of an array of one axis, or a single one; undefined if it is none of these. */
function numbersIn(value: WireValue | undefined): readonly number[] | undefined {
  if (typeof value === 'number') return [value];
  if (value instanceof NdArray) return value.shape.length <= 1 ? Array.from(value.numbers()) : undefined;
  if (!Array.isArray(value)) return undefined;
  const list = value as readonly WireValue[];
  return list.every((item): item is number => typeof item === 'number') ? list : undefined;
}

function instructionOf(flat: ReadonlyMap<string, WireValue>, keys: ObservationKeys): string {
  const key = keys.prompt.find((one) => flat.has(one));
  const value = key === undefined ? keys.instruction : flat.get(key);
  if (typeof value === 'string' && value.trim() !== '') return value;
  const [told = PROMPT] = keys.prompt;
  throw new InputError(
    key === undefined
      ? `key ${quoted(told)} is missing: the task as a text`
      : `${key}: expected the task as a text${notSo(value)}`,
  );
}

function keyOf(topic: string): string {
  return topic.replace(/^\/+/, '');
}

/** What stands there in place of what was expected. */
function notSo(value: WireValue | undefined): string {
  if (value instanceof NdArray) return `, got an array ${value.description}`;
  if (value instanceof Uint8Array) return `, got ${value.length} bytes`;
  if (Array.isArray(value)) return `, got a list of ${value.length}`;
  return value === null || value === undefined ? ', got nothing' : `, got a ${typeof value}`;
}
