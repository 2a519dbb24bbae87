import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import type { z } from 'zod';
import { FileFormatError, InputError, UsageError } from '../errors';

import { readJson } from '../formats/readJson';
import type { TensorFile } from '../formats/StoredTensor';
import {
  checkTextContext,
  findTextContexts,
  openTextContext,
  promptHash,
  promptOf,
} from '../formats/textContext';
import { createSchedule } from '../sampler/schedule';
import type { Schedule } from '../sampler/types';
import { quoted } from '../words/quoted';
import { checkManifest } from './checkManifest';
import { fingerprint } from './fingerprint';
import { dimensionsFromManifest } from './manifestDimensions';
import { CONFIG_KEYS, dimensionsFromWeights } from './layout';
import type { ModelDimensions } from './layout';
import { policyTensors, vaeTensors } from './checkpointFiles';
import { BUNDLE_VERSION, bundleSchema } from './schema';
import type { BundleManifest, Cleaning } from './schema';

export const MANIFEST_FILE = 'bundle.json';
/** Folder in a bundle with text contexts of its own. */
export const TEXT_FOLDER = 'text_embeds';

/** T5 context of a task, [tokens, textDim], rows that the mask leaves out set to zero. */
export interface TaskContext {
  /** hash of the prompt */
  readonly key: string;
  readonly rows: Float32Array;
  readonly tokens: number;
}

/** One of the files that hold a bundle's weights. */
export interface WeightFile {
  readonly name: 'policy' | 'vae';
  /** absolute */
  readonly path: string;
  readonly size: number;
  readonly fingerprint: string;
  readonly sha256?: string | undefined;
}

/** What the weights do not say; the rest is to be found in them. */
function withoutSizes(dims: ModelDimensions): Partial<ModelDimensions> {
  const { height, width, horizon, heads, headDim, contextLength, steps, shift, eps } = dims;
  return { height, width, horizon, heads, headDim, contextLength, steps, shift, eps };
}

/** A model on disk: `bundle.json`, and the checkpoint whose tensors it refers to. Reading it reads no weights. */
export class Bundle {
  readonly dimensions: ModelDimensions;
  readonly schedule: Schedule;
  readonly #contexts: ReadonlyMap<string, string>;
  /** contexts that came while the bundle was open, by key */
  readonly #learned = new Map<string, TaskContext>();
  #policyWeights: TensorFile | undefined;
  #vaeWeights: TensorFile | undefined;

  private constructor(
    readonly folder: string,
    readonly manifest: BundleManifest,
  ) {
    this.dimensions = dimensionsFromManifest(manifest);
    this.schedule = scheduleOf(manifest);
    this.#contexts = this.#findContexts();
  }

  /** Files of contexts by key; the bundle's own come before those beside the checkpoint. */
  #findContexts(): ReadonlyMap<string, string> {
    if (!existsSync(this.textFolder)) {
      throw new FileFormatError(
        join(this.folder, MANIFEST_FILE),
        `weights.text_embeds names ${this.textFolder}, which does not exist; where the bundle or its checkpoint was moved, export it again, or with --self-contained`,
      );
    }
    const recorded = findTextContexts(this.textFolder);
    const own = join(this.folder, TEXT_FOLDER);
    if (own === this.textFolder || !existsSync(own)) return recorded;
    return new Map([...recorded, ...findTextContexts(own)]);
  }

  /**
   * Opens a bundle and checks that the weights are those it was made for.
   * @throws FileFormatError with the file, the key and what was expected
   */
  static open(folder: string): Bundle {
    const bundle = Bundle.describe(folder);
    bundle.#policyWeights = bundle.#openPolicy();
    bundle.#vaeWeights = bundle.#openVae();
    bundle.#checkSizes();
    return bundle;
  }

  /** @throws FileFormatError where `bundle.json` states other sizes than the weights have */
  #checkSizes(): void {
    const path = join(this.folder, MANIFEST_FILE);
    const stated = this.dimensions;
    const found = dimensionsFromWeights(
      { policy: this.policyWeights, vae: this.vaeWeights },
      withoutSizes(stated),
    );
    for (const key of Object.keys(CONFIG_KEYS) as (keyof ModelDimensions)[]) {
      if (JSON.stringify(found[key]) === JSON.stringify(stated[key])) continue;
      throw new FileFormatError(
        path,
        `dimensions.${CONFIG_KEYS[key]}: is ${JSON.stringify(stated[key])}, the weights have ${JSON.stringify(found[key])}; export the bundle again`,
      );
    }
  }

  /**
   * Opens a bundle as far as its description goes: the weights are looked at when they are first asked for. That takes
   * a tenth of a second for thousands of tensors, which a thread that has others to answer does not have.
   * @throws FileFormatError
   */
  static describe(folder: string): Bundle {
    const root = resolve(folder);
    const path = join(root, MANIFEST_FILE);
    const manifest = readManifest(path);
    try {
      return new Bundle(root, manifest);
    } catch (error) {
      // Sizes that fit for themselves and not together: what they are wrong in is the file.
      if (error instanceof UsageError || error instanceof InputError)
        throw new FileFormatError(path, error.message, { cause: error });
      throw error;
    }
  }

  /** @throws FileFormatError where it is not the checkpoint that the bundle was made for */
  get policyWeights(): TensorFile {
    return (this.#policyWeights ??= this.#openPolicy());
  }

  /** @throws FileFormatError where it is not the encoder that the bundle was made for */
  get vaeWeights(): TensorFile {
    return (this.#vaeWeights ??= this.#openVae());
  }

  #openPolicy(): TensorFile {
    return policyTensors(this.#checkedWeights('policy'), this.manifest.weights.policy.set);
  }

  #openVae(): TensorFile {
    return vaeTensors(this.#checkedWeights('vae'));
  }

  /** The type of the VAE's input: composed pixels, or LeRobot's rounded numbers. */
  get imageInput(): 'uint8' | 'float32' {
    return this.manifest.image === undefined ? 'uint8' : 'float32';
  }

  /** The files that hold the weights, as the bundle refers to them. */
  weightFiles(): readonly WeightFile[] {
    return (['policy', 'vae'] as const).flatMap((name) => this.#weightFiles(name));
  }

  #weightFiles(name: 'policy' | 'vae'): readonly WeightFile[] {
    const first = this.manifest.weights[name];
    return [first, ...(first.shards ?? [])].map(({ path, size, fingerprint, sha256 }) => ({
      name,
      path: resolve(this.folder, path),
      size,
      fingerprint,
      sha256,
    }));
  }

  #weightsPath(name: 'policy' | 'vae'): string {
    return resolve(this.folder, this.manifest.weights[name].path);
  }

  #checkedWeights(name: 'policy' | 'vae'): readonly string[] {
    return this.#weightFiles(name).map((entry) => this.#checkedFile(name, entry));
  }

  #checkedFile(name: 'policy' | 'vae', entry: WeightFile): string {
    const { path } = entry;
    if (!existsSync(path)) {
      throw new FileFormatError(
        join(this.folder, MANIFEST_FILE),
        `weights.${name}.path names ${path}, which does not exist; export the bundle again, or with --self-contained`,
      );
    }
    const found = fingerprint(path);
    if (found.size !== entry.size || found.fingerprint !== entry.fingerprint) {
      throw new FileFormatError(
        path,
        `is not the file that ${join(this.folder, MANIFEST_FILE)} was exported from (fingerprint differs); export the bundle again`,
      );
    }
    return path;
  }

  /** Folder of the cached text contexts; inside the bundle or beside the checkpoint. */
  get textFolder(): string {
    const path = resolve(this.folder, this.manifest.weights.text_embeds);
    const homes = [this.folder, dirname(this.#weightsPath('policy')), dirname(this.#weightsPath('vae'))];
    if (!homes.some((home) => path === home || path.startsWith(home + sep))) {
      throw new FileFormatError(
        join(this.folder, MANIFEST_FILE),
        `weights.text_embeds leaves the folders of the bundle and of its checkpoint`,
      );
    }
    return path;
  }

  /** Path of one of the bundle's ONNX files. */
  graphPath(name: Exclude<keyof BundleManifest['graphs'], 'revision' | 'sha256'>): string {
    const path = resolve(this.folder, this.manifest.graphs[name]);
    if (!path.startsWith(this.folder + sep)) {
      throw new FileFormatError(
        join(this.folder, MANIFEST_FILE),
        `graphs.${name} leaves the bundle's folder`,
      );
    }
    return path;
  }

  /** The prompt of a bare task text. */
  prompt(task: string): string {
    return promptOf(this.manifest.prompt_template, task);
  }

  /**
   * Hash of a task's prompt. A task may also be given as `sha256:<hash of the prompt>`, for contexts whose text is
   * not recorded.
   */
  #keyOf(task: string): string {
    const given = /^sha256:([0-9a-f]{64})$/.exec(task)?.[1];
    return given ?? promptHash(this.prompt(task));
  }

  /** What is done to prompts before they are encoded. */
  get cleaning(): Cleaning {
    return this.manifest.text?.cleaning ?? 'upstream';
  }

  /** Whether a task has a context. */
  knows(task: string): boolean {
    const key = this.#keyOf(task);
    return this.#learned.has(key) || this.#contexts.has(key);
  }

  /**
   * Takes the context of a task for as long as the bundle is open.
   * @param rows [n, textDim] of the prompt's own tokens
   * @throws InputError where it does not fit the model
   */
  learn(task: string, rows: Float32Array): void {
    const { textDim, contextLength } = this.dimensions;
    if (rows.length === 0 || rows.length % textDim !== 0 || rows.length > contextLength * textDim) {
      throw new InputError(
        `a context of ${rows.length} values does not fit a model that takes up to ${contextLength} rows of ${textDim}`,
      );
    }
    const all = new Float32Array(contextLength * textDim);
    all.set(rows);
    const key = this.#keyOf(task);
    this.#learned.set(key, { key, rows: all, tokens: contextLength });
  }

  /**
   * The cached context of a task.
   * @throws InputError that lists the known tasks
   */
  context(task: string): TaskContext {
    const key = this.#keyOf(task);
    const learned = this.#learned.get(key);
    if (learned) return learned;
    const file = this.#contexts.get(key);
    if (!file) throw new InputError(this.unknownTask(task));
    const context = openTextContext(file);
    checkTextContext(file, context, this.dimensions);
    const encoder = this.manifest.text?.encoder;
    if (encoder !== undefined && context.encoder !== undefined && context.encoder !== encoder) {
      throw new FileFormatError(
        file,
        `was made by another text encoder than the bundle's other contexts; remove it, and make it again with fastwam encode`,
      );
    }
    return { key, rows: context.context, tokens: context.tokens };
  }

  /** A task with a cached context, for work that needs any: a recorded one, else one by its hash. */
  anyTask(): string {
    const recorded = this.manifest.instructions.find((task) => this.knows(task));
    if (recorded !== undefined) return recorded;
    const [first] = this.#contexts.keys();
    if (first === undefined) {
      throw new InputError(`${this.textFolder} holds no cached text context, so the model cannot be run`);
    }
    return `sha256:${first}`;
  }

  /**
   * A known task that differs from this one by what is easily overlooked: a final dot, a capital at the start, spaces. Found
   * also where the texts are not recorded.
   */
  #nearTask(task: string): string | undefined {
    const plain = task
      .trim()
      .replace(/\s+/g, ' ')
      .replace(/[.!]+$/, '');
    const lower = plain.charAt(0).toLowerCase() + plain.slice(1);
    const upper = plain.charAt(0).toUpperCase() + plain.slice(1);
    const variants = [plain, lower, upper].flatMap((one) => [one, `${one}.`]);
    return variants.find((one) => one !== task && this.knows(one));
  }

  /** The sentence for a task without a context, with those that have one. */
  unknownTask(task: string): string {
    const meant = this.#nearTask(task);
    if (meant !== undefined) {
      return `unknown instruction ${quoted(task)}: every character counts; the bundle knows ${quoted(meant)}`;
    }
    const known = this.manifest.instructions;
    const hint =
      known.length > 0
        ? `known instructions: ${known.map((k) => quoted(k)).join(', ')}`
        : `the bundle has contexts of ${this.#contexts.size} prompts, whose texts are not recorded (export with --instructions)`;
    return `unknown instruction ${quoted(task)}: no cached text context for it (fastwam encode makes one); ${hint}`;
  }
}

/** The denoising schedule that a bundle states. */
export function scheduleOf({ sampler }: Pick<BundleManifest, 'sampler'>): Schedule {
  return createSchedule(sampler.steps, sampler.shift, sampler.timestep_dtype);
}

/** The public evaluation's. */
export const DEFAULT_SEED = 42;

/** The seed of the noise: the checkpoint's own, or that of the public evaluation. */
export function noiseSeed({ sampler }: Pick<BundleManifest, 'sampler'>): number {
  return sampler.seed ?? DEFAULT_SEED;
}

/** Of a robot with hundreds of joints and tens of thousands of instructions. */
const MANIFEST_LIMITS = { bytes: 8 * 2 ** 20, elements: 100_000 };

/** Reads and checks `bundle.json`. */
export function readManifest(path: string): BundleManifest {
  if (!existsSync(path)) {
    const folder = dirname(path);
    if (existsSync(folder) && !statSync(folder).isDirectory()) {
      throw new FileFormatError(folder, 'is a file; a bundle is a folder made by `fastwam export`');
    }
    throw new FileFormatError(path, 'does not exist; a bundle is a folder made by `fastwam export`');
  }
  const value = readJson(path, MANIFEST_LIMITS);
  const version = (value as { version?: unknown } | null)?.version;
  if (typeof version === 'number' && version !== BUNDLE_VERSION) {
    throw new FileFormatError(
      path,
      `has bundle version ${version}, this program reads ${BUNDLE_VERSION}; export it again`,
    );
  }
  const parsed = bundleSchema.safeParse(value);
  if (!parsed.success) throw new FileFormatError(path, describeIssue(parsed.error));
  checkManifest(path, parsed.data);
  return parsed.data;
}

/** The first problem of a document, with its place. */
function describeIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (!issue) return 'does not fit the schema';
  // Of several forms, say what is wrong with the one that comes nearest.
  const nearest =
    issue.code === 'invalid_union'
      ? [...issue.errors].sort((a, b) => a.length - b.length)[0]?.[0]
      : undefined;
  const place = [...issue.path, ...(nearest?.path ?? [])].map(String).join('.') || 'the document';
  return `${place}: ${nearest?.message ?? issue.message}`;
}
