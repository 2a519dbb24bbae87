import { POLICIES, parameterName } from '../cache/registry';
import { PROVIDER_CHOICES } from '../model/execution';
import { PRECISION_NAMES, precisionsOf } from '../model/precisions';
import { NOISE_MODES } from '../sampler/types';
import type { Parameter, ParameterField } from './Parameter';
import { RTC_FIELDS } from './rtc';
import { ParameterTable } from './ParameterTable';
import type { ParameterFamily } from './ParameterTable';
import { AUTOSTART, BOND_PERIOD, DIAGNOSTICS_FULL_NAME, DIAGNOSTICS_PERIOD } from './nodeParameters';
import {
  CAMERA_KEYS,
  IMAGE_ENCODINGS,
  JOINT_FIELDS,
  TRANSPORTS,
  VECTOR_KEYS,
  VECTOR_TYPES,
  transportOf,
} from './sources';
import type { CameraKey, VectorKey } from './sources';

const OURS = 'this project';
/** Any number that a double parameter of a duration or rate may sensibly take. */
const LONG = 1e9;

const modelParameters: readonly Parameter[] = [
  AUTOSTART,
  {
    name: 'bundle',
    settable: 'unconfigured',
    field: {
      type: 'text',
      default: '',
      description: 'folder of the bundle to load, as `fastwam export` makes it',
      source: OURS,
    },
  },
  {
    name: 'execution.provider',
    settable: 'unconfigured',
    field: {
      type: 'enum',
      values: PROVIDER_CHOICES,
      default: 'cpu',
      description: 'what computes the model; auto takes cuda where it starts, else cpu, and says which',
      source: OURS,
    },
  },
  {
    name: 'execution.device',
    settable: 'unconfigured',
    field: {
      type: 'integer',
      default: 0,
      min: 0,
      max: 63,
      description: 'number of the CUDA device',
      source: OURS,
    },
  },
  {
    name: 'execution.precision',
    settable: 'unconfigured',
    field: {
      type: 'enum',
      values: PRECISION_NAMES,
      default: 'fp32',
      description: 'number format of the weights: fp32 anywhere, bf16 and fp16 on CUDA, int8 on the CPU',
      source: OURS,
    },
  },
  {
    name: 'execution.prefill_precision',
    settable: 'unconfigured',
    field: {
      type: 'enum',
      values: ['same', ...precisionsOf('cpu')],
      default: 'same',
      description:
        'number format of the video prefill on the CPU, where it is to be another than execution.precision',
      source: OURS,
    },
  },
  {
    name: 'execution.threads',
    settable: 'unconfigured',
    field: {
      type: 'integer',
      default: 0,
      min: 0,
      max: 1024,
      description: 'CPU threads that one inference uses; 0 = one for each physical core',
      source: OURS,
    },
  },
];

const taskParameters: readonly Parameter[] = [
  {
    name: 'instruction',
    settable: 'live',
    field: {
      type: 'text',
      default: '',
      description:
        "task to follow until the instruction topic says another; without the prompt template. A change starts a new episode. Empty: the bundle's only instruction, else none",
      source: OURS,
    },
  },
  {
    name: 'instruction_topic',
    settable: 'unconfigured',
    field: {
      type: 'text',
      default: 'instruction',
      description: 'topic (std_msgs/msg/String) on which instructions come',
      source: OURS,
    },
  },
  {
    name: 'executor_state_topic',
    settable: 'unconfigured',
    field: {
      type: 'text',
      default: 'action_executor/state',
      description:
        "topic of the executor's state (fast_wam_msgs/msg/ExecutorState): after the robot was held no chunk is guided towards one from before (rtc.enabled)",
      source: OURS,
    },
  },
  {
    name: 'text_encoder.path',
    settable: 'live',
    field: {
      type: 'text',
      default: '',
      description:
        'folder or file of the UMT5 encoder that encodes instructions which the bundle does not know, in a process of its own while the running one goes on. Empty: they are refused',
      source: OURS,
    },
  },
  {
    name: 'text_encoder.tokenizer',
    settable: 'live',
    field: {
      type: 'text',
      default: '',
      description: "the encoder's tokenizer.json or spiece.model; empty: it lies beside the encoder",
      source: OURS,
    },
  },
  {
    name: 'text_encoder.keep',
    settable: 'live',
    field: {
      type: 'number',
      default: 300,
      min: 0,
      max: 1e6,
      description: 'time for which the process that encodes is kept when it has nothing to do',
      unit: 's',
      source: OURS,
    },
  },
  {
    name: 'proprio.sources',
    settable: 'unconfigured',
    field: {
      type: 'names',
      default: [],
      description:
        'sources whose numbers make up the proprioception, in the order the policy takes them; empty: the only one that has a topic',
      source: OURS,
    },
  },
];

const cacheParameters: readonly Parameter[] = [
  {
    name: 'cache.policy',
    settable: 'live',
    field: {
      type: 'enum',
      values: POLICIES.map(({ name }) => name),
      default: 'c3ache',
      description: 'what is reused across or within chunks; a change empties the cache',
      source: OURS,
    },
  },
  ...POLICIES.flatMap((policy) =>
    Object.entries(policy.fields).map(([field, definition]): Parameter => ({
      name: parameterName(policy, field),
      settable: 'live',
      field: definition,
    })),
  ).filter(({ name }, i, all) => all.findIndex((other) => other.name === name) === i),
];

const rtcParameters: readonly Parameter[] = Object.entries(RTC_FIELDS).map(
  ([field, definition]): Parameter => ({ name: `rtc.${field}`, settable: 'live', field: definition }),
);

const runParameters: readonly Parameter[] = [
  {
    name: 'sampler.seed',
    settable: 'live',
    fromModel: ({ seed }) => seed,
    field: {
      type: 'integer',
      default: 42,
      min: 0,
      max: 2 ** 32 - 1,
      description: 'seed of the starting noise; a change empties the cache',
      source: 'the public evaluation',
    },
  },
  {
    name: 'sampler.noise',
    settable: 'live',
    field: {
      type: 'enum',
      values: NOISE_MODES,
      default: 'fixed',
      description:
        'fixed: the same noise for every chunk, as the public evaluation; fresh: seed + chunk number; episode: seed + episode number. A change empties the cache',
      source: 'the public evaluation',
    },
  },
  {
    name: 'control.rate',
    settable: 'live',
    fromModel: ({ control }) => control.rate,
    field: {
      type: 'number',
      default: 10,
      min: 0.01,
      max: 1000,
      description: 'control steps per second; actions are 1/rate apart',
      unit: 'Hz',
      source: 'the bundle',
    },
  },
  {
    name: 'control.replan_steps',
    settable: 'live',
    fromModel: ({ control }) => control.replanSteps,
    field: {
      type: 'integer',
      default: 10,
      min: 1,
      max: 10_000,
      description:
        'actions to execute before the next chunk; a chunk is due every replan_steps / rate seconds',
      unit: 'steps',
      source: 'the bundle',
    },
  },
  {
    name: 'control.trigger',
    settable: 'live',
    field: {
      type: 'enum',
      values: ['periodic', 'request'],
      default: 'periodic',
      description: 'periodic: chunks come by the clock; request: only when ~/infer asks for one',
      source: OURS,
    },
  },
  {
    name: 'observation.max_age',
    settable: 'live',
    field: {
      type: 'number',
      default: 0.5,
      min: 0,
      max: LONG,
      description: 'an observation with an older source than this is not acted on',
      unit: 's',
      source: OURS,
    },
  },
  {
    name: 'observation.max_skew',
    settable: 'live',
    field: {
      type: 'number',
      default: 0.1,
      min: 0,
      max: LONG,
      description: 'an observation whose camera frames are further apart than this is not acted on',
      unit: 's',
      source: OURS,
    },
  },
  {
    name: 'observation.max_frozen',
    settable: 'live',
    field: {
      type: 'number',
      default: -1,
      min: -1,
      max: LONG,
      description:
        'how long a camera may repeat the same picture, pixel for pixel, with new stamps: a warning after half of it, then no chunk is made. 0 = as long as it likes. Below 0 = automatic: a warning after 2 s for a camera whose picture had changed before, and no chunk if the robot has moved meanwhile',
      unit: 's',
      source: OURS,
    },
  },
  {
    name: 'observation.max_deviation',
    settable: 'live',
    field: {
      type: 'number',
      default: 0,
      min: 0,
      max: LONG,
      description:
        'how far a number of the proprioception may lie from the data of training, in its standard deviations (half ranges where the bundle scales by ranges); a message with one beyond is not acted on, 6 is a good limit. 0 = no limit, and a warning beyond 6',
      source: OURS,
    },
  },
  {
    name: 'safety.limits',
    settable: 'live',
    field: {
      type: 'enum',
      values: ['clamp', 'refuse', 'none'],
      default: 'clamp',
      description:
        "actions outside the bundle's limits: clamp pulls them inside, refuse drops the chunk. none: also run a bundle that states no limits, because the robot enforces its own",
      source: OURS,
    },
  },
  DIAGNOSTICS_PERIOD,
  DIAGNOSTICS_FULL_NAME,
  BOND_PERIOD,
];

/** A parameter for each setting of a source, with the names that the mapping reads. */
function sourceFamily<K extends string>(
  prefix: string,
  keys: readonly K[],
  fields: Readonly<Record<K, ParameterField>>,
  defaults: Partial<Record<string, Parameter['fromOthers']>> = {},
): ParameterFamily[] {
  return keys.map((key) => {
    const fromOthers = defaults[key];
    return {
      pattern: `${prefix}.${key}`,
      parameter: { settable: 'unconfigured', field: fields[key], ...(fromOthers && { fromOthers }) },
    };
  });
}

const cameraFields: Readonly<Record<CameraKey, ParameterField>> = {
  topic: {
    type: 'text',
    default: '',
    description: "topic of this camera's images; every camera of the bundle needs one",
    source: OURS,
  },
  transport: {
    type: 'enum',
    values: TRANSPORTS,
    default: 'raw',
    description:
      'raw: sensor_msgs/msg/Image; compressed: sensor_msgs/msg/CompressedImage, also the default of topics that end in /compressed',
    source: 'image_transport',
  },
  encoding: {
    type: 'text',
    default: '',
    description: `what raw pixels are, in place of what messages say; for cameras and recordings that say only 8UC3: ${IMAGE_ENCODINGS.join(', ')}`,
    source: 'sensor_msgs/image_encodings',
  },
};

function vectorFields(of: string): Readonly<Record<VectorKey, ParameterField>> {
  return {
    topic: { type: 'text', default: '', description: `topic of ${of}`, source: OURS },
    type: {
      type: 'text',
      default: VECTOR_TYPES[0],
      description: `message type of ${of}: ${VECTOR_TYPES.join(', ')}; the bare name is enough`,
      source: OURS,
    },
    joints: {
      type: 'names',
      default: [],
      description: `${of}: joints of a JointState in the order the policy takes them; names of an array's elements`,
      source: OURS,
    },
    field: {
      type: 'enum',
      values: JOINT_FIELDS,
      default: 'position',
      description: `${of}: the part of a JointState that is read`,
      source: OURS,
    },
  };
}

const families: readonly ParameterFamily[] = [
  ...sourceFamily('cameras.<camera>', CAMERA_KEYS, cameraFields, {
    transport: (values, name) => transportOf(values.get(name.replace(/transport$/, 'topic'))),
  }),
  ...sourceFamily('proprio.<source>', VECTOR_KEYS, vectorFields('this source of proprioception')),
  // of recordings; the node accepts them so that one file serves both
  ...sourceFamily('commands', VECTOR_KEYS, vectorFields('the executed actions in a recording; replay only')),
];

/** The parameters of the policy node, in the order in which they are documented. Replay reads the same names. */
export const POLICY_PARAMETERS = new ParameterTable(
  [...modelParameters, ...taskParameters, ...cacheParameters, ...rtcParameters, ...runParameters],
  families,
);
