import { resolve } from 'node:path';
import { policyTensors, vaeTensors } from '../bundle/checkpointFiles';
import type { NamedWeights } from '../bundle/checkpointFiles';
import { dimensionsFromWeights, isBuffer } from '../bundle/layout';
import type { ModelDimensions } from '../bundle/layout';
import type { WeightSet } from '../bundle/schema';
import { InputError } from '../errors';
import { concatenateFields, openDatasetStats } from '../formats/datasetStats';
import type { FieldStatistics } from '../formats/datasetStats';
import type { FloatType } from '../formats/halfPrecision';
import { createNormaliser } from '../formats/normaliser';
import type { LinearScaling } from '../formats/normaliser';
import { BUILTIN_CONFIGS } from './builtinConfigs';
import { DEFAULT_PROMPT_TEMPLATE, configuredDimensions, readModelConfig } from './modelConfig';
import type { ModelConfig } from './modelConfig';
import type { Finding } from './Finding';
import type { SourceCheckpoint } from './SourceCheckpoint';
import { checkVaeConfig } from './vaeConfig';

/** Normaliser of a checkpoint whose dataset has no statistics. */
const DEFAULT_NORMALISATION = 'min/max';

export interface OriginalOptions {
  readonly checkpoint: string;
  readonly vae: string;
  readonly stats?: string | undefined;
  readonly config?: string | undefined;
  readonly timestepDtype?: FloatType | undefined;
  readonly weights?: WeightSet | undefined;
  /** rows of the cached contexts */
  readonly contextLength: number;
}

/**
 * A checkpoint of the original, or what training code left of one, with its statistics and configuration.
 * @throws UsageError, FileFormatError, InputError naming the file, tensor or key
 */
export function originalCheckpoint(options: OriginalOptions): SourceCheckpoint {
  const { config, robot = {} } =
    options.config === undefined ? { config: {} } : readModelConfig(options.config);
  const policy = policyTensors(resolve(options.checkpoint), options.weights);
  checkVaeConfig(options.vae);
  const vae = vaeTensors(resolve(options.vae));
  const dims = dimensionsFromWeights(
    { policy, vae },
    configuredDimensions(config, options.contextLength),
    options.config === undefined ? 'the default configuration' : `--config ${options.config}`,
  );
  const notes = [...policy.notes, ...vae.notes];
  const { proprio, action } = normalisersOf(options.stats, config, dims, notes);
  return {
    policy,
    vae,
    dims,
    robot,
    normalised: options.stats === undefined,
    proprio,
    action,
    relative: [],
    timestepDtype: timestepDtypeOf(options, policy, notes),
    promptTemplate: config.prompt_template ?? DEFAULT_PROMPT_TEMPLATE,
    rate: config.control_rate,
    replanSteps: config.replan_steps,
    notes,
    findings: unusedTensors(policy),
  };
}

/** The finding that a checkpoint has tensors which are no weights of the policy; none where it has not. */
export function unusedTensors(policy: NamedWeights): readonly Finding[] {
  const left = [...policy.others, ...[...policy.tensors.values()].filter(isBuffer).map(({ name }) => name)];
  if (left.length === 0) return [];
  return [
    {
      id: 'unused-tensors',
      level: 'note',
      finding: `${left.length} tensors are no weights of the policy: ${left.slice(0, 3).join(', ')}${left.length > 3 ? ' …' : ''}`,
      where: policy.path,
      effect: 'they are not read',
      remedy: '',
    },
  ];
}

/**
 * The released checkpoints were evaluated in bfloat16, where timesteps are rounded. For others the file does not say in
 * which type they ran, and the original in float32 is what this engine is held against.
 */
function timestepDtypeOf(
  { timestepDtype, config }: OriginalOptions,
  policy: NamedWeights,
  notes: string[],
): FloatType {
  const stored = policy.tensors.get('mixtures.action.head.weight')?.dtype;
  if (timestepDtype !== undefined || stored !== 'BF16') return timestepDtype ?? 'float32';
  const released = config !== undefined && Object.hasOwn(BUILTIN_CONFIGS, config);
  notes.push(
    released
      ? 'timesteps rounded to bfloat16, as the released evaluation runs; --timestep-dtype float32 leaves them'
      : 'the weights are bfloat16: a model that runs in it rounds its timesteps; --timestep-dtype bfloat16 does so too',
  );
  return released ? 'bfloat16' : 'float32';
}

function normalisersOf(
  stats: string | undefined,
  config: ModelConfig,
  dims: ModelDimensions,
  notes: string[],
): { proprio: LinearScaling; action: LinearScaling } {
  if (stats === undefined) {
    notes.push('no --stats: proprioception and actions stay in the network’s normalised units');
    const identity = (dim: number): LinearScaling => ({
      mode: 'none',
      scale: new Array<number>(dim).fill(1),
      offset: new Array<number>(dim).fill(0),
    });
    return { proprio: identity(dims.proprioDim), action: identity(dims.actionDim) };
  }
  const mode = config.normalisation ?? DEFAULT_NORMALISATION;
  if (config.normalisation === undefined) {
    notes.push(`normalisation ${mode}: the configuration does not say (key normalisation)`);
  }
  const { state, action } = openDatasetStats(stats);
  const entry = (kind: string, field: FieldStatistics, dim: number): LinearScaling => {
    if (field.dim !== dim) {
      throw new InputError(
        `${stats}: ${kind} has statistics of ${field.dim} dimensions, the model has ${dim}`,
      );
    }
    const { scale, offset } = createNormaliser(mode, field);
    return { mode, scale: [...scale], offset: [...offset] };
  };
  return {
    proprio:
      dims.proprioDim === 0
        ? { mode: 'none', scale: [], offset: [] }
        : entry('state', concatenateFields(state), dims.proprioDim),
    action: entry('action', concatenateFields(action), dims.actionDim),
  };
}
