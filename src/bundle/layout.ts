import { FileFormatError, UsageError } from '../errors';
import type { StoredTensor, TensorFile } from '../formats/StoredTensor';
import { quoted } from '../words/quoted';

/** The sub-blocks of a block of the action expert, in the order in which they run. */
export const SUB_BLOCKS = ['selfAttention', 'crossAttention', 'feedForward'] as const;
export type SubBlock = (typeof SUB_BLOCKS)[number];

/** All sizes of one Fast-WAM. What they are is in the original's `configs/model/fastwam.yaml`. */
export interface ModelDimensions {
  /** of the composed image, pixels */
  readonly height: number;
  readonly width: number;
  readonly actionDim: number;
  /** 0: the model has no proprioception */
  readonly proprioDim: number;
  /** actions in a chunk */
  readonly horizon: number;
  readonly layers: number;
  readonly heads: number;
  readonly headDim: number;
  readonly videoDim: number;
  readonly videoFfn: number;
  readonly actionHidden: number;
  readonly actionFfn: number;
  readonly textDim: number;
  /** of the sinusoidal time embedding */
  readonly freqDim: number;
  readonly vaeDim: number;
  /** rows of the text context, without the proprio token */
  readonly contextLength: number;
  /** denoising steps N */
  readonly steps: number;
  /** of the flow-matching schedule */
  readonly shift: number;
  /** frames, rows, columns of latents in one video token */
  readonly patchSize: readonly [1, 2, 2];
  readonly latentChannels: 48;
  /** image pixels to one latent, in each direction */
  readonly vaeSpatialFactor: 16;
  readonly eps: number;
}

export type TensorShapes = ReadonlyMap<string, readonly number[]>;

/** The tensors of a checkpoint by the names of the original's state dicts. */
export interface ExpectedTensors {
  /** `mixtures.video.*` and `mixtures.action.*`, all needed */
  readonly mot: TensorShapes;
  /** `proprio_encoder.weight` and `.bias`, or none */
  readonly proprioEncoder: TensorShapes;
  /** `encoder.*` and `conv1.*` of the VAE, all needed */
  readonly vae: TensorShapes;
  /** In every original checkpoint, but of no use for actions: may be missing, and are shaped like this if present. */
  readonly unneeded: { readonly mot: TensorShapes; readonly vae: TensorShapes };
}

/** Parts of the original's files that this product has no use for; whatever they hold is accepted. */
const IGNORED = [
  'mixtures.video.action_embedding.', // only of the action-conditioned world model
  'decoder.',
  'conv2.',
];

/** Words in the last part of a buffer's name: tables and counters that a module keeps beside its weights. */
const BUFFER =
  /freq|rope|rotary|_cis|(^|_)(cos|sin|mask|idx|index|ids|step|steps|count)$|^(inv_|n_|num_)|position|pos_emb|table|buffer|cache|sigma|timestep|running_|extra_state|dummy|initialized/;

/** A tensor that is no weight: it is not floating point, or is called like a table or a counter. */
export function isBuffer({ name, dtype }: StoredTensor): boolean {
  const last = name.split('.').at(-1) ?? name;
  if (/^(weight|bias|modulation|gamma)$/.test(last)) return false;
  return !FLOATING.includes(dtype) || BUFFER.test(last);
}

const FLOATING: readonly string[] = ['F64', 'F32', 'F16', 'BF16'];

/** Channels of the VAE's stages relative to `vaeDim` (`VideoVAE38_` in the original's wan_video_vae.py). */
const VAE_MULTIPLES = [1, 1, 2, 4, 4] as const;
/** Stages whose down-sampling also halves time, which adds a `time_conv`; a single frame never reaches it. */
const VAE_TEMPORAL_STAGES: readonly number[] = [1, 2];
/** 3 colours, 2x2 pixels folded into channels. */
const VAE_INPUT_CHANNELS = 12;

/** Names and shapes of all tensors of a model with these dimensions. */
export function expectedTensors(dims: ModelDimensions): ExpectedTensors {
  const patchVolume = dims.patchSize[0] * dims.patchSize[1] * dims.patchSize[2];

  const video = new ShapeList('mixtures.video.');
  video.add('patch_embedding.weight', [dims.videoDim, dims.latentChannels, ...dims.patchSize]);
  video.add('patch_embedding.bias', [dims.videoDim]);
  addExpert(video, dims, dims.videoDim, dims.videoFfn);

  const action = new ShapeList('mixtures.action.');
  action.linear('action_encoder', dims.actionHidden, dims.actionDim);
  addExpert(action, dims, dims.actionHidden, dims.actionFfn);
  action.linear('head', dims.actionDim, dims.actionHidden);

  const videoHead = new ShapeList('mixtures.video.');
  videoHead.add('head.modulation', [1, 2, dims.videoDim]);
  videoHead.linear('head.head', dims.latentChannels * patchVolume, dims.videoDim);

  const proprio = new ShapeList('');
  if (dims.proprioDim > 0) proprio.linear('proprio_encoder', dims.textDim, dims.proprioDim);

  const vae = new ShapeList('');
  const timeConvolutions = new ShapeList('');
  addVaeEncoder(vae, timeConvolutions, dims.vaeDim, 2 * dims.latentChannels);

  return {
    mot: new Map([...video.shapes, ...action.shapes]),
    proprioEncoder: proprio.shapes,
    vae: vae.shapes,
    unneeded: { mot: videoHead.shapes, vae: timeConvolutions.shapes },
  };
}

/** What both experts have alike: embeddings of text and time, and the blocks (`DiTBlock`). */
function addExpert(list: ShapeList, dims: ModelDimensions, hidden: number, ffn: number): void {
  const inner = dims.heads * dims.headDim;
  list.linear('text_embedding.0', hidden, dims.textDim);
  list.linear('text_embedding.2', hidden, hidden);
  list.linear('time_embedding.0', hidden, dims.freqDim);
  list.linear('time_embedding.2', hidden, hidden);
  list.linear('time_projection.1', 6 * hidden, hidden);
  for (let layer = 0; layer < dims.layers; layer++) {
    const block = `blocks.${layer}.`;
    list.add(`${block}modulation`, [1, 6, hidden]);
    for (const attention of ['self_attn', 'cross_attn']) {
      for (const projection of ['q', 'k', 'v'])
        list.linear(`${block}${attention}.${projection}`, inner, hidden);
      list.linear(`${block}${attention}.o`, hidden, inner);
      list.add(`${block}${attention}.norm_q.weight`, [inner]);
      list.add(`${block}${attention}.norm_k.weight`, [inner]);
    }
    list.add(`${block}norm3.weight`, [hidden]);
    list.add(`${block}norm3.bias`, [hidden]);
    list.linear(`${block}ffn.0`, ffn, hidden);
    list.linear(`${block}ffn.2`, hidden, ffn);
  }
}

/** `Encoder3d_38` with two residual blocks in each of four stages, and `conv1` behind it. */
function addVaeEncoder(list: ShapeList, timeConvolutions: ShapeList, dim: number, moments: number): void {
  const channels = VAE_MULTIPLES.map((m) => m * dim);
  const last = channels.at(-1) ?? dim;
  const residual = (name: string, from: number, to: number): void => {
    list.add(`${name}.residual.0.gamma`, [from, 1, 1, 1]);
    list.convolution(`${name}.residual.2`, [to, from, 3, 3, 3]);
    list.add(`${name}.residual.3.gamma`, [to, 1, 1, 1]);
    list.convolution(`${name}.residual.6`, [to, to, 3, 3, 3]);
    if (from !== to) list.convolution(`${name}.shortcut`, [to, from, 1, 1, 1]);
  };

  list.convolution('encoder.conv1', [dim, VAE_INPUT_CHANNELS, 3, 3, 3]);
  channels.slice(1).forEach((to, stage, stages) => {
    const name = `encoder.downsamples.${stage}.downsamples`;
    residual(`${name}.0`, channels[stage] ?? dim, to);
    residual(`${name}.1`, to, to);
    if (stage < stages.length - 1) list.convolution(`${name}.2.resample.1`, [to, to, 3, 3]);
    if (VAE_TEMPORAL_STAGES.includes(stage)) {
      timeConvolutions.convolution(`${name}.2.time_conv`, [to, to, 3, 1, 1]);
    }
  });
  residual('encoder.middle.0', last, last);
  list.add('encoder.middle.1.norm.gamma', [last, 1, 1]);
  list.convolution('encoder.middle.1.to_qkv', [3 * last, last, 1, 1]);
  list.convolution('encoder.middle.1.proj', [last, last, 1, 1]);
  residual('encoder.middle.2', last, last);
  list.add('encoder.head.0.gamma', [last, 1, 1, 1]);
  list.convolution('encoder.head.2', [moments, last, 3, 3, 3]);
  list.convolution('conv1', [moments, moments, 1, 1, 1]);
}

class ShapeList {
  readonly shapes = new Map<string, readonly number[]>();
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  add(name: string, shape: readonly number[]): void {
    this.shapes.set(this.#prefix + name, shape);
  }

  linear(name: string, outputs: number, inputs: number): void {
    this.add(`${name}.weight`, [outputs, inputs]);
    this.add(`${name}.bias`, [outputs]);
  }

  /** `kernel` is [out, in, ...extent] */
  convolution(name: string, kernel: readonly number[]): void {
    this.add(`${name}.weight`, kernel);
    this.add(`${name}.bias`, kernel.slice(0, 1));
  }
}

/**
 * Checks one file against the tensors it should have. Throws FileFormatError that names the first tensor that is
 * missing (with its shape), not known, of another shape than expected, or not floating-point.
 *
 * @param file what the file has
 * @param needed must be there
 * @param unneeded may be there
 */
export function checkTensors(file: TensorFile, needed: TensorShapes, unneeded: TensorShapes): void {
  const missing = [...needed.keys()].filter((name) => !file.tensors.has(name));
  if (missing[0] !== undefined) {
    throw new FileFormatError(
      file.path,
      `lacks tensor ${missing[0]} ${show(needed.get(missing[0]))}${andMore(missing.length)}${nearest(missing[0], file)}`,
    );
  }
  const extra: string[] = [];
  for (const [name, tensor] of file.tensors) {
    const shape = needed.get(name) ?? unneeded.get(name);
    if (shape === undefined) {
      if (!IGNORED.some((prefix) => name.startsWith(prefix)) && !isBuffer(tensor)) extra.push(name);
      continue;
    }
    if (!sameShape(tensor.shape, shape)) {
      throw new FileFormatError(
        file.path,
        `tensor ${name} is ${show(tensor.shape)}, expected ${show(shape)}`,
      );
    }
    if (needed.has(name) && !FLOATING.includes(tensor.dtype)) {
      throw new FileFormatError(
        file.path,
        `tensor ${name} has the element type ${tensor.dtype}, expected a floating-point type; if its weights were quantised, use the checkpoint that they were made of`,
      );
    }
  }
  const unknown = extra[0];
  if (unknown !== undefined) {
    throw new FileFormatError(
      file.path,
      `has tensor ${quoted(unknown)} ${show(file.tensors.get(unknown)?.shape)}${andMore(extra.length)}, which is not part of a Fast-WAM of these dimensions`,
    );
  }
}

/** The keys that the dimensions have in a configuration file (`--config`). */
export const CONFIG_KEYS = {
  height: 'height',
  width: 'width',
  actionDim: 'action_dim',
  proprioDim: 'proprio_dim',
  horizon: 'horizon',
  layers: 'layers',
  heads: 'heads',
  headDim: 'head_dim',
  videoDim: 'video_dim',
  videoFfn: 'video_ffn',
  actionHidden: 'action_hidden',
  actionFfn: 'action_ffn',
  textDim: 'text_dim',
  freqDim: 'freq_dim',
  vaeDim: 'vae_dim',
  contextLength: 'context_len',
  steps: 'steps',
  shift: 'shift',
  patchSize: 'patch_size',
  latentChannels: 'latent_channels',
  vaeSpatialFactor: 'vae_spatial_factor',
  eps: 'eps',
} as const satisfies Record<keyof ModelDimensions, string>;

/**
 * The dimensions of a checkpoint: sizes are read off the weights, and `config` supplies what weights do not say
 * (height, width, horizon, context length, steps, shift, heads or head dimension, eps). Where `config` repeats what the weights say
 * it is checked. Every tensor is then checked against these dimensions.
 *
 * @param configName what the configuration is called in messages, for instance `--config libero`
 * @param weights `policy` has `mixtures.*` and `proprio_encoder.*`, `vae` has `encoder.*` and `conv1.*`
 * @throws FileFormatError naming a tensor, its shape and the expected one; UsageError naming a missing or
 *   impossible key of the configuration
 */
export function dimensionsFromWeights(
  weights: { readonly policy: TensorFile; readonly vae?: TensorFile },
  config: Partial<ModelDimensions>,
  configName = 'the configuration',
): ModelDimensions {
  const { policy, vae } = weights;
  const [videoDim, latentChannels, ...patch] = shapeOf(policy, 'mixtures.video.patch_embedding.weight', 5);
  const [actionHidden, actionDim] = shapeOf(policy, 'mixtures.action.action_encoder.weight', 2);
  const [inner] = shapeOf(policy, 'mixtures.action.blocks.0.self_attn.q.weight', 2);
  const proprio = policy.tensors.has('proprio_encoder.weight')
    ? shapeOf(policy, 'proprio_encoder.weight', 2)[1]
    : 0;
  const given = {
    ...config,
    ...headsOf(inner, config, policy, configName),
  };
  const read: Partial<Record<keyof ModelDimensions, number | readonly number[]>> = {
    actionDim,
    proprioDim: proprio,
    layers: countLayers(policy),
    videoDim,
    videoFfn: shapeOf(policy, 'mixtures.video.blocks.0.ffn.0.weight', 2)[0],
    actionHidden,
    actionFfn: shapeOf(policy, 'mixtures.action.blocks.0.ffn.0.weight', 2)[0],
    textDim: shapeOf(policy, 'mixtures.action.text_embedding.0.weight', 2)[1],
    freqDim: shapeOf(policy, 'mixtures.action.time_embedding.0.weight', 2)[1],
    ...(vae && { vaeDim: shapeOf(vae, 'encoder.conv1.weight', 5)[0] }),
    latentChannels,
    patchSize: patch,
    vaeSpatialFactor: 16,
  };
  for (const key of Object.keys(read) as (keyof ModelDimensions)[]) {
    const expected = config[key];
    if (expected !== undefined && JSON.stringify(expected) !== JSON.stringify(read[key])) {
      throw new FileFormatError(
        key === 'vaeDim' && vae ? vae.path : policy.path,
        `has ${CONFIG_KEYS[key]} ${JSON.stringify(read[key])}, but ${configName} says ${JSON.stringify(expected)}`,
      );
    }
  }
  const dims = completeDimensions({ ...given, ...(read as Partial<ModelDimensions>) }, configName);
  const expected = expectedTensors(dims);
  checkTensors(policy, new Map([...expected.mot, ...expected.proprioEncoder]), expected.unneeded.mot);
  if (vae) checkTensors(vae, expected.vae, expected.unneeded.vae);
  return dims;
}

/** Shares of the head dimension that turn by frame, row and column (3-D RoPE), channels; row and column are alike. */
export function rotaryShares(headDim: number): {
  readonly frame: number;
  readonly row: number;
  readonly column: number;
} {
  const third = Math.floor(headDim / 3);
  return { frame: headDim - 2 * third, row: third, column: third };
}

/**
 * Fills `eps` and the sizes that every Fast-WAM shares, and checks that the rest is there and possible.
 *
 * @throws UsageError naming the key
 */
export function completeDimensions(
  given: Partial<ModelDimensions>,
  configName = 'the configuration',
): ModelDimensions {
  const dims: Partial<ModelDimensions> = {
    patchSize: [1, 2, 2],
    latentChannels: 48,
    vaeSpatialFactor: 16,
    eps: 1e-6,
    ...given,
  };
  for (const key of Object.keys(CONFIG_KEYS) as (keyof ModelDimensions)[]) {
    if (dims[key] === undefined) {
      throw new UsageError(lacking(CONFIG_KEYS[key], configName));
    }
  }
  const whole = dims as ModelDimensions;
  const refuse = (key: keyof ModelDimensions, expected: string): never => {
    throw new UsageError(`${CONFIG_KEYS[key]} is ${JSON.stringify(whole[key])}, expected ${expected}`);
  };
  for (const key of WHOLE_NUMBERS) {
    const least = key === 'proprioDim' ? 0 : 1;
    const most = LARGEST_STATED[key] ?? LARGEST_DIMENSION;
    if (!Number.isSafeInteger(whole[key]) || whole[key] < least || whole[key] > most) {
      refuse(key, `a whole number from ${least} to ${most}`);
    }
  }
  // One video token is 2x2 latents of 16x16 pixels.
  for (const key of ['height', 'width'] as const) if (whole[key] % 32 !== 0) refuse(key, 'a multiple of 32');
  if (whole.freqDim % 2 !== 0) refuse('freqDim', 'an even number (cosines and sines)');
  if (whole.headDim % 2 !== 0 || rotaryShares(whole.headDim).row % 2 !== 0) {
    refuse('headDim', 'an even number whose third, rounded down, is even too (RoPE turns pairs)');
  }
  if (!(whole.shift > 0 && Number.isFinite(whole.shift))) refuse('shift', 'a number above 0');
  if (!(whole.eps > 0 && whole.eps < 1)) refuse('eps', 'a number between 0 and 1');
  if (JSON.stringify(whole.patchSize) !== '[1,2,2]') refuse('patchSize', '[1,2,2]');
  if ((whole.latentChannels as number) !== 48) refuse('latentChannels', '48');
  if ((whole.vaeSpatialFactor as number) !== 16) refuse('vaeSpatialFactor', '16');
  return whole;
}

/** Beyond this a size is a mistake; also keeps products of sizes exact. */
const LARGEST_DIMENSION = 1_000_000;

/**
 * Sizes that only a configuration states, so that no weights bound them: the original's position tables have 1024 places
 * (`precompute_freqs_cis(dim, end=1024)`), its noise 1000 levels, and pictures and texts are far below these.
 */
const LARGEST_STATED: Partial<Record<(typeof WHOLE_NUMBERS)[number], number>> = {
  horizon: 1024,
  steps: 1000,
  contextLength: 4096,
  height: 4096,
  width: 4096,
};

const WHOLE_NUMBERS = [
  'height',
  'width',
  'actionDim',
  'proprioDim',
  'horizon',
  'layers',
  'heads',
  'headDim',
  'videoDim',
  'videoFfn',
  'actionHidden',
  'actionFfn',
  'textDim',
  'freqDim',
  'vaeDim',
  'contextLength',
  'steps',
] as const satisfies readonly (keyof ModelDimensions)[];

/** The sentence for a size that weights do not say. */
function lacking(key: string, configName: string): string {
  return `${configName} lacks ${key}, which weights do not say; give --config libero, --config robotwin, or a file that has it`;
}

/** Heads and head dimension from their product, of which the configuration must say at least one factor. */
function headsOf(
  inner: number,
  config: Partial<ModelDimensions>,
  policy: TensorFile,
  configName: string,
): { heads: number; headDim: number } {
  const { heads, headDim } = config;
  if (heads === undefined && headDim === undefined) {
    throw new UsageError(lacking('heads (or head_dim)', configName));
  }
  const h = heads ?? inner / (headDim ?? inner);
  const d = headDim ?? inner / h;
  if (!Number.isInteger(h) || !Number.isInteger(d) || h * d !== inner) {
    throw new FileFormatError(
      policy.path,
      `tensor mixtures.action.blocks.0.self_attn.q.weight has ${inner} outputs, but ${configName} says heads × head_dim = ${h} × ${d}; is it the configuration of this checkpoint?`,
    );
  }
  return { heads: h, headDim: d };
}

/** How many blocks there are from 0 without a hole; a block counts if any of its tensors is there. */
function countLayers(policy: TensorFile): number {
  const blocks = new Set<number>();
  for (const name of policy.tensors.keys()) {
    const digits = /^mixtures\.action\.blocks\.([0-9]{1,6})\./.exec(name)?.[1];
    if (digits !== undefined) blocks.add(Number(digits));
  }
  let layers = 0;
  while (blocks.has(layers)) layers++;
  return layers;
}

/** The shape of a tensor of known rank; its numbers are positive. */
function shapeOf<N extends 2 | 5>(file: TensorFile, name: string, rank: N): ShapeOfRank[N] {
  const tensor: StoredTensor | undefined = file.tensors.get(name);
  if (tensor === undefined) {
    throw new FileFormatError(file.path, `lacks tensor ${name}; is it the right file?${nearest(name, file)}`);
  }
  if (tensor.shape.length !== rank || tensor.shape.some((d) => d < 1)) {
    throw new FileFormatError(
      file.path,
      `tensor ${name} is ${show(tensor.shape)}, expected ${rank} dimensions`,
    );
  }
  return tensor.shape as ShapeOfRank[N];
}

interface ShapeOfRank {
  2: readonly [number, number];
  5: readonly [number, number, number, number, number];
}

/** The names that are there and end most alike, for a person to see what was renamed. */
function nearest(name: string, file: TensorFile): string {
  const parts = name.split('.').reverse();
  const shared = (other: string): number => {
    const own = other.split('.').reverse();
    const differs = parts.findIndex((part, i) => own[i] !== part);
    return differs < 0 ? parts.length : differs;
  };
  const best = [...file.tensors.keys(), ...(file.others ?? [])]
    .map((other) => [other, shared(other)] as const)
    .filter(([, score]) => score > 1)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 2);
  if (best.length === 0) return '';
  return `; the nearest that it has: ${best.map(([other]) => quoted(other)).join(', ')}`;
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

function show(shape: readonly number[] | undefined): string {
  return `[${(shape ?? []).join(', ')}]`;
}

function andMore(count: number): string {
  return count > 1 ? ` and ${count - 1} more` : '';
}
