import { FileFormatError } from '../errors';
import { elementCount } from '../formats/StoredTensor';
import type { StoredTensor } from '../formats/StoredTensor';
import { quoted } from '../words/quoted';

/** The sizes of a UMT5 encoder. What they are is in `config.json` of google/umt5-xxl. */
export interface EncoderDimensions {
  /** rows of the token embedding; more than the tokenizer has ids */
  readonly vocabulary: number;
  readonly dim: number;
  readonly heads: number;
  readonly headDim: number;
  readonly ffn: number;
  readonly layers: number;
  readonly buckets: number;
  readonly maxDistance: number;
  readonly eps: number;
}

/** What the files of a checkpoint do not say: UMT5's, of which no other size is known to differ. */
const UNSTATED = { maxDistance: 128, eps: 1e-6 } as const;

/** Tensors of one block, by the names used here. */
export const BLOCK_TENSORS = ['norm1', 'q', 'k', 'v', 'o', 'bias', 'norm2', 'gate', 'linear', 'out'] as const;
export type BlockTensor = (typeof BLOCK_TENSORS)[number];

/** Names of the tensors in one family of files. */
interface Naming {
  /** says that a file is of this family */
  readonly embedding: readonly string[];
  readonly finalNorm: string;
  block(layer: number, tensor: BlockTensor): string;
}

const HF_BLOCK: Readonly<Record<BlockTensor, string>> = {
  norm1: 'layer.0.layer_norm.weight',
  q: 'layer.0.SelfAttention.q.weight',
  k: 'layer.0.SelfAttention.k.weight',
  v: 'layer.0.SelfAttention.v.weight',
  o: 'layer.0.SelfAttention.o.weight',
  bias: 'layer.0.SelfAttention.relative_attention_bias.weight',
  norm2: 'layer.1.layer_norm.weight',
  gate: 'layer.1.DenseReluDense.wi_0.weight',
  linear: 'layer.1.DenseReluDense.wi_1.weight',
  out: 'layer.1.DenseReluDense.wo.weight',
};

const WAN_BLOCK: Readonly<Record<BlockTensor, string>> = {
  norm1: 'norm1.weight',
  q: 'attn.q.weight',
  k: 'attn.k.weight',
  v: 'attn.v.weight',
  o: 'attn.o.weight',
  bias: 'pos_embedding.embedding.weight',
  norm2: 'norm2.weight',
  gate: 'ffn.gate.0.weight',
  linear: 'ffn.fc1.weight',
  out: 'ffn.fc2.weight',
};

/** `UMT5EncoderModel` of transformers. */
const HF: Naming = {
  embedding: ['shared.weight', 'encoder.embed_tokens.weight'],
  finalNorm: 'encoder.final_layer_norm.weight',
  block: (layer, tensor) => `encoder.block.${layer}.${HF_BLOCK[tensor]}`,
};

/** The original's (`wan_video_text_encoder.py`), in its .pth and in DiffSynth's safetensors. */
const WAN: Naming = {
  embedding: ['token_embedding.weight'],
  finalNorm: 'norm.weight',
  block: (layer, tensor) => `blocks.${layer}.${WAN_BLOCK[tensor]}`,
};

/** The tensors of an encoder by what they are; names of both families are known. */
export interface EncoderTensors {
  readonly dimensions: EncoderDimensions;
  readonly embedding: StoredTensor;
  readonly finalNorm: StoredTensor;
  readonly blocks: readonly Readonly<Record<BlockTensor, StoredTensor>>[];
}

/** What `config.json` says, where there is one. */
export type StatedDimensions = Partial<EncoderDimensions>;

/**
 * Finds an encoder among tensors and checks it to be whole: every shape must follow from the others and from `stated`.
 * @param path what the tensors were read from, for messages
 * @throws FileFormatError that names the tensor and what was expected
 */
export function encoderTensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  stated: StatedDimensions,
  path: string,
): EncoderTensors {
  const naming = [HF, WAN].find(({ embedding }) => embedding.some((name) => tensors.has(name)));
  if (!naming) throw new FileFormatError(path, notAnEncoder(tensors));
  const find = (...names: readonly string[]): StoredTensor => {
    const tensor = names.map((name) => tensors.get(name)).find((found) => found !== undefined);
    if (tensor) return tensor;
    const [name = ''] = names;
    throw new FileFormatError(path, missing(name, naming, tensors));
  };
  const embedding = find(...naming.embedding);
  const [vocabulary = 0, dim = 0] = embedding.shape;
  const q = find(naming.block(0, 'q'));
  const bias = find(naming.block(0, 'bias'));
  const ffn = find(naming.block(0, 'gate')).shape[0] ?? 0;
  const [buckets = 0, heads = 0] = bias.shape;
  const layers = layerCount(tensors, naming);
  const dimensions: EncoderDimensions = {
    vocabulary,
    dim,
    heads,
    headDim: (q.shape[0] ?? 0) / heads,
    ffn,
    layers,
    buckets,
    maxDistance: stated.maxDistance ?? UNSTATED.maxDistance,
    eps: stated.eps ?? UNSTATED.eps,
  };
  for (const [key, found] of Object.entries(dimensions)) {
    const configured = stated[key as keyof EncoderDimensions];
    if (configured !== undefined && configured !== found) {
      throw new FileFormatError(
        path,
        `has ${key} ${found}, but its config.json says ${configured}; the files belong to different models`,
      );
    }
  }
  const shapes = expectedShapes(dimensions);
  const checked = (tensor: StoredTensor, shape: readonly number[]): StoredTensor => {
    const fits = tensor.shape.length === shape.length && tensor.shape.every((d, i) => d === shape[i]);
    if (fits && elementCount(shape) > 0 && shape.every(Number.isInteger)) return tensor;
    throw new FileFormatError(
      tensor.file,
      `tensor ${quoted(tensor.name)} has the shape [${tensor.shape.join(', ')}], expected [${shape.join(', ')}] in a UMT5 encoder of ${heads} heads and width ${dim}`,
    );
  };
  const blocks = Array.from({ length: layers }, (_, layer) => {
    const entries = BLOCK_TENSORS.map(
      (tensor) => [tensor, checked(find(naming.block(layer, tensor)), shapes[tensor])] as const,
    );
    return Object.fromEntries(entries) as Record<BlockTensor, StoredTensor>;
  });
  const finalNorm = checked(find(naming.finalNorm), [dim]);
  return { dimensions, embedding: checked(embedding, [vocabulary, dim]), finalNorm, blocks };
}

/** The tensors of an encoder of these sizes by name, as transformers or as the original writes them. */
export function encoderShapes(
  dims: EncoderDimensions,
  family: 'transformers' | 'original',
): ReadonlyMap<string, readonly number[]> {
  const naming = family === 'transformers' ? HF : WAN;
  const shapes = expectedShapes(dims);
  const named = new Map<string, readonly number[]>();
  named.set(naming.embedding[0] ?? '', [dims.vocabulary, dims.dim]);
  for (let layer = 0; layer < dims.layers; layer++) {
    for (const tensor of BLOCK_TENSORS) named.set(naming.block(layer, tensor), shapes[tensor]);
  }
  return named.set(naming.finalNorm, [dims.dim]);
}

function expectedShapes(dims: EncoderDimensions): Readonly<Record<BlockTensor, readonly number[]>> {
  const { dim, heads, headDim, ffn, buckets } = dims;
  const inner = heads * headDim;
  const into = [inner, dim];
  return {
    norm1: [dim],
    q: into,
    k: into,
    v: into,
    o: [dim, inner],
    bias: [buckets, heads],
    norm2: [dim],
    gate: [ffn, dim],
    linear: [ffn, dim],
    out: [dim, ffn],
  };
}

/** Blocks count from 0; a gap is found when a tensor of it is looked for. */
function layerCount(tensors: ReadonlyMap<string, StoredTensor>, naming: Naming): number {
  const pattern = naming === HF ? /^encoder\.block\.(\d+)\./ : /^blocks\.(\d+)\./;
  let layers = 0;
  for (const name of tensors.keys()) layers = Math.max(layers, Number(pattern.exec(name)?.[1] ?? -1) + 1);
  return layers;
}

function missing(name: string, naming: Naming, tensors: ReadonlyMap<string, StoredTensor>): string {
  if (/relative_attention_bias|pos_embedding/.test(name) && tensors.has(naming.block(0, 'bias'))) {
    return `has position biases in its first block but not ${quoted(name)}: it is a T5, a UMT5 has them in every block`;
  }
  return `lacks the tensor ${quoted(name)} of a UMT5 encoder; is a file or a shard missing?`;
}

/** A sentence for what else it may be. */
function notAnEncoder(tensors: ReadonlyMap<string, StoredTensor>): string {
  const names = [...tensors.keys()];
  const has = (pattern: RegExp): boolean => names.some((name) => pattern.test(name));
  const seen = has(/^text_model\./)
    ? 'it holds a CLIP text model'
    : has(/^(mot\.|model\.mot\.|mixtures\.)/)
      ? 'it holds a Fast-WAM policy'
      : has(/^(model\.)?layers\.\d+\.self_attn/)
        ? 'it holds a language model'
        : has(/^(encoder|decoder)\.(down|up|middle|mid_block|conv)/)
          ? 'it holds an image or video encoder'
          : `it holds ${
              names
                .slice(0, 3)
                .map((name) => quoted(name))
                .join(', ') || 'no tensors'
            }${names.length > 3 ? ' and others' : ''}`;
  return `is not a UMT5 encoder: no "shared.weight" and no "token_embedding.weight"; ${seen}`;
}
