import { constants, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { MANIFEST_FILE } from '../bundle/Bundle';
import { policyTensors, vaeTensors } from '../bundle/checkpointFiles';
import { fingerprint } from '../bundle/fingerprint';
import { dimensionsFromWeights } from '../bundle/layout';
import type { ModelDimensions } from '../bundle/layout';
import { manifestDimensions } from '../bundle/manifestDimensions';
import { BUNDLE_VERSION } from '../bundle/schema';
import type { BundleManifest } from '../bundle/schema';
import { InputError, UsageError } from '../errors';
import { makeOutputFolder } from '../formats/outputFolder';
import { concatenateFields, openDatasetStats } from '../formats/datasetStats';
import type { FieldStatistics } from '../formats/datasetStats';
import { createNormaliser } from '../formats/normaliser';
import type { TensorFile } from '../formats/StoredTensor';
import { findTextContexts, openTextContext, promptHash } from '../formats/textContext';
import {
  DEFAULT_VARIANT,
  GRAPH_NAMES,
  GRAPH_REVISION,
  buildGraph,
  graphDescription,
} from '../graphs/buildGraph';
import { createSchedule } from '../sampler/schedule';
import { DEFAULT_PROMPT_TEMPLATE, configuredDimensions, readModelConfig } from './modelConfig';
import type { ModelConfig } from './modelConfig';
import { completeRobot, mergeRobots, readRobot } from './robot';

const TEXT_FOLDER = 'text_embeds';
const WEIGHT_FOLDER = 'weights';
/** Normaliser of a checkpoint whose dataset has no statistics. */
const DEFAULT_NORMALISATION = 'min/max';

export interface ExportOptions {
  /** Fast-WAM checkpoint, .pt or .safetensors */
  readonly checkpoint: string;
  /** Wan 2.2 VAE, .pth or .safetensors */
  readonly vae: string;
  /** folder of cached T5 contexts */
  readonly textEmbeds: string;
  /** dataset-statistics JSON */
  readonly stats?: string;
  /** robot description, YAML */
  readonly robot?: string;
  /** task texts, one a line */
  readonly instructions?: string;
  /** `libero`, `robotwin`, or a file */
  readonly config?: string;
  readonly name?: string;
  /** carry the weights instead of referring to them */
  readonly selfContained?: boolean;
  readonly out: string;
}

export interface ExportReport {
  readonly manifest: BundleManifest;
  /** what was found and decided, one line each, for people */
  readonly notes: readonly string[];
}

/**
 * Turns a checkpoint into a bundle: emits the graphs, records what the weights do not say, and refers to the
 * weights where they lie. Reads headers, time embeddings and modulations only.
 * @throws UsageError, FileFormatError, InputError naming the file, tensor or key
 */
export function exportBundle(options: ExportOptions): ExportReport {
  for (const [flag, path] of [
    ['--checkpoint', options.checkpoint],
    ['--vae', options.vae],
    ['--text-embeds', options.textEmbeds],
  ] as const) {
    if (!existsSync(path)) throw new UsageError(`${flag} ${path}: no such file or folder`);
  }
  const notes: string[] = [];
  const source = options.config === undefined ? { config: {} } : readModelConfig(options.config);
  const out = resolve(options.out);
  const policy = policyTensors(resolve(options.checkpoint));
  const vae = vaeTensors(resolve(options.vae));
  const contexts = findTextContexts(options.textEmbeds);
  const contextLength = contextTokens(contexts);
  const dims = dimensionsFromWeights({ policy, vae }, configuredDimensions(source.config, contextLength));
  notes.push(
    `${countOf(policy)} parameters in ${policy.tensors.size} tensors of ${options.checkpoint}; ${countOf(vae)} in the VAE`,
  );
  makeOutputFolder(out);
  const carried = options.selfContained === true;
  const weights = carried
    ? { policy: carry(policy, out, policyTensors), vae: carry(vae, out, vaeTensors) }
    : { policy, vae };
  const manifest = describe(options, source, dims, weights, contexts, out, notes);
  const schedule = createSchedule(dims.steps, dims.shift);
  const graphs = { dimensions: dims, schedule, policyWeights: weights.policy, vaeWeights: weights.vae };
  for (const name of GRAPH_NAMES) {
    const bytes = buildGraph(name, graphs, DEFAULT_VARIANT).model(graphDescription(name));
    writeFileSync(join(out, manifest.graphs[name]), bytes);
  }
  writeFileSync(join(out, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
  return { manifest, notes };
}

function describe(
  options: ExportOptions,
  source: ReturnType<typeof readModelConfig>,
  dims: ModelDimensions,
  weights: { policy: TensorFile; vae: TensorFile },
  contexts: ReadonlyMap<string, string>,
  out: string,
  notes: string[],
): BundleManifest {
  const { config } = source;
  const given = options.robot === undefined ? {} : readRobot(options.robot);
  const robot = mergeRobots(source.robot ?? {}, given);
  const normalisers = normalisersOf(options.stats, config, dims, notes);
  const entries = completeRobot(robot, {
    ...dims,
    normalised: options.stats === undefined,
    rate: config.control_rate,
    replanSteps: config.replan_steps,
  });
  if (entries.actions.limits === null) {
    notes.push('no action limits: the node will refuse to drive a robot until --robot states them');
  }
  const template = config.prompt_template ?? DEFAULT_PROMPT_TEMPLATE;
  const instructions = readInstructions(options.instructions, template, contexts, notes);
  const reference = (file: TensorFile): BundleManifest['weights']['policy'] => ({
    path: relative(out, file.path),
    ...fingerprint(file.path),
  });
  return {
    format: 'fast-wam-bundle',
    version: BUNDLE_VERSION,
    name: options.name ?? robot.name ?? basename(out),
    created_by: 'fast-wam-policy',
    dimensions: manifestDimensions(dims),
    weights: {
      policy: reference(weights.policy),
      vae: reference(weights.vae),
      text_embeds: placeContexts(options, contexts, weights, out),
    },
    graphs: {
      revision: GRAPH_REVISION,
      vae_encoder: 'vae_encoder.onnx',
      context: 'context.onnx',
      prefill: 'prefill.onnx',
      expert: 'expert.onnx',
    },
    sampler: { steps: dims.steps, shift: dims.shift },
    control: entries.control,
    prompt_template: template,
    instructions,
    cameras: entries.cameras,
    proprio: { ...entries.proprio, normaliser: normalisers.proprio },
    actions: { ...entries.actions, normaliser: normalisers.action },
  };
}

type ScalingEntry = BundleManifest['actions']['normaliser'];

function normalisersOf(
  stats: string | undefined,
  config: ModelConfig,
  dims: ModelDimensions,
  notes: string[],
): { proprio: ScalingEntry; action: ScalingEntry } {
  if (stats === undefined) {
    notes.push('no --stats: proprioception and actions stay in the network’s normalised units');
    const identity = (dim: number): ScalingEntry => ({
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
  const entry = (kind: string, field: FieldStatistics, dim: number): ScalingEntry => {
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

function readInstructions(
  file: string | undefined,
  template: string,
  contexts: ReadonlyMap<string, string>,
  notes: string[],
): string[] {
  if (file === undefined) return [];
  if (!existsSync(file)) throw new UsageError(`--instructions ${file}: no such file`);
  const tasks = readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.length > 0);
  const known = tasks.filter((task) => contexts.has(promptHash(template.replace('{task}', () => task))));
  const lacking = tasks.filter((task) => !known.includes(task));
  if (lacking.length > 0) {
    notes.push(`no cached text context for: ${lacking.map((t) => `"${t}"`).join(', ')}`);
  }
  return [...new Set(known)];
}

/** Tokens of the cached contexts, read from the first. */
function contextTokens(contexts: ReadonlyMap<string, string>): number {
  const first = contexts.values().next();
  if (first.done) {
    throw new UsageError('--text-embeds: no file named <sha256>.t5_len<n>.wan22ti2v5b.pt in that folder');
  }
  return openTextContext(first.value).tokens;
}

/** Contexts stay where they are beside the weights; from any other folder they are carried into the bundle. */
function placeContexts(
  options: ExportOptions,
  contexts: ReadonlyMap<string, string>,
  weights: { policy: TensorFile; vae: TensorFile },
  out: string,
): string {
  const folder = resolve(options.textEmbeds);
  const homes = [out, dirname(weights.policy.path), dirname(weights.vae.path)];
  const reachable = homes.some((home) => folder === home || folder.startsWith(home + sep));
  if (reachable && !options.selfContained) return relative(out, folder) || '.';
  mkdirSync(join(out, TEXT_FOLDER), { recursive: true });
  for (const file of contexts.values()) place(file, join(out, TEXT_FOLDER, basename(file)));
  return TEXT_FOLDER;
}

/** Brings a weight file into the bundle. */
function carry(file: TensorFile, out: string, open: (path: string) => TensorFile): TensorFile {
  mkdirSync(join(out, WEIGHT_FOLDER), { recursive: true });
  const target = join(out, WEIGHT_FOLDER, basename(file.path));
  place(file.path, target);
  return open(target);
}

/**
 * Copies a file, sharing its blocks where the file system can. Not a hard link: onnxruntime refuses external data
 * in files that have several.
 */
function place(from: string, to: string): void {
  if (resolve(from) === resolve(to)) return;
  rmSync(to, { force: true });
  copyFileSync(from, to, constants.COPYFILE_FICLONE);
}

function countOf(file: TensorFile): string {
  let count = 0;
  for (const tensor of file.tensors.values()) count += tensor.shape.reduce((n, d) => n * d, 1);
  return count >= 1e9 ? `${(count / 1e9).toFixed(2)} B` : `${(count / 1e6).toFixed(2)} M`;
}
