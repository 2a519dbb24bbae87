import { constants, copyFileSync, existsSync, mkdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { MANIFEST_FILE, TEXT_FOLDER } from '../bundle/Bundle';
import type { NamedWeights } from '../bundle/checkpointFiles';
import { fingerprint } from '../bundle/fingerprint';
import { manifestDimensions } from '../bundle/manifestDimensions';
import { BUNDLE_VERSION } from '../bundle/schema';
import type { BundleManifest, Cleaning, WeightSet } from '../bundle/schema';
import { UsageError } from '../errors';
import type { FloatType } from '../formats/halfPrecision';
import { writeAtomically, writeText } from '../formats/writeAtomically';
import { checkManifest } from '../bundle/checkManifest';
import { lockFolder } from '../formats/folderLock';
import { makeOutputFolder } from '../formats/outputFolder';
import type { RecordedScaling } from '../formats/scaling';
import type { TensorFile } from '../formats/StoredTensor';
import { checkZipContent } from '../formats/torchFile';
import {
  checkTextContext,
  findTextContexts,
  promptHash,
  promptOf,
  textContextSizes,
} from '../formats/textContext';
import {
  DEFAULT_VARIANT,
  GRAPH_NAMES,
  GRAPH_REVISION,
  buildGraph,
  graphDescription,
} from '../graphs/buildGraph';
import { createSchedule } from '../sampler/schedule';
import { readInstructions } from '../text/readInstructions';
import { lerobotCheckpoint } from './lerobot/lerobotCheckpoint';
import { originalCheckpoint } from './originalCheckpoint';
import { completeRobot, mergeRobots, readRobot, withoutUnits } from './robot';
import type { RobotDescription } from './robot';
import type { SourceCheckpoint } from './SourceCheckpoint';
import type { Finding } from './Finding';

const WEIGHT_FOLDER = 'weights';
/** Files up to this size are read whole at export, to find damage; larger ones by `info --verify`. */
const CHECKED_AT_ONCE = 256 * 2 ** 20;
/** Rows of a context where neither cached ones nor the configuration say it: the original's. */
const DEFAULT_CONTEXT_LENGTH = 128;

export interface ExportOptions {
  /** Fast-WAM checkpoint: .pt, .safetensors, an index of shards, or their folder; or `lerobot` */
  readonly checkpoint?: string;
  /** folder of a LeRobot policy */
  readonly lerobot?: string;
  /** the parts of the one picture that a LeRobot policy knows; see `readMosaic` */
  readonly mosaic?: string;
  /** Wan 2.2 VAE: .pth, .safetensors, or Diffusers' folder */
  readonly vae: string;
  /** folder of cached T5 contexts; a LeRobot policy can do without at first, and so can who has an encoder */
  readonly textEmbeds?: string;
  /** contexts are made afterwards: see `exportWithEncoder` */
  readonly encodes?: boolean;
  /** what is done to prompts before they are encoded; by default what the original or LeRobot did in training */
  readonly cleaning?: Cleaning;
  /** dataset-statistics JSON */
  readonly stats?: string;
  /** robot description, YAML */
  readonly robot?: string;
  /** task texts, one a line */
  readonly instructions?: string;
  /** `libero`, `robotwin`, or a file */
  readonly config?: string;
  /** in place of a LeRobot policy's own: type in which its images (and timesteps) are rounded */
  readonly torchDtype?: FloatType;
  /** type in which timesteps are rounded; by default as the checkpoint was run */
  readonly timestepDtype?: FloatType;
  /** which weights of a file that has a moving average too */
  readonly weights?: WeightSet;
  readonly name?: string;
  /** carry the weights instead of referring to them */
  readonly selfContained?: boolean;
  readonly out: string;
}

export interface ExportReport {
  readonly manifest: BundleManifest;
  /** what was found and decided, one line each, for people */
  readonly notes: readonly string[];
  readonly findings: readonly Finding[];
}

/**
 * Turns a checkpoint into a bundle: emits the graphs, records what the weights do not say, and refers to the
 * weights where they lie. Reads headers, time embeddings and modulations only.
 * @throws UsageError, FileFormatError, InputError naming the file, tensor or key; UsageError where another process exports
 * into the folder
 */
export function exportBundle(options: ExportOptions): ExportReport {
  const out = resolve(options.out);
  const isNew = !existsSync(out);
  const lock: { release?: () => void; refused?: true } = {};
  try {
    return writeBundle(options, out, () => {
      lock.refused = true;
      lock.release = lockFolder(out, { blocking: true });
      delete lock.refused;
    });
  } catch (error) {
    // A folder that looks like a bundle would be taken for one.
    if (isNew && !lock.refused && existsSync(out)) rmSync(out, { recursive: true, force: true });
    throw error;
  } finally {
    lock.release?.();
  }
}

/** @param take is called when the folder is there, before anything is written into it */
function writeBundle(options: ExportOptions, out: string, take: () => void): ExportReport {
  const contexts =
    options.textEmbeds === undefined ? new Map<string, string>() : cachedContexts(options.textEmbeds);
  const source = readSource(options, contexts);
  const notes = [
    `${countOf(source.policy)} parameters in ${source.policy.tensors.size} tensors of ${source.policy.path}; ${countOf(source.vae)} in the VAE`,
    ...source.notes,
  ];
  for (const file of contexts.values()) checkTextContext(file, textContextSizes(file), source.dims);
  for (const file of [...source.policy.files, ...source.vae.files]) {
    if (statSync(file).size <= CHECKED_AT_ONCE) checkZipContent(file);
  }
  makeOutputFolder(out);
  take();
  const weights =
    options.selfContained === true
      ? { policy: carry(source.policy, out), vae: carry(source.vae, out) }
      : { policy: source.policy, vae: source.vae };
  const manifest = describe(options, { ...source, ...weights }, contexts, out, notes);
  checkManifest(options.robot ?? join(out, MANIFEST_FILE), manifest);
  const { dims } = source;
  const schedule = createSchedule(dims.steps, dims.shift, source.timestepDtype);
  const graphs = {
    dimensions: dims,
    schedule,
    policyWeights: weights.policy,
    vaeWeights: weights.vae,
    imageInput: source.image ? ('float32' as const) : ('uint8' as const),
  };
  for (const name of GRAPH_NAMES) {
    const bytes = buildGraph(name, graphs, DEFAULT_VARIANT).model(graphDescription(name));
    writeAtomically(join(out, manifest.graphs[name]), (sink) => sink.write(bytes));
  }
  writeText(join(out, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
  return { manifest, notes, findings: source.findings };
}

function readSource(options: ExportOptions, contexts: ReadonlyMap<string, string>): SourceCheckpoint {
  const { checkpoint, lerobot, textEmbeds } = options;
  const paths = [
    ['--checkpoint', checkpoint],
    ['--lerobot', lerobot],
    ['--vae', options.vae],
  ] as const;
  for (const [flag, path] of paths) {
    if (path !== undefined && !existsSync(path))
      throw new UsageError(`${flag} ${path}: no such file or folder`);
  }
  if ((checkpoint === undefined) === (lerobot === undefined)) {
    throw new UsageError('give the model as --checkpoint F or as --lerobot DIR, one of the two');
  }
  const contextLength = textEmbeds === undefined ? undefined : contextTokens(contexts);
  if (lerobot === undefined) {
    if (contextLength === undefined && options.encodes !== true) {
      throw new UsageError(
        'give the texts as --text-embeds DIR (cached T5 contexts) or as --text-encoder DIR with --instructions F',
      );
    }
    if (options.mosaic !== undefined)
      throw new UsageError('--mosaic belongs to --lerobot; with --checkpoint give cameras in --robot');
    return originalCheckpoint({
      ...options,
      checkpoint: checkpoint ?? '',
      contextLength: contextLength ?? DEFAULT_CONTEXT_LENGTH,
    });
  }
  if (options.stats !== undefined) {
    throw new UsageError(
      '--stats: a LeRobot policy has its statistics with it, in its processors; leave it out',
    );
  }
  return lerobotCheckpoint({ ...options, lerobot });
}

function describe(
  options: ExportOptions,
  source: SourceCheckpoint,
  contexts: ReadonlyMap<string, string>,
  out: string,
  notes: string[],
): BundleManifest {
  const { dims, image, relative } = source;
  const given = options.robot === undefined ? {} : readRobot(options.robot);
  // Units that were known beforehand are those of actions that statistics have turned back; --robot may still say some.
  const described = source.normalised ? withoutUnits(source.robot) : source.robot;
  const robot = mergeRobots(described, image ? turnedCameras(source.robot, given, options) : given);
  const entries = completeRobot(robot, {
    ...dims,
    normalised: source.normalised,
    rate: source.rate,
    replanSteps: source.replanSteps,
  });
  if (entries.actions.limits === null) {
    notes.push('no action limits: the node will refuse to drive a robot until --robot states them');
  }
  const instructions = knownInstructions(options, source.promptTemplate, contexts, notes);
  if (contexts.size === 0 && options.encodes !== true) {
    notes.push(
      'no text contexts: the bundle knows no instruction until one is encoded (--text-embeds, fastwam encode)',
    );
  }
  return {
    format: 'fast-wam-bundle',
    version: BUNDLE_VERSION,
    name: options.name ?? robot.name ?? basename(out),
    created_by: 'fast-wam-policy',
    dimensions: manifestDimensions(dims),
    weights: {
      policy: {
        ...weightsReference(source.policy, out),
        ...(options.weights !== undefined && { set: options.weights }),
      },
      vae: weightsReference(source.vae, out),
      text_embeds: placeContexts(options, contexts, source, out),
    },
    graphs: {
      revision: GRAPH_REVISION,
      vae_encoder: 'vae_encoder.onnx',
      context: 'context.onnx',
      prefill: 'prefill.onnx',
      expert: 'expert.onnx',
    },
    sampler: {
      steps: dims.steps,
      shift: dims.shift,
      ...(source.timestepDtype !== 'float32' && { timestep_dtype: source.timestepDtype }),
      ...(source.seed !== undefined && { seed: source.seed }),
    },
    control: entries.control,
    prompt_template: source.promptTemplate,
    text: { cleaning: options.cleaning ?? (options.lerobot === undefined ? 'upstream' : 'none') },
    instructions,
    cameras: entries.cameras,
    ...(image && { image }),
    proprio: { ...entries.proprio, normaliser: recorded(source.proprio) },
    actions: {
      ...entries.actions,
      normaliser: recorded(source.action),
      ...(relative.length > 0 && { relative: [...relative] }),
    },
  };
}

/**
 * A policy that knows its cameras says where they lie; a robot's description can only say that they hang upside down.
 * @throws UsageError for a camera that the policy does not have
 */
function turnedCameras(
  known: RobotDescription,
  given: RobotDescription,
  { robot: file }: ExportOptions,
): RobotDescription {
  const { cameras: described, ...rest } = given;
  if (!described) return rest;
  const cameras = known.cameras ?? [];
  const stray = described.find(({ name }) => !cameras.some((camera) => camera.name === name));
  if (stray) {
    throw new UsageError(
      `${file}: cameras: the policy has no camera ${stray.name}; its cameras are ${cameras.map(({ name }) => name).join(', ')}`,
    );
  }
  return {
    ...rest,
    cameras: cameras.map((camera) => ({
      ...camera,
      rotate180: described.find(({ name }) => name === camera.name)?.rotate180 ?? camera.rotate180,
    })),
  };
}

/** A map as `bundle.json` holds it. */
function recorded(scaling: RecordedScaling): BundleManifest['actions']['normaliser'] {
  if ('statistics' in scaling) {
    const [first, second] = scaling.statistics;
    return {
      mode: scaling.mode,
      statistics: [Array.from(first), Array.from(second)],
      ...(scaling.eps !== undefined && { eps: scaling.eps }),
    };
  }
  return { mode: scaling.mode, scale: Array.from(scaling.scale), offset: Array.from(scaling.offset) };
}

/** The files of a checkpoint as the bundle refers to them. */
function weightsReference({ files }: NamedWeights, out: string): BundleManifest['weights']['policy'] {
  const [first, ...others] = files.map((file) => ({ path: relative(out, file), ...fingerprint(file) }));
  if (!first) throw new Error('a checkpoint has a file');
  return { ...first, ...(others.length > 0 && { shards: others }) };
}

/** The text contexts in a folder. @throws UsageError where there is no such folder */
function cachedContexts(folder: string): ReadonlyMap<string, string> {
  if (!existsSync(folder)) throw new UsageError(`--text-embeds ${folder}: no such file or folder`);
  return findTextContexts(folder);
}

/** The instructions that have a cached context. */
function knownInstructions(
  { instructions: file, encodes }: ExportOptions,
  template: string,
  contexts: ReadonlyMap<string, string>,
  notes: string[],
): string[] {
  if (file === undefined) return [];
  const tasks = readInstructions(file);
  const known = tasks.filter((task) => contexts.has(promptHash(promptOf(template, task))));
  const lacking = tasks.filter((task) => !known.includes(task));
  if (lacking.length > 0 && encodes !== true) {
    notes.push(
      `no cached text context for: ${lacking.map((t) => `"${t}"`).join(', ')}; --text-encoder would make them`,
    );
  }
  return known;
}

/** Tokens of the cached contexts, read from the first. */
function contextTokens(contexts: ReadonlyMap<string, string>): number {
  const first = contexts.values().next();
  if (first.done) {
    throw new UsageError('--text-embeds: no file named <sha256>.t5_len<n>.wan22ti2v5b.pt in that folder');
  }
  return textContextSizes(first.value).tokens;
}

/** Contexts stay where they are beside the weights; from any other folder they are carried into the bundle. */
function placeContexts(
  options: ExportOptions,
  contexts: ReadonlyMap<string, string>,
  weights: { policy: NamedWeights; vae: NamedWeights },
  out: string,
): string {
  if (options.textEmbeds === undefined) {
    mkdirSync(join(out, TEXT_FOLDER), { recursive: true });
    return TEXT_FOLDER;
  }
  const folder = realpathSync(options.textEmbeds);
  const homes = [out, ...[weights.policy, weights.vae].map(({ files: [file = ''] }) => dirname(file))];
  const reachable = homes.some((home) => folder === home || folder.startsWith(home + sep));
  if (reachable && !options.selfContained) return relative(out, folder) || '.';
  mkdirSync(join(out, TEXT_FOLDER), { recursive: true });
  for (const file of contexts.values()) place(file, join(out, TEXT_FOLDER, basename(file)));
  return TEXT_FOLDER;
}

/** Brings a checkpoint's files into the bundle. @throws UsageError where two of them have one name */
function carry(weights: NamedWeights, out: string): NamedWeights {
  mkdirSync(join(out, WEIGHT_FOLDER), { recursive: true });
  const targets = new Map<string, string>();
  for (const file of weights.files) {
    const target = join(out, WEIGHT_FOLDER, basename(file));
    if ([...targets.values()].includes(target)) {
      throw new UsageError(`--self-contained: two files of weights are called ${basename(file)}; rename one`);
    }
    place(file, target);
    targets.set(file, target);
  }
  const tensors = new Map(
    [...weights.tensors].map(([name, tensor]) => [
      name,
      { ...tensor, file: targets.get(tensor.file) ?? tensor.file },
    ]),
  );
  return { ...weights, tensors, files: [...targets.values()] };
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
