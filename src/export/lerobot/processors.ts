import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { FileFormatError, InputError } from '../../errors';
import { readFloat32 } from '../../formats/readTensor';
import { openSafetensors } from '../../formats/safetensors';
import type { TensorFile } from '../../formats/StoredTensor';
import { NO_SCALING } from '../../formats/scaling';
import type { RecordedScaling } from '../../formats/scaling';
import { checkStatistic } from '../../formats/checkStatistic';
import { DEFAULT_EPS, STATISTICS_OF_MODE, STATISTIC_MODES } from '../../formats/statisticNormaliser';
import type { StatisticMode } from '../../formats/statisticNormaliser';
import { quoted } from '../../words/quoted';
import { readJson } from './readJson';

export const PREPROCESSOR_FILE = 'policy_preprocessor.json';
export const POSTPROCESSOR_FILE = 'policy_postprocessor.json';

const pipelineSchema = z.object({
  steps: z.array(
    z.object({
      registry_name: z.string().optional(),
      class: z.string().optional(),
      config: z.record(z.string(), z.unknown()).default({}),
      state_file: z.string().optional(),
    }),
  ),
});

/** One step of a saved pipeline. */
interface Step {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** path of its tensors */
  readonly stateFile?: string;
  /** file and index, for messages */
  readonly where: string;
}

/** Names of step classes where a step was saved by its class. */
const CLASSES: Readonly<Record<string, string>> = {
  RenameObservationsProcessorStep: 'rename_observations_processor',
  AddBatchDimensionProcessorStep: 'to_batch_processor',
  DeviceProcessorStep: 'device_processor',
  RelativeActionsProcessorStep: 'relative_actions_processor',
  NormalizerProcessorStep: 'normalizer_processor',
  UnnormalizerProcessorStep: 'unnormalizer_processor',
  AbsoluteActionsProcessorStep: 'absolute_actions_processor',
  FastWAMActionToggleProcessorStep: 'fastwam_action_toggle_processor',
  FastWAMImageCropResizeProcessorStep: 'fastwam_image_crop_resize_processor',
};

/** The steps that are understood, in the only order that is. */
const PRE_ORDER = [
  'rename_observations_processor',
  'to_batch_processor',
  'device_processor',
  'fastwam_image_crop_resize_processor',
  'relative_actions_processor',
  'normalizer_processor',
];
const POST_ORDER = [
  'unnormalizer_processor',
  'absolute_actions_processor',
  'fastwam_action_toggle_processor',
  'device_processor',
];
/** Of no consequence here, wherever they stand (unless a device step changes the type of numbers). */
const NEUTRAL = ['to_batch_processor', 'device_processor'];

/** Types of a device step that lose nothing of a float32. */
const EXACT_FLOATS: readonly unknown[] = ['float32', 'float', 'float64', 'double'];

/** What a policy's saved pipelines do to an observation and to actions. */
export interface Processors {
  /** raw key of an observation -> the policy's key */
  readonly rename: ReadonlyMap<string, string>;
  /** maps of proprioception and actions between physical units and the network's */
  readonly proprio: RecordedScaling;
  readonly action: RecordedScaling;
  /** images go through a resize and a normaliser that maps them to [-1, 1], as the first checkpoints' do */
  readonly mapsImages: boolean;
  /** a normalisation of images beyond that, which is passed over */
  readonly visual: string;
  /** [height, width] to which every camera is resized before the policy sees it */
  readonly resize?: readonly [number, number];
  readonly relative?: RelativeActions;
  /** action dimensions of which a binary gripper is made; not negative */
  readonly toggle: readonly number[];
  /** statistics of actions in the two pipelines differ */
  readonly statisticsDiffer: boolean;
}

export interface RelativeActions {
  readonly exclude: readonly string[];
  readonly names?: readonly string[];
}

/** Sizes of a policy that its statistics must have. */
export interface FeatureSizes {
  readonly proprioDim: number;
  readonly actionDim: number;
}

/** Whether a folder holds both pipelines. */
export function hasProcessors(folder: string): boolean {
  return existsSync(join(folder, PREPROCESSOR_FILE)) && existsSync(join(folder, POSTPROCESSOR_FILE));
}

/**
 * Reads both pipelines of a policy and their statistics.
 * @throws FileFormatError naming the step, the statistic, its feature and what was expected
 */
export function readProcessors(folder: string, sizes: FeatureSizes): Processors {
  const pre = readSteps(folder, PREPROCESSOR_FILE, PRE_ORDER);
  const post = readSteps(folder, POSTPROCESSOR_FILE, POST_ORDER);
  const find = (steps: readonly Step[], name: string): Step | undefined =>
    steps.find((step) => step.name === name);
  const normalizer = new NormalizerStep(find(pre, 'normalizer_processor'), folder, PREPROCESSOR_FILE);
  const unnormalizer = new NormalizerStep(find(post, 'unnormalizer_processor'), folder, POSTPROCESSOR_FILE);
  const action = unnormalizer.scaling('action', 'ACTION', sizes.actionDim);
  const resize = resizeOf(find(pre, 'fastwam_image_crop_resize_processor'));
  const relative = relativeOf(
    find(pre, 'relative_actions_processor'),
    find(post, 'absolute_actions_processor'),
  );
  return {
    rename: renameOf(find(pre, 'rename_observations_processor')),
    proprio:
      sizes.proprioDim === 0
        ? identity(0)
        : normalizer.scaling('observation.state', 'STATE', sizes.proprioDim),
    action,
    mapsImages: resize !== undefined && normalizer.mode('VISUAL') !== 'IDENTITY',
    visual: normalizer.mode('VISUAL'),
    ...(resize && { resize }),
    ...(relative && { relative }),
    toggle: toggleOf(find(post, 'fastwam_action_toggle_processor'), sizes.actionDim),
    statisticsDiffer: normalizer.differs(action, sizes.actionDim),
  };
}

/** The map of values that stay as they are. */
export function identity(dim: number): RecordedScaling {
  return { mode: NO_SCALING, scale: new Array<number>(dim).fill(1), offset: new Array<number>(dim).fill(0) };
}

function readSteps(folder: string, file: string, order: readonly string[]): Step[] {
  const path = join(folder, file);
  const steps = readJson(path, pipelineSchema).steps.map((step, i): Step => {
    const className = step.class?.split('.').at(-1);
    const name =
      step.registry_name ?? (className === undefined ? undefined : (CLASSES[className] ?? className));
    const where = `steps.${i}`;
    if (name === undefined) throw new FileFormatError(path, `${where} names neither registry_name nor class`);
    if (!order.includes(name)) {
      throw new FileFormatError(
        path,
        `${where} is ${quoted(name)}, whose effect is not known here; expected ${order.join(', ')}`,
      );
    }
    const rounded = step.config.float_dtype;
    if (name === 'device_processor' && rounded != null && !EXACT_FLOATS.includes(rounded)) {
      throw new FileFormatError(
        path,
        `${where}.float_dtype is ${JSON.stringify(rounded)}: LeRobot rounds pictures, states or actions in it, which is not done here; set it to null where the policy was trained without`,
      );
    }
    const stateFile = step.state_file;
    if (stateFile !== undefined && /[/\\]|^\.\.?$/.test(stateFile)) {
      throw new FileFormatError(path, `${where}.state_file ${quoted(stateFile)} leaves the policy's folder`);
    }
    return {
      name,
      config: step.config,
      where: `${path}: ${where}`,
      ...(stateFile !== undefined && { stateFile: join(folder, stateFile) }),
    };
  });
  const effective = steps.filter(({ name }) => !NEUTRAL.includes(name));
  effective.forEach((step, i) => {
    const before = effective[i - 1];
    if (before && order.indexOf(before.name) >= order.indexOf(step.name)) {
      throw new FileFormatError(
        path,
        `has ${step.name} after ${before.name}, expected once each, in the order ${order.filter((name) => !NEUTRAL.includes(name)).join(', ')}`,
      );
    }
  });
  return steps;
}

/** A normaliser or its reverse: how each feature is mapped, and the statistics that it carries. */
class NormalizerStep {
  readonly #step: Step;
  readonly #map: Readonly<Record<string, unknown>>;
  readonly #features: Readonly<Record<string, unknown>>;
  #file: TensorFile | undefined;

  constructor(step: Step | undefined, folder: string, file: string) {
    if (!step) {
      throw new FileFormatError(
        join(folder, file),
        `has no ${file === PREPROCESSOR_FILE ? 'normalizer_processor' : 'unnormalizer_processor'}: state and actions would stay in other units than the policy was trained with`,
      );
    }
    this.#step = step;
    this.#map = record(step.config.norm_map);
    this.#features = record(step.config.features);
  }

  /** The mode of a type of features. Source: `norm_map.get(type, IDENTITY)` in LeRobot. */
  mode(type: string): string {
    const mode = this.#map[type];
    return typeof mode === 'string' ? mode.toUpperCase() : 'IDENTITY';
  }

  /** @param usual the type of the feature; for observations the step's own entry decides, as in LeRobot */
  scaling(feature: string, usual: 'STATE' | 'ACTION', dim: number): RecordedScaling {
    const type = usual === 'ACTION' ? usual : this.#typeOf(feature, usual);
    const mode = this.mode(type);
    if (mode === 'IDENTITY' || !this.#covers(feature)) return identity(dim);
    if (!isStatisticMode(mode)) {
      throw this.#problem(
        `norm_map.${type} is ${quoted(mode)}, expected ${STATISTIC_MODES.join(', ')} or IDENTITY`,
      );
    }
    // Actions are mapped whether or not they are listed.
    if (usual !== 'ACTION' && !Object.hasOwn(this.#features, feature)) {
      throw this.#problem(
        `features lacks ${feature}, so LeRobot would pass it on as it is, although norm_map says ${mode}`,
      );
    }
    const [first, second] = STATISTICS_OF_MODE[mode].map((name) => this.#statistic(feature, name, dim, mode));
    if (!first || !second) throw new Error('a mode has two statistics');
    const [low, high] = STATISTICS_OF_MODE[mode];
    checkStatistic(this.#path, (name) => `${feature}.${name}`, { [low]: first, [high]: second });
    const { eps = DEFAULT_EPS } = this.#step.config;
    if (typeof eps !== 'number' || !(Math.fround(eps) > 0)) {
      throw this.#problem(`eps is ${JSON.stringify(eps)}, expected a number above 0`);
    }
    return { mode, statistics: [[...first], [...second]], ...(eps !== DEFAULT_EPS && { eps }) };
  }

  /** Whether this step carries other statistics of actions than those given. */
  differs(action: RecordedScaling, dim: number): boolean {
    if (!('statistics' in action) || !Object.hasOwn(this.#features, 'action')) return false;
    try {
      return JSON.stringify(this.scaling('action', 'ACTION', dim)) !== JSON.stringify(action);
    } catch (error) {
      if (error instanceof InputError || error instanceof FileFormatError) return true;
      throw error;
    }
  }

  /** LeRobot may leave observations out by name. */
  #covers(feature: string): boolean {
    const keys = this.#step.config.normalize_observation_keys;
    return feature === 'action' || !Array.isArray(keys) || keys.includes(feature);
  }

  #typeOf(feature: string, usual: string): string {
    const { type } = record(this.#features[feature]);
    const found = typeof type === 'string' ? type.toUpperCase() : usual;
    if (found === 'ACTION') {
      throw this.#problem(
        `features.${feature}.type is "ACTION", so LeRobot would pass it on as it is; expected ${usual}`,
      );
    }
    return found;
  }

  #statistic(feature: string, name: string, dim: number, mode: string): Float32Array {
    const key = `${feature}.${name}`;
    const file = this.#open();
    const tensor = file.tensors.get(key);
    if (!tensor) {
      const has = [...file.tensors.keys()].filter((k) => k.startsWith(`${feature}.`));
      throw new FileFormatError(
        file.path,
        `lacks ${quoted(key)}, which ${mode} needs; it has ${has.length > 0 ? has.join(', ') : `no statistics of ${feature}`}. LeRobot passes such values on as they are, silently; export the policy again with the dataset's statistics`,
      );
    }
    const values = readFloat32(tensor);
    if (values.length !== dim) {
      throw new FileFormatError(
        file.path,
        `${quoted(key)} has ${values.length} numbers, expected ${dim} as the policy has; are they another robot's statistics?`,
      );
    }
    return values;
  }

  #open(): TensorFile {
    const { stateFile, where } = this.#step;
    if (stateFile === undefined) {
      throw new FileFormatError(
        where,
        'names no state_file, so there are no statistics; save the policy with its processors',
      );
    }
    if (!existsSync(stateFile)) {
      throw new FileFormatError(
        stateFile,
        `does not exist, but ${where} names it for the statistics; fetch it`,
      );
    }
    return (this.#file ??= openSafetensors(stateFile));
  }

  get #path(): string {
    return this.#step.stateFile ?? this.#step.where;
  }

  #problem(text: string): FileFormatError {
    return new FileFormatError(this.#step.where, text);
  }
}

function isStatisticMode(mode: string): mode is StatisticMode {
  return (STATISTIC_MODES as readonly string[]).includes(mode);
}

function renameOf(step: Step | undefined): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const [from, to] of Object.entries(record(step?.config.rename_map))) {
    if (typeof to !== 'string') throw new FileFormatError(step?.where ?? '', `rename_map.${from} is no name`);
    map.set(from, to);
  }
  return map;
}

function resizeOf(step: Step | undefined): readonly [number, number] | undefined {
  if (!step) return undefined;
  const { crop_params_dict: crop, resize_size: resize } = step.config;
  if (crop !== null && crop !== undefined && Object.keys(record(crop)).length > 0) {
    throw new FileFormatError(
      step.where,
      'crop_params_dict cuts the pictures before they are resized, which is not done here; crop them where they are taken, and set it to null',
    );
  }
  if (!Array.isArray(resize) || resize.length !== 2 || !resize.every((n) => Number.isInteger(n) && n > 0)) {
    throw new FileFormatError(step.where, 'resize_size is not [height, width]');
  }
  const [height, width] = resize as [number, number];
  return [height, width];
}

function relativeOf(step: Step | undefined, absolute: Step | undefined): RelativeActions | undefined {
  const relative = step?.config.enabled === true;
  const back = absolute?.config.enabled === true;
  if (relative !== back) {
    throw new FileFormatError(
      (relative ? step : absolute)?.where ?? '',
      relative
        ? 'makes actions relative to the state, but no absolute_actions_processor is enabled that would add it again'
        : 'adds the state to actions, but no relative_actions_processor is enabled: are they relative or not?',
    );
  }
  if (!relative) return undefined;
  const { exclude_joints: exclude, action_names: names } = step.config;
  const given = texts(names);
  return { exclude: texts(exclude) ?? [], ...(given && { names: given }) };
}

function toggleOf(step: Step | undefined, actionDim: number): number[] {
  const dimensions = step?.config.toggle_dimensions ?? [];
  if (!Array.isArray(dimensions) || !dimensions.every(Number.isInteger)) {
    throw new FileFormatError(step?.where ?? '', 'toggle_dimensions is not a list of whole numbers');
  }
  return resolveToggle(dimensions as number[], actionDim, step?.where ?? '');
}

/** Indices from the start; negative ones count from the end. @throws FileFormatError for one out of range */
export function resolveToggle(dimensions: readonly number[], actionDim: number, where: string): number[] {
  const resolved = dimensions.map((dim) => {
    const index = dim < 0 ? actionDim + dim : dim;
    if (index < 0 || index >= actionDim) {
      throw new FileFormatError(
        where,
        `toggles action dimension ${dim}, but there are ${actionDim} (0 to ${actionDim - 1}, or negative from the end)`,
      );
    }
    return index;
  });
  const twice = resolved.find((index, i) => resolved.indexOf(index) !== i);
  if (twice !== undefined) throw new FileFormatError(where, `toggles action dimension ${twice} twice`);
  return resolved;
}

/**
 * The actions that count from the state: all but those whose name has one of the excluded words in it, in upper or
 * lower case; without names, and beyond them, all. Source: `RelativeActionsProcessorStep` of LeRobot.
 */
export function relativeDimensions({ exclude, names = [] }: RelativeActions, actionDim: number): number[] {
  const words = exclude.map((word) => word.toLowerCase()).filter((word) => word !== '');
  return Array.from({ length: actionDim }, (_, i) => i).filter((i) => {
    const name = names[i]?.toLowerCase();
    return name === undefined || !words.some((word) => name.includes(word));
  });
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

function texts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
}
