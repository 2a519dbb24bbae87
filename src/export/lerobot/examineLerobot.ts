import { join } from 'node:path';
import type { NamedWeights } from '../../bundle/checkpointFiles';
import { scalingOf } from '../../formats/scaling';
import type { RecordedScaling } from '../../formats/scaling';
import type { Finding } from '../Finding';
import { cameraKeys, cameraName } from './lerobotConfig';
import type { LerobotPolicy } from './LerobotPolicy';
import type { Mosaic } from './mosaic';
import { POSTPROCESSOR_FILE, PREPROCESSOR_FILE } from './processors';

/** What the export was told beside the policy's folder. */
export interface LerobotContext {
  readonly policy?: NamedWeights;
  readonly benchmark?: string | undefined;
  readonly mosaic?: Mosaic | undefined;
}

/** What a policy's folder makes doubtful, though it can be run. */
export function examineLerobot(read: LerobotPolicy, context: LerobotContext): Finding[] {
  const { folder, config, processors, shift } = read;
  const configFile = join(folder, 'config.json');
  const pre = join(folder, PREPROCESSOR_FILE);
  const post = join(folder, POSTPROCESSOR_FILE);
  const keys = cameraKeys(config);
  const findings: Finding[] = [];
  const add = (finding: Finding): void => void findings.push(finding);

  if (processors.visual !== 'IDENTITY') {
    add({
      id: 'double-image-normalisation',
      level: 'warning',
      finding: `images are normalised by the processors (VISUAL ${processors.visual}) and mapped to [-1, 1] by the model`,
      where: `${pre}, norm_map.VISUAL`,
      effect: 'LeRobot of today would do both, and the policy fails nearly every task',
      remedy: 'pictures are mapped once here; nothing to do',
    });
  }
  if (shift.shift === 1) {
    add({
      id: 'shift-1',
      level: 'note',
      finding: 'the schedule has shift 1',
      where: `${configFile}, ${shift.where}`,
      effect:
        'right for policies that were trained so (newer ones); the first released ones were trained with 5, and give rough actions with 1',
      remedy: 'look into the training’s action_scheduler.train_shift where you are not sure',
    });
  }
  const order = Object.keys(config.input_features ?? {}).filter((key) => keys.includes(key));
  if (order.join() !== keys.join()) {
    add({
      id: 'camera-order',
      level: 'note',
      finding: `config.json lists the cameras as ${order.map(cameraName).join(', ')}; the policy sees them sorted by name`,
      where: `${configFile}, input_features`,
      effect: 'none here: they are composed in the policy’s order; a bridge of your own must do the same',
      remedy: `keep to ${keys.map(cameraName).join(', ')}, left to right`,
    });
  }
  if (processors.rename.size > 0) {
    add({
      id: 'renamed-cameras',
      level: 'note',
      finding: `observations are renamed: ${[...processors.rename].map(([a, b]) => `${a} to ${b}`).join(', ')}`,
      where: `${pre}, rename_map`,
      effect: 'the bundle’s cameras have the new names, recordings of the dataset the old ones',
      remedy: 'map your topics to the new names',
    });
  }
  const differing = [...processors.rename.values()].find(
    (key) => key.startsWith('observation.images.') && !keys.includes(key),
  );
  if (differing !== undefined) {
    add({
      id: 'rename-to-nothing',
      level: 'warning',
      finding: `rename_map makes ${differing}, which is no camera of the policy`,
      where: `${pre}, rename_map`,
      effect: 'that camera is not looked at',
      remedy: `the policy’s cameras are ${keys.map(cameraName).join(', ')}`,
    });
  }
  if (keys.length === 1 && !context.mosaic && config.image_size[0] !== config.image_size[1]) {
    add({
      id: 'one-wide-camera',
      level: 'warning',
      finding: `one camera (${cameraName(keys[0] ?? '')}) in a picture of ${config.image_size[1]} x ${config.image_size[0]}`,
      where: `${configFile}, input_features`,
      effect:
        'if that picture was composed of several cameras before the policy saw it, a single camera stretched over it shows nothing it knows',
      remedy: 'name the parts with --mosaic (robotwin, or above,left,right, or a YAML file)',
    });
  }
  if (keys.length > 1 && config.image_size[1] % keys.length !== 0) {
    add({
      id: 'width-does-not-divide',
      level: 'note',
      finding: `${keys.length} cameras in a width of ${config.image_size[1]}`,
      where: `${configFile}, image_size`,
      effect:
        'every camera gets the whole number of pixels, and the picture is stretched once more, as LeRobot does',
      remedy: '',
    });
  }
  constantDimensions(processors.proprio, 'state', pre, add);
  constantDimensions(processors.action, 'action', post, add);
  if (processors.statisticsDiffer) {
    add({
      id: 'statistics-differ',
      level: 'warning',
      finding: 'the two processors carry different statistics of actions',
      where: `${pre} and ${post}`,
      effect:
        'actions are denormalised with those of the postprocessor, which may not be the dataset the policy was trained on',
      remedy: 'save the policy again with the statistics of its dataset',
    });
  }
  const asked = Object.entries(config.normalization_mapping);
  const used = { STATE: processors.proprio.mode, ACTION: processors.action.mode } as const;
  for (const [type, mode] of asked) {
    const found = type === 'STATE' || type === 'ACTION' ? used[type] : undefined;
    const wanted = mode.toUpperCase() === 'IDENTITY' ? 'none' : mode.toUpperCase();
    if (found === undefined || found === wanted || (type === 'STATE' && config.proprio_dim === null))
      continue;
    add({
      id: 'normalisation-differs',
      level: 'warning',
      finding: `config.json says ${type} ${mode}, the processors say ${found}`,
      where: `${configFile}, normalization_mapping`,
      effect: 'the processors decide, as in LeRobot',
      remedy: 'make sure that they are the ones the policy was trained with',
    });
  }
  const configured = config.toggle_action_dimensions.map((d) => (d < 0 ? config.action_dim + d : d));
  if ([...configured].sort().join() !== [...processors.toggle].sort().join()) {
    add({
      id: 'gripper-toggle',
      level: 'warning',
      finding: `config.json toggles actions [${configured.join(', ')}], the postprocessor [${processors.toggle.join(', ')}]`,
      where: `${configFile}, toggle_action_dimensions; ${post}`,
      effect:
        'a toggle makes ±1 of a gripper and turns its sign: with the wrong one the gripper opens where it should close',
      remedy: 'the postprocessor decides; compare with the training',
    });
  }
  if (context.benchmark !== 'libero' && looksLikeLibero(read)) {
    add({
      id: 'libero-rotation',
      level: 'warning',
      finding:
        'state, actions and toggle are those of LIBERO, whose pictures are turned by 180° before the policy sees them',
      where: configFile,
      effect:
        'with pictures the other way up the policy does not find what it is to grasp; the turn is done by LIBERO’s environment and stands in no file of the policy',
      remedy: 'export with --config libero, or give rotate180 for each camera in --robot',
    });
  }
  if (config.rand_device !== 'cpu') {
    add({
      id: 'noise-of-a-device',
      level: 'note',
      finding: `rand_device is ${config.rand_device}`,
      where: `${configFile}, rand_device`,
      effect:
        'the starting noise is drawn as PyTorch draws it on a CPU: other numbers than that run had, of the same kind',
      remedy: '',
    });
  }
  if (config.inference_seed == null) {
    add({
      id: 'no-seed',
      level: 'note',
      finding: 'inference_seed is not set',
      where: `${configFile}, inference_seed`,
      effect:
        'LeRobot draws other noise for every chunk; here the default is the same noise for all (seed 42)',
      remedy: 'set sampler.noise: fresh for other noise in every chunk',
    });
  }
  if (config.tokenizer_max_len != null && config.tokenizer_max_len !== config.context_len) {
    add({
      id: 'context-length',
      level: 'warning',
      finding: `context_len is ${config.context_len}, tokenizer_max_len ${config.tokenizer_max_len}`,
      where: configFile,
      effect:
        'LeRobot makes contexts of tokenizer_max_len rows and never reads context_len, and so does the bundle; another length changes what the policy attends to',
      remedy: 'make sure that tokenizer_max_len is the length of the training',
    });
  }
  if (config.n_action_steps === config.action_horizon) {
    add({
      id: 'open-loop-chunk',
      level: 'note',
      finding: `n_action_steps is the whole horizon (${config.action_horizon})`,
      where: `${configFile}, n_action_steps`,
      effect: 'the robot acts without looking for a whole chunk',
      remedy: 'lower control.replan_steps for a quicker reaction',
    });
  }
  const buffers = context.policy?.others ?? [];
  if (buffers.length > 0) {
    add({
      id: 'unused-tensors',
      level: 'note',
      finding: `${buffers.length} tensors are no part of the policy: ${buffers.slice(0, 3).join(', ')}${buffers.length > 3 ? ' …' : ''}`,
      where: context.policy?.path ?? folder,
      effect: 'they are not read',
      remedy: '',
    });
  }
  return findings;
}

/** Components that were constant in the dataset. */
function constantDimensions(
  scaling: RecordedScaling,
  kind: 'state' | 'action',
  where: string,
  add: (finding: Finding) => void,
): void {
  const { constant } = scalingOf(scaling);
  if (constant.length === 0) return;
  add({
    id: `constant-${kind}`,
    level: kind === 'state' ? 'warning' : 'note',
    finding: `${kind} ${constant.join(', ')} did not change in the whole dataset (${scaling.mode})`,
    where,
    effect:
      kind === 'state'
        ? 'LeRobot would make values of 10⁷ of the least deviation; here the policy is given the value that it always saw'
        : 'the policy always gives that constant',
    remedy: kind === 'state' ? 'make sure that the sensor works and is meant to be there' : '',
  });
}

/** LIBERO's seven actions with a toggled gripper, and its state of eight. */
function looksLikeLibero({ config, processors }: LerobotPolicy): boolean {
  return config.action_dim === 7 && config.proprio_dim === 8 && processors.toggle.join() === '6';
}
