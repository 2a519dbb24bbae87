import { UNCACHED as UNCACHED_CHOICE } from '../../src/cache/choice';
import type { Configuration } from '../../src/cache/choice';
import type {
  ActionGroup,
  ActionLayout,
  ChunkResult,
  Evaluation,
  ObservationFacts,
  Provenance,
  Warning,
} from '../../src/evaluation/types';
import type { StageTimes } from '../../src/policy/types';

/** mulberry32: a small deterministic generator of uniforms in [0, 1), for made-up data. */
export function uniforms(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A layout with one column for each name, one group, no gripper. */
export function simpleLayout(
  options: Partial<ActionLayout> & { readonly names: readonly string[] },
): ActionLayout {
  const { names } = options;
  const group: ActionGroup = {
    name: 'joints',
    unit: 'rad',
    indices: names.map((_, i) => i),
    kind: 'absolute',
  };
  return {
    units: names.map(() => 'rad'),
    groups: [group],
    grippers: [],
    horizon: 4,
    replanSteps: 2,
    controlRate: 10,
    steps: 10,
    ...options,
  };
}

/** A chunk that refreshed, with round times; override what matters. */
export function chunkOf(
  actions: readonly number[],
  options: {
    readonly times?: Partial<StageTimes>;
    readonly report?: Partial<ChunkResult['report']>;
    readonly normalised?: readonly number[];
  } = {},
): ChunkResult {
  return {
    actions: Float32Array.from(actions),
    normalised: Float32Array.from(options.normalised ?? actions),
    times: { decode: 0.01, vae: 0.02, prefill: 0.03, expert: 0.04, total: 0.1, ...options.times },
    report: {
      refreshed: true,
      reason: 'first_chunk',
      fullSteps: 10,
      reusedSteps: 0,
      stackEvaluations: 10,
      computedSubBlocks: 120,
      gateSeconds: 0,
      computed: new Uint8Array(10).fill(1),
      computedShape: 'steps',
      signals: {},
      fallbacks: 0,
      bytes: 0,
      ...options.report,
    },
  };
}

export function factsOf(
  episode: number,
  chunk: number,
  options: Partial<ObservationFacts> = {},
): ObservationFacts {
  return { episode, chunk, time: chunk / 5, instruction: 'stack', sources: [], skew: 0, ...options };
}

export interface FakeOptions {
  readonly robot: 'arm' | 'two_arms' | 'one_joint';
  readonly chunks: number;
  readonly episodes?: number;
  readonly configurations: readonly Configuration[];
  readonly recorded?: boolean;
  readonly residuals?: boolean;
  readonly instruction?: string;
  readonly warnings?: readonly Warning[];
}

const STEPS = 10;
const RATE = 20;

export function cachedConfiguration(refresh: number, end: number): Configuration {
  return {
    name: `c3ache R=${refresh} [0,${end}]`,
    policy: 'c3ache',
    values: { refresh_interval: refresh, range: [0, end] },
    companions: {},
  };
}

export const UNCACHED: Configuration = { ...UNCACHED_CHOICE, name: 'none' };

/** An evaluation of made-up smooth motions: nothing measured, everything of the right shape and repeatable. */
export function fakeEvaluation(options: FakeOptions): Evaluation {
  const layout = layoutOf(options.robot);
  const random = uniforms(7);
  const perEpisode = Math.ceil(options.chunks / (options.episodes ?? 1));
  const observations = Array.from({ length: options.chunks }, (_, i): ObservationFacts => {
    const time = (i * layout.replanSteps) / layout.controlRate;
    return {
      episode: Math.floor(i / perEpisode),
      chunk: i % perEpisode,
      time,
      instruction: options.instruction ?? 'Pick up the yellow bottle on the table.',
      sources: [
        { name: 'cam_high', age: 0.004 + 0.02 * random() },
        { name: 'joint_states', age: 0.001 + 0.004 * random() },
      ],
      skew: 0.01 * random(),
      ...(options.recorded !== false && { recorded: motion(layout, time, 0.004, random, options.robot) }),
    };
  });
  const runs = options.configurations.map((configuration) => ({
    configuration,
    chunks: observations.map((facts) => fakeChunk(configuration, facts, layout, random, options.robot)),
  }));
  const residualCosines =
    options.residuals === false
      ? undefined
      : observations.map(({ chunk }) =>
          chunk === 0
            ? undefined
            : Float64Array.from(
                { length: STEPS },
                (_, k) => 0.998 - 0.0009 * k * k - 0.004 * (k + 1) * random(),
              ),
        );
  return {
    layout,
    observations,
    runs,
    ...(residualCosines && { residualCosines }),
    warnings: options.warnings ?? [],
  };
}

function layoutOf(robot: FakeOptions['robot']): ActionLayout {
  const common = { horizon: 32, replanSteps: 10, controlRate: RATE, steps: STEPS };
  if (robot === 'one_joint') return simpleLayout({ names: ['slide'], ...common });
  if (robot === 'arm') {
    return {
      ...common,
      names: ['x', 'y', 'z', 'roll', 'pitch', 'yaw', 'gripper'],
      units: ['m', 'm', 'm', 'rad', 'rad', 'rad', ''],
      groups: [
        { name: 'translation', unit: 'm', indices: [0, 1, 2], kind: 'delta' },
        { name: 'rotation', unit: 'rad', indices: [3, 4, 5], kind: 'delta' },
        { name: 'gripper', unit: '', indices: [6], kind: 'absolute' },
      ],
      grippers: [{ index: 6, threshold: 0 }],
    };
  }
  const side = (name: string): string[] => [
    ...['shoulder_pan', 'shoulder_lift', 'elbow', 'wrist_1', 'wrist_2', 'wrist_3'].map((j) => `${name}_${j}`),
    `${name}_gripper`,
  ];
  return {
    ...common,
    names: [...side('left'), ...side('right')],
    units: Array.from({ length: 14 }, (_, i) => (i % 7 === 6 ? '' : 'rad')),
    groups: [
      { name: 'left arm', unit: 'rad', indices: [0, 1, 2, 3, 4, 5], kind: 'absolute' },
      { name: 'right arm', unit: 'rad', indices: [7, 8, 9, 10, 11, 12], kind: 'absolute' },
      { name: 'grippers', unit: '', indices: [6, 13], kind: 'absolute' },
    ],
    grippers: [
      { index: 6, threshold: 0.5 },
      { index: 13, threshold: 0.5 },
    ],
  };
}

/** Sums of slow sines with noise, [T, a]; grippers close and open every four seconds. */
function motion(
  layout: ActionLayout,
  time: number,
  noise: number,
  random: () => number,
  robot: FakeOptions['robot'],
): Float32Array {
  const width = layout.names.length;
  const values = new Float32Array(layout.horizon * width);
  const scale = robot === 'arm' ? 0.05 : 1;
  for (let k = 0; k < layout.horizon; k += 1) {
    const t = time + (k + 1) / layout.controlRate;
    for (let i = 0; i < width; i += 1) {
      const gripper = layout.grippers.find((g) => g.index === i);
      values[k * width + i] = gripper
        ? gripper.threshold +
          (Math.sin((2 * Math.PI * t) / 4 + i) > 0 ? 0.5 : -0.5) +
          noise * (random() - 0.5)
        : scale *
          (0.6 * Math.sin(0.9 * t + 1.7 * i) + 0.25 * Math.sin(2.3 * t + i) + 2 * noise * (random() - 0.5));
    }
  }
  return values;
}

function fakeChunk(
  { policy, values }: Configuration,
  { chunk, time }: ObservationFacts,
  layout: ActionLayout,
  random: () => number,
  robot: FakeOptions['robot'],
): ChunkResult {
  const every = values['refresh_interval'] as number | undefined;
  const end = (values['range'] as readonly number[] | undefined)?.[1] ?? 6;
  const refreshed = policy === 'none' || chunk === 0 || (!!every && chunk % every === 0);
  const age = every ? chunk % every : chunk;
  const reusedSteps = refreshed ? 0 : end + 1;
  const noise = 0.002 + (refreshed ? 0 : 0.004 * 2 ** (end - 5) * Math.min(age, 8));
  const actions = motion(layout, time, noise, random, robot);
  const computed = Uint8Array.from({ length: STEPS }, (_, k) => (refreshed || k > end ? 1 : 0));
  const jitter = 1 + 0.15 * random() ** 4;
  const expert = (0.0031 * (STEPS - reusedSteps) + 0.0004) * jitter;
  const times = { decode: 0.0021 * jitter, vae: 0.0078 * jitter, prefill: 0.0123 * jitter, expert };
  return {
    actions,
    normalised: robot === 'arm' ? actions.map((v) => v / 0.05) : actions.slice(),
    times: { ...times, total: times.decode + times.vae + times.prefill + expert + 0.0003 },
    report: {
      refreshed,
      reason: !refreshed ? '' : chunk === 0 ? 'first_chunk' : policy === 'none' ? 'never_reuses' : 'interval',
      fullSteps: STEPS - reusedSteps,
      reusedSteps,
      stackEvaluations: STEPS - reusedSteps,
      computedSubBlocks: 12 * (STEPS - reusedSteps),
      gateSeconds: refreshed ? 0 : 1e-5,
      computed,
      computedShape: 'steps',
      signals: {},
      fallbacks: 0,
      bytes: policy === 'none' ? 0 : 8 * STEPS * layout.horizon * layout.names.length,
    },
  };
}

/** Where the made-up figures claim to come from. */
export function fakeProvenance(options: Partial<Provenance> = {}): Provenance {
  return {
    command: [
      'fastwam',
      'replay',
      'bags/table_top',
      '--bundle',
      'bundles/table_top',
      '--refresh',
      '4',
      '--range',
      '0:6',
      '--out',
      'out/replay',
    ],
    startedAt: '2026-11-21T12:00:00.000Z',
    duration: 83.2,
    model: {
      name: 'table_top',
      path: 'bundles/table_top',
      fingerprint: 'b7c1d0e9f2a4',
      randomWeights: false,
      facts: [
        ['action expert', '30 blocks × 1024, 24 heads'],
        ['horizon', '32 actions, 10 executed'],
        ['sampler', '10 steps, shift 5'],
        ['image', '2 cameras, 224 × 448'],
      ],
    },
    recording: {
      name: 'table_top',
      path: 'bags/table_top',
      facts: [
        ['storage', 'MCAP, zstd'],
        ['duration', '26.7 s'],
        ['topics', '/front/image_raw, /wrist/image_raw, /joint_states, /instruction'],
      ],
    },
    versions: [
      ['fast-wam-policy', '0.1.0'],
      ['node', 'v20.20.2'],
      ['onnxruntime', '1.30.0'],
    ],
    machine: [
      ['processor', 'AMD EPYC 7763, 2 of 64 cores'],
      ['memory', '16 GiB'],
      ['execution', 'cpu, fp32, 2 threads'],
    ],
    settings: [
      ['sampler.noise', 'fixed'],
      ['sampler.seed', '42'],
      ['control.replan_steps', '10'],
      ['control.rate', '20 Hz'],
    ],
    ...options,
  };
}
