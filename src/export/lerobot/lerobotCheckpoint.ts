import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { policyTensors, vaeTensors } from '../../bundle/checkpointFiles';
import type { NamedWeights } from '../../bundle/checkpointFiles';
import { dimensionsFromWeights } from '../../bundle/layout';
import type { ModelDimensions } from '../../bundle/layout';
import type { BundleManifest, WeightSet } from '../../bundle/schema';
import { FileFormatError, UsageError } from '../../errors';
import type { FloatType } from '../../formats/halfPrecision';
import type { RecordedScaling } from '../../formats/scaling';
import { BUILTIN_CONFIGS } from '../builtinConfigs';
import type { RobotDescription } from '../robot';
import type { SourceCheckpoint } from '../SourceCheckpoint';
import { checkVaeConfig } from '../vaeConfig';
import { examineLerobot } from './examineLerobot';
import type { LerobotPolicy } from './LerobotPolicy';
import {
  cameraKeys,
  cameraName,
  effectiveShift,
  lerobotDimensions,
  policyFolder,
  readLerobotConfig,
} from './lerobotConfig';
import { readMosaic } from './mosaic';
import type { Mosaic } from './mosaic';
import { hasProcessors, readProcessors, relativeDimensions } from './processors';

export interface LerobotOptions {
  /** folder of the policy */
  readonly lerobot: string;
  readonly vae: string;
  /** `libero` or `robotwin`: what those benchmarks' robots are */
  readonly config?: string | undefined;
  /** the parts of the one picture that the policy knows */
  readonly mosaic?: string | undefined;
  /** in place of `torch_dtype` of the policy's configuration */
  readonly torchDtype?: FloatType | undefined;
  readonly timestepDtype?: FloatType | undefined;
  readonly weights?: WeightSet | undefined;
}

/** Reads what a policy's folder says, apart from its weights. @throws UsageError, FileFormatError */
export function readLerobotPolicy(path: string): LerobotPolicy {
  const folder = policyFolder(path);
  const config = readLerobotConfig(folder);
  if (!hasProcessors(folder)) {
    throw new FileFormatError(
      folder,
      'lacks policy_preprocessor.json or policy_postprocessor.json, so the statistics of states and actions are missing; save the policy again with its processors (LeRobot 0.4 and later do)',
    );
  }
  const sizes = { proprioDim: config.proprio_dim ?? 0, actionDim: config.action_dim };
  return {
    folder,
    config,
    processors: readProcessors(folder, sizes),
    shift: effectiveShift(config, folder),
  };
}

/**
 * A policy of LeRobot as a checkpoint: its weights under the original's names, and what its configuration and
 * processors say, each checked.
 * @throws UsageError, FileFormatError naming the file, the key or the tensor
 */
export function lerobotCheckpoint(options: LerobotOptions): SourceCheckpoint {
  const read = readLerobotPolicy(options.lerobot);
  const { folder, config, processors, shift } = read;
  const benchmark = benchmarkRobot(options.config);
  const policy = policyWeights(folder, options.weights);
  checkVaeConfig(options.vae);
  const vae = vaeTensors(options.vae);
  const dims = dimensionsFromWeights({ policy, vae }, lerobotDimensions(config, shift.shift));
  const mosaic = options.mosaic === undefined ? undefined : readMosaic(options.mosaic, dims);
  const cameras = camerasOf(read, dims, mosaic, benchmark);
  const relative = processors.relative ? relativeDimensions(processors.relative, dims.actionDim) : [];
  const beyond = relative.find((index) => index >= dims.proprioDim);
  if (beyond !== undefined) {
    throw new FileFormatError(
      folder,
      `action dimension ${beyond} is relative to the state, which has ${dims.proprioDim} numbers; exclude it by name (relative_exclude_joints)`,
    );
  }
  const dtype = options.torchDtype ?? config.torch_dtype;
  const timestepDtype = options.timestepDtype ?? dtype;
  const image: NonNullable<BundleManifest['image']> = {
    pipeline: 'lerobot',
    dtype,
    rounding: processors.mapsImages ? 'after' : 'before',
    ...(mosaic && { mosaic: mosaic.size }),
  };
  return {
    policy,
    vae,
    dims,
    robot: robotOf(read, cameras, benchmark),
    // Without a map the dataset’s own units are the policy’s.
    normalised: false,
    proprio: processors.proprio,
    action: processors.action,
    relative,
    image,
    timestepDtype,
    ...(typeof config.inference_seed === 'number' && { seed: config.inference_seed }),
    promptTemplate: config.prompt_template,
    replanSteps: config.n_action_steps,
    notes: notesOf(read, { policy, vae, dtype, timestepDtype, cameras }),
    findings: examineLerobot(read, { policy, benchmark: options.config, mosaic }),
  };
}

/** The weights in a policy's folder. */
export function policyWeights(folder: string, set?: WeightSet): NamedWeights {
  const hasAny = ['model.safetensors', 'model.safetensors.index.json', 'pytorch_model.bin'].some((name) =>
    existsSync(join(folder, name)),
  );
  if (!hasAny) {
    throw new FileFormatError(
      folder,
      existsSync(join(folder, 'adapter_model.safetensors'))
        ? 'holds adapter_model.safetensors alone: adapters (PEFT, LoRA) of another policy; merge them into it (merge_and_unload) and save the whole'
        : 'has no model.safetensors, nor its index; fetch the weights',
    );
  }
  const weights = policyTensors(folder, set);
  refuseBase(weights);
  return weights;
}

/** LeRobot's starting point for training has the video model and the action blocks, but nothing of a robot. */
function refuseBase({ path, tensors }: NamedWeights): void {
  const lacks = [
    'mixtures.action.action_encoder.weight',
    'mixtures.action.head.weight',
    'proprio_encoder.weight',
  ].filter((name) => !tensors.has(name));
  if (lacks.length < 2 || tensors.has('mixtures.action.action_encoder.weight')) return;
  throw new FileFormatError(
    path,
    `is a base checkpoint to train from (as lerobot/fastwam_base), not a policy: it lacks ${lacks.join(', ')}; train it on your robot first`,
  );
}

type Camera = NonNullable<RobotDescription['cameras']>[number];

/** Cameras side by side at equal widths, or the parts of a mosaic. */
function camerasOf(
  { folder, config, processors }: LerobotPolicy,
  dims: ModelDimensions,
  mosaic: Mosaic | undefined,
  benchmark: RobotDescription | undefined,
): Camera[] {
  const keys = cameraKeys(config);
  if (mosaic) {
    if (keys.length !== 1) {
      throw new UsageError(
        `--mosaic: the policy has ${keys.length} cameras (${keys.map(cameraName).join(', ')}), so none of them is a picture composed of several`,
      );
    }
    return [...mosaic.cameras];
  }
  const width = Math.floor(dims.width / keys.length);
  if (width < 1)
    throw new FileFormatError(folder, `has ${keys.length} cameras in an image ${dims.width} pixels wide`);
  const { resize } = processors;
  if (resize && (resize[0] !== dims.height || resize[1] !== width)) {
    throw new FileFormatError(
      folder,
      `the processors resize every camera to [${resize.join(', ')}], but image_size and ${keys.length} cameras make [${dims.height}, ${width}]`,
    );
  }
  const rawOf = new Map([...processors.rename].map(([raw, key]) => [key, raw]));
  const turned = benchmark?.cameras?.some(({ rotate180 }) => rotate180) === true;
  return keys.map((key, i) => {
    const raw = rawOf.get(key);
    return {
      name: cameraName(key),
      x: i * width,
      y: 0,
      width,
      height: dims.height,
      rotate180: turned,
      fit: 'stretch' as const,
      ...(raw !== undefined && { source: cameraName(raw) }),
    };
  });
}

/** `--config libero` and the like: what is known of a benchmark's robot, which a policy's folder does not say. */
function benchmarkRobot(name: string | undefined): RobotDescription | undefined {
  if (name === undefined) return undefined;
  const builtin = BUILTIN_CONFIGS[name];
  if (!builtin) {
    throw new UsageError(
      `--config ${name}: with --lerobot the sizes are in the policy's folder; only ${Object.keys(BUILTIN_CONFIGS).join(' and ')} add something, the robot of that benchmark`,
    );
  }
  return builtin.robot;
}

function robotOf(
  { config, processors }: LerobotPolicy,
  cameras: readonly Camera[],
  benchmark: RobotDescription | undefined,
): RobotDescription {
  const names = config.action_feature_names ?? processors.relative?.names;
  const ownNames = names?.length === config.action_dim ? { names: [...names] } : {};
  const gripper = processors.toggle.map((index) => ({
    index,
    rule: 'libero' as const,
    binarize: true,
    threshold: 0,
  }));
  return {
    ...benchmark,
    cameras: [...cameras],
    actions: {
      ...ownNames,
      ...benchmark?.actions,
      // The policy's own processors decide what becomes of a gripper.
      gripper: gripper.length > 0 ? gripper : (benchmark?.actions?.gripper ?? []).map(asItIs),
    },
    control: { ...(benchmark?.control?.rate !== undefined && { rate: benchmark.control.rate }) },
  };
}

type Gripper = NonNullable<NonNullable<RobotDescription['actions']>['gripper']>[number];

/** A gripper that is known as one, whose values stay as the policy gives them. */
const asItIs = ({ index, threshold }: Gripper): Gripper => ({
  index,
  threshold,
  rule: 'none',
  binarize: false,
});

function notesOf(
  { config, processors, shift }: LerobotPolicy,
  found: {
    policy: NamedWeights;
    vae: NamedWeights;
    dtype: FloatType;
    timestepDtype: FloatType;
    cameras: readonly Camera[];
  },
): string[] {
  const { policy, vae, dtype, timestepDtype, cameras } = found;
  const mode = ({ mode }: RecordedScaling): string => mode;
  return [
    ...policy.notes,
    ...vae.notes,
    `schedule: ${config.num_inference_steps} steps, shift ${shift.shift} (${shift.where}), images rounded to ${dtype}, timesteps to ${timestepDtype}`,
    `cameras, left to right: ${cameras.map(({ name, source }) => (source === undefined ? name : `${name} (${source} in the dataset)`)).join(', ')}`,
    `normalisation: state ${config.proprio_dim === null ? 'not used' : mode(processors.proprio)}, actions ${mode(processors.action)}`,
  ];
}
