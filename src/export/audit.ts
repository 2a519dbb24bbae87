import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Bundle, MANIFEST_FILE } from '../bundle/Bundle';
import { policyTensors } from '../bundle/checkpointFiles';
import type { NamedWeights } from '../bundle/checkpointFiles';
import { dimensionsFromWeights } from '../bundle/layout';
import { FastWamError, UsageError, messageOf } from '../errors';
import { concatenateFields, openDatasetStats } from '../formats/datasetStats';
import type { FieldStatistics, Statistic } from '../formats/datasetStats';
import { readFloat32 } from '../formats/readTensor';
import { openSafetensors } from '../formats/safetensors';
import { scalingOf } from '../formats/scaling';
import { findTextContexts, openTextContext } from '../formats/textContext';
import type { TextContext } from '../formats/textContext';
import type { Finding } from './Finding';
import { examineLerobot } from './lerobot/examineLerobot';
import { policyWeights, readLerobotPolicy } from './lerobot/lerobotCheckpoint';
import type { LerobotPolicy } from './lerobot/LerobotPolicy';
import { lerobotDimensions, policyFolder } from './lerobot/lerobotConfig';
import { DEFAULT_PROMPT_TEMPLATE, configuredDimensions, readModelConfig } from './modelConfig';
import { unusedTensors } from './originalCheckpoint';

export interface AuditOptions {
  /** dataset statistics of an original checkpoint */
  readonly stats?: string | undefined;
  /** its configuration, or for a LeRobot policy the benchmark whose robot it drives */
  readonly config?: string | undefined;
}

export interface Audit {
  readonly kind: 'LeRobot policy' | 'checkpoint' | 'bundle';
  readonly path: string;
  readonly findings: readonly Finding[];
}

/** Values this much wider than the bulk make a range of it. */
const OUTLIER = 4;

/**
 * Looks through a LeRobot policy, a checkpoint or a bundle for what goes wrong on robots: everything that would be refused,
 * and everything that would run and may not do what was meant. Weights are not read, only their names and shapes.
 * @throws UsageError where there is nothing to look at
 */
export function audit(path: string, options: AuditOptions = {}): Audit {
  if (!existsSync(path)) throw new UsageError(`${path}: no such file or folder`);
  if (existsSync(join(path, MANIFEST_FILE))) return { kind: 'bundle', path, findings: auditBundle(path) };
  if (isPolicyFolder(path)) return { kind: 'LeRobot policy', path, findings: auditLerobot(path, options) };
  return { kind: 'checkpoint', path, findings: auditCheckpoint(path, options) };
}

function isPolicyFolder(path: string): boolean {
  if (!statSync(path).isDirectory()) return false;
  try {
    const folder = policyFolder(path);
    // The original's own folders have a config.json too, with the sizes in it.
    return !readdirSync(folder).some((name) => name === 'fastwam.pt');
  } catch (error) {
    if (error instanceof UsageError) return false;
    throw error;
  }
}

/** Runs a part of the examination; what it refuses becomes a finding, and the rest goes on. */
function examined<T>(findings: Finding[], where: string, run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof FastWamError)) throw error;
    findings.push({
      id: 'refused',
      level: 'refused',
      finding: messageOf(error).replace(`${where}: `, ''),
      where,
      effect: 'it cannot be exported, so no robot moves on it',
      remedy: 'as the sentence says',
    });
    return undefined;
  }
}

function auditLerobot(path: string, { config: benchmark }: AuditOptions): Finding[] {
  const findings: Finding[] = [];
  const read = examined(findings, path, () => readLerobotPolicy(path));
  const folder = policyFolder(path);
  const policy = examined(findings, folder, () => policyWeights(folder));
  if (!read) return findings;
  findings.push(...examineLerobot(read, { ...(policy && { policy }), benchmark }));
  if (policy) {
    // Without the VAE nothing says its size; any will do for the policy's own tensors.
    const stated = { ...lerobotDimensions(read.config, read.shift.shift), vaeDim: 1 };
    examined(findings, policy.path, () => dimensionsFromWeights({ policy }, stated));
    findings.push(...storedType(policy, read));
  }
  findings.push(...promptTemplate(read.config.prompt_template, join(folder, 'config.json')));
  findings.push(...lerobotOutliers(read));
  return findings;
}

function storedType(policy: NamedWeights, { config, folder }: LerobotPolicy): Finding[] {
  const stored = policy.tensors.get('mixtures.action.head.weight')?.dtype;
  const expected = { float32: 'F32', bfloat16: 'BF16', float16: 'F16' }[config.torch_dtype];
  if (stored === undefined || stored === expected) return [];
  return [
    {
      id: 'stored-type',
      level: 'note',
      finding: `the weights are stored as ${stored}, torch_dtype says ${config.torch_dtype}`,
      where: `${join(folder, 'config.json')}, torch_dtype`,
      effect:
        stored === 'F32'
          ? `pictures and timesteps are rounded to ${config.torch_dtype} as LeRobot does; the weights, which LeRobot rounds when it loads them, are used as they are stored, which is nearer to what was trained`
          : 'pictures and timesteps are rounded as torch_dtype says, as LeRobot does',
      remedy: 'export with --torch-dtype where the policy was evaluated in another type',
    },
  ];
}

function promptTemplate(template: string, where: string): Finding[] {
  if (template === DEFAULT_PROMPT_TEMPLATE) return [];
  return [
    {
      id: 'prompt-template',
      level: 'note',
      finding: `the prompt is ${JSON.stringify(template)}, not the original’s`,
      where,
      effect:
        'text contexts that were made with another template are other prompts: the policy may do another task or none',
      remedy: 'make contexts with this template (fastwam encode does)',
    },
  ];
}

/** Statistics of which a few frames decide: ranges much wider than the quantiles. */
function lerobotOutliers({ folder, processors }: LerobotPolicy): Finding[] {
  // Each is mapped by the statistics of its own pipeline.
  const kinds = [
    ['observation.state', processors.proprio.mode, 'policy_preprocessor'],
    ['action', processors.action.mode, 'policy_postprocessor'],
  ] as const;
  return kinds.flatMap(([feature, mode, pipeline]) => {
    const name = readdirSync(folder).find(
      (file) => file.startsWith(pipeline) && file.endsWith('.safetensors'),
    );
    if (name === undefined) return [];
    const where = join(folder, name);
    const { tensors } = openSafetensors(where);
    const values = (statistic: string): Float32Array | undefined => {
      const tensor = tensors.get(`${feature}.${statistic}`);
      return tensor && readFloat32(tensor);
    };
    return outliers(feature, mode, values, where);
  });
}

function outliers(
  feature: string,
  mode: string,
  values: (statistic: Statistic) => Float32Array | undefined,
  where: string,
): Finding[] {
  const [min, max, low, high] = [values('min'), values('max'), values('q01'), values('q99')];
  if (!min || !max || !low || !high) return [];
  const wide = [...min.keys()].filter((i) => {
    const bulk = (high[i] ?? 0) - (low[i] ?? 0);
    const range = (max[i] ?? 0) - (min[i] ?? 0);
    return bulk > 0 && range > OUTLIER * bulk;
  });
  if (wide.length === 0) return [];
  const byQuantiles = mode === 'QUANTILES' || mode === 'QUANTILE10' || mode === 'q01/q99';
  return [
    {
      id: 'outliers',
      level: byQuantiles ? 'note' : 'warning',
      finding: `${feature} ${wide.join(', ')}: the range is over ${OUTLIER} times that of 98 % of the frames`,
      where,
      effect: byQuantiles
        ? 'values beyond the quantiles are far outside [-1, 1], where the policy has seen little'
        : 'a few frames decide the scale, so that ordinary motion is a small part of it and noise a large one',
      remedy: 'look for frames with impossible values in the dataset',
    },
  ];
}

function auditCheckpoint(path: string, { stats, config }: AuditOptions): Finding[] {
  const findings: Finding[] = [];
  const policy = examined(findings, path, () => policyTensors(path));
  const source = config === undefined ? undefined : examined(findings, config, () => readModelConfig(config));
  if (policy) {
    const stated = { ...configuredDimensions(source?.config ?? {}, 1), vaeDim: 1 };
    if (source) examined(findings, policy.path, () => dimensionsFromWeights({ policy }, stated));
    findings.push(...unusedTensors(policy));
  }
  if (!source) {
    findings.push({
      id: 'no-configuration',
      level: 'warning',
      finding: 'no configuration was given',
      where: '--config',
      effect: 'image size, horizon, steps and shift stand in no weight; wrong ones give wrong actions',
      remedy: 'name libero, robotwin or a file of the training’s sizes',
    });
  } else {
    findings.push(...promptTemplate(source.config.prompt_template ?? DEFAULT_PROMPT_TEMPLATE, config ?? ''));
    const { replan_steps: steps, horizon = 32 } = source.config;
    if (steps !== undefined && steps > horizon) {
      findings.push({
        id: 'open-loop-chunk',
        level: 'warning',
        finding: `replan_steps is ${steps}, the horizon ${horizon}`,
        where: config ?? '',
        effect: 'there are not so many actions in a chunk',
        remedy: `lower replan_steps to ${horizon} or less`,
      });
    }
  }
  if (stats === undefined) {
    findings.push({
      id: 'no-statistics',
      level: 'warning',
      finding: 'no statistics were given',
      where: '--stats',
      effect:
        'states and actions stay in the network’s units, so that a robot would get numbers that mean nothing to it',
      remedy: 'name the dataset’s statistics',
    });
    return findings;
  }
  const read = examined(findings, stats, () => openDatasetStats(stats));
  if (!read) return findings;
  const mode = source?.config.normalisation ?? 'min/max';
  for (const [kind, fields] of [
    ['state', read.state],
    ['action', read.action],
  ] as const) {
    if (fields.size === 0) continue;
    const field = concatenateFields(fields);
    findings.push(
      ...outliers(kind, mode, (name) => field.values[name], stats),
      ...constantIn(kind, field, stats),
    );
  }
  return findings;
}

function constantIn(kind: string, { values }: FieldStatistics, where: string): Finding[] {
  const { min, max, std } = values;
  const constant = [...(std ?? min ?? []).keys()].filter((i) =>
    std ? (std[i] ?? 1) < 1e-6 : (max?.[i] ?? 1) - (min?.[i] ?? 0) < 1e-6,
  );
  if (constant.length === 0) return [];
  return [
    {
      id: kind === 'state' ? 'constant-state' : 'constant-action',
      level: kind === 'state' ? 'warning' : 'note',
      finding: `${kind} ${constant.join(', ')} did not change in the whole dataset`,
      where,
      effect:
        'what a constant divides by is close to 0: a deviation of a hair becomes the largest value there is',
      remedy: 'make sure that the sensor works and is meant to be there',
    },
  ];
}

function auditBundle(path: string): Finding[] {
  const findings: Finding[] = [];
  const file = join(path, MANIFEST_FILE);
  const bundle = examined(findings, file, () => Bundle.open(path));
  if (!bundle) return findings;
  const { manifest, dimensions } = bundle;
  const add = (finding: Finding): void => void findings.push(finding);
  const { limits, normaliser, items } = manifest.actions;
  if (limits === null) {
    add({
      id: 'no-limits',
      level: 'warning',
      finding: 'no action limits are stated',
      where: `${file}, actions.limits`,
      effect: 'the node refuses to drive a robot',
      remedy: 'state them in --robot, or safety.limits: none where there are none',
    });
  } else if (limits !== 'none') {
    // What the normalised ends of the dataset mean in the robot's units.
    const scaling = scalingOf(normaliser);
    const ends = [-1, 1].map((end) => scaling.denormalise(new Float32Array(dimensions.actionDim).fill(end)));
    const beyond = items.flatMap(({ name }, i) => {
      const values = ends.map((end) => end[i] ?? 0);
      const [low, high] = [limits.min?.[i] ?? -Infinity, limits.max?.[i] ?? Infinity];
      return Math.min(...values) < low || Math.max(...values) > high ? [name] : [];
    });
    if (beyond.length > 0) {
      add({
        id: 'actions-beyond-limits',
        level: 'warning',
        finding: `the dataset’s usual actions reach beyond the limits: ${beyond.join(', ')}`,
        where: `${file}, actions.limits`,
        effect: 'such actions are cut (or refused), and the robot does not reach where the policy aims',
        remedy: 'compare the limits with the robot that the data came from, and their units',
      });
    }
  }
  if (normaliser.mode === 'none') {
    add({
      id: 'no-statistics',
      level: 'warning',
      finding: 'actions are not denormalised',
      where: `${file}, actions.normaliser`,
      effect: 'a robot gets numbers of the network, which mean nothing to it unless it was trained so',
      remedy: 'export with the dataset’s statistics',
    });
  }
  if (manifest.control.replan_steps > dimensions.horizon) {
    add({
      id: 'open-loop-chunk',
      level: 'warning',
      finding: `replan_steps is ${manifest.control.replan_steps}, the horizon ${dimensions.horizon}`,
      where: `${file}, control.replan_steps`,
      effect: 'there are not so many actions in a chunk',
      remedy: `lower it to ${dimensions.horizon} or less`,
    });
  }
  if (manifest.weights.policy.sha256 === undefined) {
    add({
      id: 'no-hashes',
      level: 'note',
      finding: 'the weights are not hashed, or not yet',
      where: `${file}, weights.policy.sha256`,
      effect: 'info --verify has nothing to compare with',
      remedy: 'wait for the process that export named, or fastwam info --record',
    });
  }
  findings.push(...outliersBeside(bundle));
  findings.push(...promptTemplate(manifest.prompt_template, file), ...contextsOf(bundle, findings));
  return findings;
}

function contextsOf(bundle: Bundle, findings: Finding[]): Finding[] {
  const { textDim, contextLength } = bundle.dimensions;
  const files = [...findTextContexts(bundle.textFolder).values()];
  if (files.length === 0) {
    return [
      {
        id: 'no-contexts',
        level: 'warning',
        finding: 'the bundle knows no instruction',
        where: bundle.textFolder,
        effect: 'the node refuses every instruction',
        remedy: 'fastwam encode, or export with --text-embeds',
      },
    ];
  }
  const read = files.flatMap((file) => {
    const context = examined(findings, file, () => openTextContext(file));
    return context ? [{ file, ...context, size: meanSize(context) }] : [];
  });
  const sizes = read.flatMap(({ size }) => (size > 0 ? [size] : [])).sort((a, b) => a - b);
  const usual = sizes[sizes.length >> 1] ?? 0;
  return read.flatMap(({ file, tokens, dim, trueRows, size }) => {
    const other = (finding: string): Finding => ({
      id: 'context-of-another-encoder',
      level: 'warning',
      finding,
      where: file,
      effect: 'the policy reads another text than in training, or the chunk is refused',
      remedy: 'make the context with the encoder and length of the training (fastwam encode)',
    });
    if (dim !== textDim) return [other(`rows of ${dim} numbers, the policy takes ${textDim}`)];
    if (tokens !== contextLength)
      return [other(`${tokens} rows, the policy was trained with ${contextLength}`)];
    if (trueRows === 0) return [other('no row belongs to the prompt: its mask is all false')];
    if (size === 0) return [other('the prompt’s rows are zeros, which no encoder makes')];
    const ratio = Math.max(size, usual) / Math.min(size, usual);
    return ratio > OTHER_SIZE
      ? [
          other(
            `its values are ${ratio.toPrecision(2)} times ${size > usual ? 'larger' : 'smaller'} than the others’`,
          ),
        ]
      : [];
  });
}

/** The encoder ends with a norm, so that all its contexts have values of about one size; others are of another. */
const OTHER_SIZE = 8;

/** Root mean square of the values in the prompt's own rows. */
function meanSize({ context, trueRows, dim }: TextContext): number {
  const squares = context.reduce((sum, value) => sum + value * value, 0);
  return Math.sqrt(squares / Math.max(1, trueRows * dim));
}

/**
 * Outliers of the statistics that lie beside a bundle's weights: in the policy's own folder, or as the original's file. A
 * bundle itself records only the two that its map needs.
 */
function outliersBeside({ policyWeights, manifest }: Bundle): Finding[] {
  const folder = dirname([...policyWeights.tensors.values()][0]?.file ?? policyWeights.path);
  try {
    if (isPolicyFolder(folder)) return lerobotOutliers(readLerobotPolicy(folder));
    const stats = join(folder, 'dataset_stats.json');
    if (!existsSync(stats)) return [];
    const { state, action } = openDatasetStats(stats);
    return (
      [
        ['state', state, manifest.proprio],
        ['action', action, manifest.actions],
      ] as const
    ).flatMap(([kind, fields, { normaliser }]) => {
      if (fields.size === 0) return [];
      const { values } = concatenateFields(fields);
      return outliers(kind, normaliser.mode, (name) => values[name], stats);
    });
  } catch (error) {
    // What lies beside the weights need not be theirs; the bundle does not depend on it.
    if (error instanceof FastWamError) return [];
    throw error;
  }
}
