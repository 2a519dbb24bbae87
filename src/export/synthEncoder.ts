import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { FileFormatError, UsageError } from '../errors';
import { makeOutputFolder } from '../formats/outputFolder';
import { readJson } from '../formats/readJson';
import { elementCount } from '../formats/StoredTensor';
import { TensorContent, writeTorchFile } from '../formats/torchWriter';
import { encoderShapes } from '../text/encoderLayout';
import type { EncoderDimensions } from '../text/encoderLayout';
import { RandomTensors } from './RandomTensors';
import type { SynthOptions } from './synth';

/** The sizes of google/umt5-xxl, Wan's text encoder. Source: its config.json. */
export const UMT5_XXL: EncoderDimensions = {
  vocabulary: 256_384,
  dim: 4096,
  heads: 64,
  headDim: 64,
  ffn: 10_240,
  layers: 24,
  buckets: 32,
  maxDistance: 128,
  eps: 1e-6,
};

export interface SynthEncoderReport {
  readonly weights: string;
  readonly tokenizer: string;
  readonly parameters: number;
}

const size = z.number().int().positive();

const sizes = z.looseObject({
  vocab_size: size,
  d_model: size,
  d_kv: size,
  d_ff: size,
  num_layers: size,
  num_heads: size,
  relative_attention_num_buckets: size.default(UMT5_XXL.buckets),
  relative_attention_max_distance: size.default(UMT5_XXL.maxDistance),
});

/**
 * The sizes in a UMT5's `config.json`.
 * @throws FileFormatError naming the key
 */
export function readEncoderSizes(path: string): EncoderDimensions {
  const parsed = sizes.safeParse(readJson(path, { bytes: 2 ** 20, elements: 10_000 }));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new FileFormatError(path, `${issue?.path.map(String).join('.')}: ${issue?.message}`);
  }
  const config = parsed.data;
  return {
    vocabulary: config.vocab_size,
    dim: config.d_model,
    heads: config.num_heads,
    headDim: config.d_kv,
    ffn: config.d_ff,
    layers: config.num_layers,
    buckets: config.relative_attention_num_buckets,
    maxDistance: config.relative_attention_max_distance,
    eps: UMT5_XXL.eps,
  };
}

/** Pieces of the tokenizer before the filling ones: the marks, bytes, and printable ASCII with and without a space. */
const MARKS = ['<pad>', '</s>', '<s>', '<unk>'];

/**
 * Writes a text encoder with random weights in the layout of Wan's repositories, `models_t5_synthetic.pth` and a
 * `tokenizer.json` that spells everything letter by letter. It computes finite nonsense at the real cost.
 * @throws UsageError where one is there already, or for a vocabulary that the tokenizer does not fit into
 */
export function synthesiseEncoder(
  dims: EncoderDimensions,
  folder: string,
  options: Omit<SynthOptions, 'tasks'>,
): SynthEncoderReport {
  const weights = join(folder, 'models_t5_synthetic.pth');
  const tokenizer = join(folder, 'tokenizer.json');
  if (existsSync(weights) && options.overwrite !== true) {
    throw new UsageError(`${weights} exists already; choose another folder, or remove it first`);
  }
  const content = JSON.stringify(spellingTokenizer(dims.vocabulary));
  makeOutputFolder(folder);
  const random = new RandomTensors(options.seed);
  const shapes = encoderShapes(dims, 'original');
  const state = new Map(
    [...shapes].map(([name, shape]): [string, TensorContent] => [
      name,
      random.normal(name, options.dtype, shape, spread(name, shape, dims)),
    ]),
  );
  writeTorchFile(weights, state, {
    ...(options.sparse === undefined ? {} : { sparse: options.sparse }),
    ...(options.onProgress && { onProgress: options.onProgress }),
  });
  writeFileSync(tokenizer, content);
  const parameters = [...shapes.values()].reduce((n, shape) => n + elementCount(shape), 0);
  return { weights, tokenizer, parameters };
}

/** As a T5 is initialised: its scores are not scaled, so that queries are small. */
function spread(
  name: string,
  shape: readonly number[],
  { dim, headDim }: EncoderDimensions,
): { readonly mean?: number; readonly deviation: number } {
  if (/norm\d?\.weight$/.test(name)) return { mean: 1, deviation: 0.1 };
  if (name.startsWith('token_embedding')) return { deviation: 1 };
  if (name.endsWith('attn.q.weight')) return { deviation: 1 / Math.sqrt(dim * headDim) };
  return { deviation: 1 / Math.sqrt(name.endsWith('embedding.weight') ? dim : (shape[1] ?? 1)) };
}

/** @throws UsageError where a vocabulary is too small for letters and bytes */
function spellingTokenizer(vocabulary: number): object {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
  const printable = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i));
  const pieces = [...MARKS, ...bytes, '▁', ...printable];
  if (vocabulary < pieces.length) {
    throw new UsageError(
      `vocab_size ${vocabulary}: a tokenizer of letters and bytes has ${pieces.length} pieces`,
    );
  }
  while (pieces.length < vocabulary) pieces.push(`▁unused${pieces.length}`);
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: MARKS.map((content, id) => ({ id, content, special: true, normalized: false })),
    normalizer: null,
    pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }],
      pair: [],
      special_tokens: { '</s>': { id: '</s>', ids: [1], tokens: ['</s>'] } },
    },
    decoder: null,
    model: {
      type: 'Unigram',
      unk_id: 3,
      byte_fallback: true,
      vocab: pieces.map((piece, id) => [piece, id < MARKS.length + 256 ? 0 : -1 - id / 1e6]),
    },
  };
}
