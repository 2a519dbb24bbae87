import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { FileFormatError } from '../errors';
import type { StoredTensor, TensorFile } from '../formats/StoredTensor';
import { isShardIndex, readShardIndex } from '../formats/tensorShards';
import { openTensors } from '../formats/torchFile';
import { quoted } from '../words/quoted';
import { foreignFamily } from './foreignFamily';
import { LAYOUTS, policyName } from './policyNames';
import type { PolicyName } from './policyNames';
import type { WeightSet } from './schema';
import { vaeName } from './vaeNames';

/** The tensors of a checkpoint under the original's names, and how they came by them. */
export interface NamedWeights extends TensorFile {
  /** the files that hold them, without symbolic links */
  readonly files: readonly string[];
  /** what was done to the names, one line each, for people */
  readonly notes: readonly string[];
  /** other floating-point tensors in the files, by their own names: buffers, training state, other models */
  readonly others: readonly string[];
}

/** Names under which a folder keeps its weights, by preference. */
const FOLDER_NAMES = [
  'model.safetensors.index.json',
  'model.safetensors',
  'diffusion_pytorch_model.safetensors.index.json',
  'diffusion_pytorch_model.safetensors',
  'pytorch_model.bin.index.json',
  'pytorch_model.bin',
  'fastwam.pt',
  'mp_rank_00_model_states.pt',
  'Wan2.2_VAE.pth',
];

/**
 * The file of weights that a path stands for: itself, or what a folder holds under one of the usual names (also the step that
 * DeepSpeed's `latest` names).
 * @throws FileFormatError that says what was looked for
 */
export function weightsIn(path: string): string {
  if (!existsSync(path) || !statSync(path).isDirectory()) return path;
  const found = FOLDER_NAMES.map((name) => join(path, name)).find((file) => existsSync(file));
  if (found !== undefined) return found;
  const steps = readdirSync(path).filter((name) => /^global_step\d+$/.test(name));
  const inStep = steps.map((step) => join(path, step, 'mp_rank_00_model_states.pt')).filter(existsSync);
  if (inStep.length === 1 && inStep[0] !== undefined) return inStep[0];
  if (inStep.length > 1) {
    throw new FileFormatError(path, `has weights of several steps (${steps.join(', ')}); name one of them`);
  }
  if (steps.length > 0) {
    throw new FileFormatError(
      path,
      'has DeepSpeed’s weights in parts (ZeRO); join them with its zero_to_fp32.py and name the result',
    );
  }
  throw new FileFormatError(
    path,
    `is a folder without weights: looked for ${FOLDER_NAMES.slice(0, 4).join(', ')} and others; name the file`,
  );
}

/**
 * The tensors of a Fast-WAM checkpoint under `mixtures.…` and `proprio_encoder.…`, whatever layout, wrapper, prefix
 * or number of files they come in (see `policyNames.ts`).
 * @param source a file, an index of shards, a folder, or the files themselves
 * @param set which weights to take where the files hold a moving average too
 * @throws FileFormatError where there is no Fast-WAM in it, or where a tensor is there twice
 */
export function policyTensors(source: string | readonly string[], set?: WeightSet): NamedWeights {
  const opened = openAll(source, (name) => policyName(name) !== undefined);
  const found = [...opened.tensors].flatMap(([raw, tensor]) => {
    const read = policyName(raw);
    return read === undefined ? [] : [{ raw, tensor, read }];
  });
  // An alias is a second name for a tensor that the file keeps under its first alone.
  for (const [alias, kept] of Object.entries(opened.metadata)) {
    const tensor = opened.tensors.get(kept);
    const read = policyName(alias);
    if (tensor === undefined || read === undefined || policyName(kept) !== undefined) continue;
    found.push({ raw: alias, tensor, read });
  }
  const adapter = [...opened.tensors.keys()].find((raw) => ADAPTER.test(raw));
  if (adapter !== undefined || !found.some(({ read }) => read.name.startsWith('mixtures.'))) {
    throw new FileFormatError(opened.path, foreignFamily([...opened.tensors.keys()]));
  }
  const averaged = found.some(({ read }) => read.averaged);
  const trained = found.some(({ read }) => !read.averaged && read.name.startsWith('mixtures.'));
  if (averaged && trained && set === undefined) {
    throw new FileFormatError(
      opened.path,
      `has the weights twice: as they were trained, and their moving average (${prefixOf(found, true)}…); choose with --weights trained or --weights averaged`,
    );
  }
  const wantsAverage = averaged && set !== 'trained';
  const chosen = averaged && trained ? found.filter(({ read }) => read.averaged === wantsAverage) : found;
  const tensors = new Map<string, StoredTensor>();
  const rawOf = new Map<string, string>();
  for (const { raw, tensor, read } of chosen) {
    const { name } = read;
    const before = tensors.get(name);
    if (before && (before.file !== tensor.file || before.offset !== tensor.offset)) {
      throw new FileFormatError(
        opened.path,
        `has ${name} twice: as ${quoted(rawOf.get(name) ?? name)} and as ${quoted(raw)}; keep one of them`,
      );
    }
    tensors.set(name, { ...tensor, name });
    rawOf.set(name, raw);
  }
  const used = new Set(chosen.map(({ raw }) => raw));
  const others = [...opened.tensors.keys()].filter((raw) => !used.has(raw));
  return {
    path: opened.path,
    tensors,
    metadata: opened.metadata,
    files: filesOf(tensors),
    notes: [
      ...opened.notes,
      ...namingNotes(chosen.map(({ read }) => read)),
      ...(averaged
        ? [`weights: ${wantsAverage ? 'the moving average' : 'as trained, not their moving average'}`]
        : []),
    ],
    others,
  };
}

function prefixOf(found: readonly { read: PolicyName }[], averaged: boolean): string {
  return found.find(({ read }) => read.averaged === averaged)?.read.prefix ?? '';
}

/** Names of adapters, which may lie between the weights that they change. */
const ADAPTER = /[._]lora_|\.base_layer\./;

/** What was done to the names, in lines for people; nothing for the original's own. */
function namingNotes(names: readonly PolicyName[]): string[] {
  const notes: string[] = [];
  const layouts = [...new Set(names.map(({ layout }) => layout))].filter((layout) => layout !== 'original');
  if (layouts.length > 0) notes.push(`tensors: ${layouts.map((layout) => LAYOUTS[layout]).join(' and ')}`);
  const count = new Map<string, number>();
  for (const { prefix, inner } of names) {
    for (const part of new Set([...(prefix === '' ? [] : [prefix]), ...inner.map((word) => `${word}.`)])) {
      count.set(part, (count.get(part) ?? 0) + 1);
    }
  }
  for (const [part, times] of count) notes.push(`tensors: left ${quoted(part)} out of ${times} names`);
  return notes;
}

/** First parts of the names of a VAE; what stands before them is a wrapper. */
const VAE_ROOTS = ['encoder', 'decoder', 'conv1', 'conv2', 'quant_conv', 'post_quant_conv'];

/**
 * The tensors of a Wan 2.2 VAE under the names of Wan2.2_VAE.pth; also read are Diffusers' names (`AutoencoderKLWan`),
 * and either in wrappers.
 * @param source a file, an index of shards, a folder (also one with a `vae` folder in it), or the files themselves
 */
export function vaeTensors(source: string | readonly string[]): NamedWeights {
  const inFolder = typeof source === 'string' ? join(source, 'vae') : '';
  const opened = openAll(typeof source === 'string' && existsSync(inFolder) ? inFolder : source, inVae);
  const tensors = new Map<string, StoredTensor>();
  const others: string[] = [];
  let renamed = 0;
  let diffusers = 0;
  for (const [raw, tensor] of opened.tensors) {
    const parts = raw.split('.').filter((part) => !WRAPPERS_OF_VAE.includes(part));
    const root = parts.findIndex((part) => VAE_ROOTS.includes(part));
    if (root < 0 || /^optim/.test(raw)) {
      others.push(raw);
      continue;
    }
    const stripped = parts.slice(root).join('.');
    const name = vaeName(stripped);
    if (stripped !== raw) renamed += 1;
    if (name !== stripped) diffusers += 1;
    tensors.set(name, { ...tensor, name });
  }
  if (![...tensors.keys()].some((name) => name.startsWith('encoder.'))) {
    throw new FileFormatError(
      opened.path,
      `is not the VAE of Wan 2.2: ${foreignFamily([...opened.tensors.keys()])}`,
    );
  }
  return {
    path: opened.path,
    tensors,
    metadata: opened.metadata,
    files: filesOf(tensors),
    notes: [
      ...opened.notes,
      ...(diffusers > 0 ? ['VAE: Diffusers’ names (AutoencoderKLWan)'] : []),
      ...(renamed > 0 ? [`VAE: left a prefix out of ${renamed} names`] : []),
    ],
    others,
  };
}

const inVae = (name: string): boolean => /(^|\.)(encoder|conv1|quant_conv)\./.test(name);

const WRAPPERS_OF_VAE = ['module', '_orig_mod'];

interface Opened extends TensorFile {
  readonly notes: readonly string[];
}

/** All tensors of the files of one checkpoint by their own names; a tensor's file is without symbolic links. */
function openAll(source: string | readonly string[], needed: (name: string) => boolean): Opened {
  if (typeof source !== 'string') return merged(source[0] ?? '', source, needed);
  const path = weightsIn(source);
  if (!isShardIndex(path)) return merged(path, [path], needed);
  const { files, fileOf } = readShardIndex(path);
  for (const file of files) {
    if (!existsSync(file)) {
      throw new FileFormatError(
        path,
        `names the shard ${quoted(basename(file))}, which is not there; fetch it`,
      );
    }
  }
  const all = merged(path, files, needed);
  for (const [tensor, file] of fileOf) {
    if (!all.tensors.has(tensor)) {
      throw new FileFormatError(
        path,
        `says that tensor ${quoted(tensor)} is in ${basename(file)}, which does not have it`,
      );
    }
  }
  return { ...all, notes: [`tensors: in ${files.length} files, by ${basename(path)}`] };
}

function merged(path: string, files: readonly string[], needed: (name: string) => boolean): Opened {
  const tensors = new Map<string, StoredTensor>();
  const metadata: Record<string, string> = {};
  for (const file of files) {
    const opened = openTensors(file, needed);
    const real = existsSync(file) ? realpathSync(file) : file;
    for (const [name, tensor] of opened.tensors) {
      if (tensors.has(name))
        throw new FileFormatError(file, `has tensor ${quoted(name)}, which another shard has too`);
      tensors.set(name, { ...tensor, file: real });
    }
    Object.assign(metadata, opened.metadata);
  }
  return { path, tensors, metadata, notes: [] };
}

function filesOf(tensors: ReadonlyMap<string, StoredTensor>): string[] {
  return [...new Set([...tensors.values()].map(({ file }) => file))];
}
