import { nearestName } from '../words/nearestName';
import type { BundleManifest } from '../bundle/schema';
import type { BagSurvey, SurveyedTopic } from './survey';
import { READABLE_ENCODINGS } from './types';

/** How sure a suggestion is. */
export type Certainty = 'certain' | 'guess';

export interface SuggestedCamera {
  readonly name: string;
  readonly topic: string;
  readonly transport: 'raw' | 'compressed';
  readonly certainty: Certainty;
  readonly notes: readonly string[];
}

export interface SuggestedVector {
  readonly name: string;
  readonly topic: string;
  readonly type: string;
  /** empty: as the message has them */
  readonly joints: readonly string[];
  readonly certainty: Certainty;
  readonly notes: readonly string[];
}

/** Which topics of a recording are what a bundle asks for, as far as their names and contents tell. */
export interface SuggestedMapping {
  readonly cameras: readonly SuggestedCamera[];
  readonly proprio: readonly SuggestedVector[];
  readonly commands: SuggestedVector | undefined;
  readonly instructionTopic: string | undefined;
  readonly instruction: { readonly text: string; readonly certainty: Certainty } | undefined;
  /** what the recording leaves open, one line each */
  readonly questions: readonly string[];
  /** what a reader of the file should know, one line each */
  readonly remarks: readonly string[];
}

const IMAGE = 'sensor_msgs/msg/Image';
const COMPRESSED = 'sensor_msgs/msg/CompressedImage';
const JOINTS = 'sensor_msgs/msg/JointState';
const POSE = 'geometry_msgs/msg/PoseStamped';
const TEXT = 'std_msgs/msg/String';
const ARRAYS = /^std_msgs\/msg\/Float(32|64)MultiArray$/;

/** Words of topic and camera names that tell no camera from another. */
const CAMERA_NOISE = new Set(
  'image images raw compressed color colour rgb rgbd camera cam observation obs rect view sensor usb video'.split(
    ' ',
  ),
);
/** Different words for one place of a camera. */
const PLACES: readonly ReadonlySet<string>[] = [
  new Set(
    'front head top high main base agentview agent exterior scene overhead external third static'.split(' '),
  ),
  new Set('wrist hand gripper eye inhand ee'.split(' ')),
];
const SIDES = ['left', 'right', 'upper', 'lower'];
const COMMAND_WORDS = /command|cmd|action|target|goal|desired|leader|teleop/i;
const TASK_WORDS = /instruction|task|prompt|language|goal|text/i;
/** A chunk is refused from an observation older than this, unless the params file says otherwise. */
const DEFAULT_MAX_AGE = 0.5;

/** Lower-case words of a name: `/camHigh/image_raw` has cam, high, image, raw. */
function wordsOf(name: string): readonly string[] {
  return name
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.toLowerCase())
    .filter((word) => word !== '');
}

/** How well a topic's name fits a camera's: 0 where they have nothing in common, below it where they contradict. */
export function cameraLikeness(camera: string, topic: string): number {
  const [ours, theirs] = [camera, topic].map(
    (name) => new Set(wordsOf(name).filter((word) => !CAMERA_NOISE.has(word))),
  ) as [Set<string>, Set<string>];
  let likeness = [...ours].filter((word) => theirs.has(word)).length * 3;
  const place = (words: ReadonlySet<string>): number =>
    PLACES.findIndex((group) => [...words].some((word) => group.has(word)));
  const [here, there] = [place(ours), place(theirs)];
  // A camera of no particular place is the one that looks at the scene.
  if (here === there || (there === -1 && here === 0) || (here === -1 && there === 0)) likeness += 1;
  else if (here !== -1 && there !== -1) likeness -= 2;
  for (const side of SIDES) if (ours.has(side) !== theirs.has(side)) likeness -= 1;
  return likeness;
}

/**
 * Suggests a mapping. What only looks right is marked as a guess, and what nothing answers is a question.
 * @param survey of the recording
 * @param manifest of the bundle that is to see it
 */
export function suggestMapping(survey: BagSurvey, manifest: BundleManifest): SuggestedMapping {
  const questions: string[] = [];
  const remarks: string[] = [];
  const topics = survey.topics.filter(
    ({ count, encoding }) => count > 0 && READABLE_ENCODINGS.includes(encoding),
  );
  const cameras = suggestCameras(topics, manifest, questions);
  const proprio = suggestProprio(topics, manifest, questions);
  const commands = suggestCommands(topics, manifest, proprio, remarks);
  const texts = topics.filter((topic) => topic.type === TEXT && topic.texts.length > 0);
  const task =
    texts.find(({ name }) => TASK_WORDS.test(name)) ??
    texts.find((topic) => topic.texts.some((text) => manifest.instructions.includes(text)));
  const unknown = task?.texts.filter(
    (text) => manifest.instructions.length > 0 && !manifest.instructions.includes(text),
  );
  for (const text of unknown ?? []) {
    const near = nearestName(text, manifest.instructions);
    questions.push(
      `the recording's task ${JSON.stringify(text)} is not among the bundle's instructions${near === undefined ? '' : `; the nearest is ${JSON.stringify(near)}`}`,
    );
  }
  const [first, ...others] = manifest.instructions;
  for (const { topic } of [...cameras, ...proprio]) {
    const rate = topics.find(({ name }) => name === topic)?.rate;
    if (rate === undefined || 1 / rate <= DEFAULT_MAX_AGE) continue;
    remarks.push(
      `${topic} sends every ${(1 / rate).toFixed(2)} s; an observation older than observation.max_age (${DEFAULT_MAX_AGE} s unless it is set) is refused`,
    );
  }
  rateRemarks(topics, manifest, commands, remarks);
  return {
    cameras,
    proprio,
    commands,
    instructionTopic: task?.name,
    instruction:
      task !== undefined || first === undefined
        ? undefined
        : { text: first, certainty: others.length === 0 ? 'certain' : 'guess' },
    questions: [
      ...questions,
      ...(task === undefined && first === undefined
        ? ['the recording has no topic with the task, and the bundle names no instruction: set `instruction`']
        : []),
    ],
    remarks,
  };
}

function suggestCameras(
  topics: readonly SurveyedTopic[],
  { cameras }: BundleManifest,
  questions: string[],
): readonly SuggestedCamera[] {
  const readable = topics.filter(
    ({ type, picture }) => picture !== undefined && [IMAGE, COMPRESSED].includes(type),
  );
  const base = ({ name }: SurveyedTopic): string => name.replace(/\/compressed$/, '');
  // The raw pictures of a camera that is recorded both ways are what its driver gave.
  const pictures = readable.filter(
    (topic) =>
      topic.type === IMAGE || !readable.some((other) => other.type === IMAGE && base(other) === base(topic)),
  );
  const pairs = cameras
    .flatMap((camera, c) =>
      pictures.map((topic, t) => ({ c, t, likeness: cameraLikeness(camera.name, base(topic)) })),
    )
    .sort((a, b) => b.likeness - a.likeness || a.c - b.c || a.t - b.t);
  const chosen = new Map<number, number>();
  for (const { c, t } of pairs) {
    if (chosen.has(c) || [...chosen.values()].includes(t)) continue;
    chosen.set(c, t);
  }
  return cameras.flatMap((camera, c) => {
    const t = chosen.get(c);
    const topic = t === undefined ? undefined : pictures[t];
    if (topic?.picture === undefined) {
      questions.push(
        `cameras.${camera.name}: no topic with pictures is left for it; the recording has ${list(pictures.map(({ name }) => name))}`,
      );
      return [];
    }
    const mine = pairs.filter((pair) => pair.c === c);
    const best = mine.find((pair) => pair.t === t)?.likeness ?? 0;
    const rivals = mine
      .filter((pair) => pair.t !== t && pair.likeness >= best)
      .map((pair) => pictures[pair.t]?.name);
    const only = cameras.length === 1 && pictures.length === 1;
    const { width, height, encoding } = topic.picture;
    const others = pictures.filter(({ name }) => name !== topic.name).map(({ name }) => name);
    return [
      {
        name: camera.name,
        topic: topic.name,
        transport: topic.type === IMAGE ? ('raw' as const) : ('compressed' as const),
        certainty: only || (best >= 3 && rivals.length === 0) ? ('certain' as const) : ('guess' as const),
        notes: [
          `${width}x${height} ${encoding}, for a box of ${camera.width}x${camera.height}${camera.fit === 'cover' ? ', cropped to cover it' : ''}`,
          ...(only || others.length === 0 ? [] : [`other pictures: ${list(others)}`]),
        ],
      },
    ];
  });
}

function suggestProprio(
  topics: readonly SurveyedTopic[],
  { proprio: { names }, dimensions: { proprio_dim: size } }: BundleManifest,
  questions: string[],
): readonly SuggestedVector[] {
  if (size === 0) return [];
  const joined = topics
    .filter(({ type }) => type === JOINTS)
    .sort((a, b) => Number(COMMAND_WORDS.test(a.name)) - Number(COMMAND_WORDS.test(b.name)));
  const whole = joined.find(({ joints }) =>
    joints.some((list) => names.every((name) => list.includes(name))),
  );
  if (whole !== undefined) {
    return [vector(whole, 'joints', JOINTS, names, 'certain', [])];
  }
  const parts = partsOf(names, joined);
  if (parts !== undefined) return parts;
  for (const topic of joined) {
    const list = topic.joints.find((one) => one.length >= size);
    if (list === undefined) continue;
    const nearest = names.map((name) => likeName(name, list));
    if (nearest.every((name) => name !== undefined) && new Set(nearest).size === size) {
      const pairs = names.map((name, i) => `${name} <- ${nearest[i] ?? ''}`);
      return [vector(topic, 'joints', JOINTS, nearest, 'guess', [`matched by name: ${pairs.join(', ')}`])];
    }
  }
  const same = joined.find(({ joints }) => joints.some((list) => list.length === size));
  if (same !== undefined) {
    const list = same.joints.find((one) => one.length === size) ?? [];
    return [
      vector(same, 'joints', JOINTS, list, 'guess', [
        `the bundle calls them ${names.join(', ')}; these are the recording's names in its own order: check each`,
      ]),
    ];
  }
  const array = topics
    .filter(({ type, elements }) => ARRAYS.test(type) && elements === size)
    .find(({ name }) => !COMMAND_WORDS.test(name));
  if (array !== undefined) {
    return [vector(array, 'state', array.type, names, 'guess', ['values in the order of the bundle'])];
  }
  const pose = topics.find(({ type, name }) => type === POSE && !COMMAND_WORDS.test(name));
  const rest = joined.find(({ joints }) => joints.some((list) => list.length === size - 6));
  if (pose !== undefined && size === 6)
    return [vector(pose, 'pose', POSE, [], 'guess', ['position and axis-angle'])];
  if (pose !== undefined && rest !== undefined) {
    const list = rest.joints.find((one) => one.length === size - 6) ?? [];
    return [
      vector(pose, 'pose', POSE, [], 'guess', ['position and axis-angle']),
      vector(rest, 'gripper', JOINTS, list, 'guess', []),
    ];
  }
  const seen = joined.map(({ name, joints }) => `${name} (${list(joints.flat())})`);
  questions.push(
    `proprio: nothing gives the bundle's ${size} values (${list(names)}); joints in the recording: ${seen.join('; ') || 'none'}`,
  );
  return [];
}

/** The names as runs that stand together in one topic's messages; undefined where a name is nowhere. */
function partsOf(
  names: readonly string[],
  topics: readonly SurveyedTopic[],
): readonly SuggestedVector[] | undefined {
  const lists = topics.flatMap((topic) => topic.joints.map((joints) => ({ topic, joints })));
  const parts: SuggestedVector[] = [];
  for (let at = 0; at < names.length;) {
    let best: { topic: SurveyedTopic; length: number } | undefined;
    for (const { topic, joints } of lists) {
      let length = 0;
      while (at + length < names.length && joints.includes(names[at + length] as string)) length++;
      if (length > (best?.length ?? 0)) best = { topic, length };
    }
    if (best === undefined) return undefined;
    const joints = names.slice(at, at + best.length);
    parts.push(vector(best.topic, `part_${parts.length + 1}`, JOINTS, joints, 'certain', []));
    at += best.length;
  }
  return parts;
}

function suggestCommands(
  topics: readonly SurveyedTopic[],
  { actions: { items } }: BundleManifest,
  proprio: readonly SuggestedVector[],
  remarks: string[],
): SuggestedVector | undefined {
  const names = items.map(({ name }) => name);
  const free = topics.filter(({ name }) => !proprio.some(({ topic }) => topic === name));
  const joined = free.find(
    ({ type, joints }) => type === JOINTS && joints.some((one) => names.every((name) => one.includes(name))),
  );
  if (joined !== undefined) return vector(joined, 'commands', JOINTS, names, 'certain', []);
  const arrays = free.filter(({ type, elements }) => ARRAYS.test(type) && elements === names.length);
  const array = arrays.find(({ name }) => COMMAND_WORDS.test(name));
  if (array !== undefined) return vector(array, 'commands', array.type, names, 'certain', []);
  // LeRobot's `action` names its numbers as the state does.
  const like = free.find(
    ({ type, name, joints }) =>
      type === JOINTS && COMMAND_WORDS.test(name) && joints.some((one) => one.length === names.length),
  );
  if (like !== undefined) {
    const order = like.joints.find((one) => one.length === names.length) ?? [];
    return vector(like, 'commands', JOINTS, order, 'guess', [`the bundle calls them ${names.join(', ')}`]);
  }
  remarks.push(
    `no topic has the executed actions (${list(names)}): replay compares with the uncached result alone; if there is one, set commands.topic, .type and .joints`,
  );
  return undefined;
}

function rateRemarks(
  topics: readonly SurveyedTopic[],
  { control: { rate } }: BundleManifest,
  commands: SuggestedVector | undefined,
  remarks: string[],
): void {
  const recorded = topics.find(({ name }) => name === commands?.topic)?.rate;
  if (recorded === undefined || Math.abs(recorded / rate - 1) < 0.2) return;
  remarks.push(
    `commands were recorded at ${recorded.toFixed(1)} Hz, the bundle's actions are ${rate} a second; control.rate is the bundle's`,
  );
}

function vector(
  { name: topic }: SurveyedTopic,
  name: string,
  type: string,
  joints: readonly (string | undefined)[],
  certainty: Certainty,
  notes: readonly string[],
): SuggestedVector {
  const named = joints.filter((joint): joint is string => joint !== undefined);
  return { name, topic, type, joints: named, certainty, notes };
}

/** The same joint under another spelling: other case or separators, a prefix or suffix more, a slip. */
function likeName(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => wordsOf(text).join('');
  const wanted = plain(name);
  const same = known.filter((one) => plain(one) === wanted);
  if (same.length === 1) return same[0];
  const longer = known.filter((one) => plain(one).endsWith(wanted) || plain(one).startsWith(wanted));
  if (longer.length === 1) return longer[0];
  return nearestName(name, known);
}

function list(names: readonly string[], most = 12): string {
  const more = names.length > most ? `, and ${names.length - most} more` : '';
  return names.length === 0 ? 'none' : `${names.slice(0, most).join(', ')}${more}`;
}
