import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { FileFormatError, UsageError } from '../errors';
import { readJson } from '../formats/readJson';
import type { StoredTensor } from '../formats/StoredTensor';
import { isShardIndex, readShardIndex } from '../formats/tensorShards';
import { openTensors } from '../formats/torchFile';
import { quoted } from '../words/quoted';
import { encoderTensors } from './encoderLayout';
import type { EncoderTensors, StatedDimensions } from './encoderLayout';
import { TOKENIZER_FILES } from './Tokenizer';

/** A text encoder on disk: weights that stay where they are, and its tokenizer. */
export interface EncoderFiles {
  /** the index, or the file with all weights */
  readonly weights: string;
  /** every file with weights, links followed */
  readonly files: readonly string[];
  readonly tensors: EncoderTensors;
  /** `tokenizer.json` or `spiece.model` */
  readonly tokenizer: string;
}

/** Weights of a text encoder by name, in the order in which they are looked for. */
const WEIGHT_NAMES = [
  /^model\.safetensors\.index\.json$/,
  /^model\.safetensors$/,
  /^models_t5_.*\.(pth|safetensors)$/,
  /\.safetensors\.index\.json$/,
  /^(?!.*-\d{5}-of-\d{5}).*\.safetensors$/,
  /\.(pth|pt)$/,
] as const;

/** Where the repositories of Wan keep the tokenizer, seen from the folder of the weights. */
const TOKENIZER_PLACES = [
  '.',
  'tokenizer',
  'google/umt5-xxl',
  '..',
  '../tokenizer',
  '../google/umt5-xxl',
] as const;

/**
 * Finds the parts of a text encoder. Reads headers only.
 * @param path folder of the encoder (as `text_encoder/` of a diffusers repository, or Wan's), its index, or its weights
 * @param tokenizer folder or file of the tokenizer where it does not lie beside the encoder
 * @throws UsageError where nothing is there; FileFormatError where it is not a UMT5 encoder
 */
export function openEncoderFiles(path: string, tokenizer?: string): EncoderFiles {
  if (!existsSync(path))
    throw new UsageError(`${path}: no such file or folder; --text-encoder names a UMT5 encoder`);
  const weights = statSync(path).isDirectory() ? findWeights(path) : path;
  const { tensors, files } = openWeights(weights);
  const stated = readConfig(join(dirname(weights), 'config.json'), weights);
  return {
    weights,
    files,
    tensors: encoderTensors(tensors, stated, weights),
    tokenizer: tokenizer === undefined ? findTokenizer(dirname(weights)) : givenTokenizer(tokenizer),
  };
}

function findWeights(folder: string): string {
  for (const place of [folder, join(folder, 'text_encoder')]) {
    if (!existsSync(place)) continue;
    const names = readdirSync(place).sort();
    for (const pattern of WEIGHT_NAMES) {
      const found = names.filter((name) => pattern.test(name));
      if (found[0] === undefined) continue;
      if (found.length > 1) {
        throw new UsageError(
          `${place}: holds ${found.length} files that may be a text encoder (${found.map((n) => quoted(n)).join(', ')}); name one of them`,
        );
      }
      return join(place, found[0]);
    }
    const shard = names.find((name) => /-\d{5}-of-\d{5}\.safetensors$/.test(name));
    if (shard !== undefined) {
      throw new FileFormatError(
        place,
        `holds ${quoted(shard)} but no index; model.safetensors.index.json belongs beside the shards`,
      );
    }
  }
  throw new FileFormatError(
    folder,
    'holds no text encoder: expected model.safetensors, model.safetensors.index.json with its shards, or models_t5_umt5-xxl-enc-bf16.pth',
  );
}

function openWeights(path: string): { tensors: ReadonlyMap<string, StoredTensor>; files: readonly string[] } {
  if (!isShardIndex(path)) {
    // Caches of Hugging Face are links into a folder of blobs; onnxruntime is given what they lead to.
    const file = realpathSync(path);
    return { tensors: openTensors(file).tensors, files: [file] };
  }
  const { files, fileOf } = readShardIndex(path);
  const shards = new Map<string, ReadonlyMap<string, StoredTensor>>();
  for (const file of files) {
    if (!existsSync(file)) {
      throw new FileFormatError(
        path,
        `names the shard ${quoted(basename(file))}, which is not there; download it too (${files.length} shards in all)`,
      );
    }
    shards.set(file, openTensors(realpathSync(file)).tensors);
  }
  const tensors = new Map<string, StoredTensor>();
  for (const [name, file] of fileOf) {
    const tensor = shards.get(file)?.get(name);
    if (!tensor) {
      throw new FileFormatError(
        path,
        `says that ${quoted(name)} is in ${quoted(basename(file))}, which does not hold it; index and shards are of different downloads`,
      );
    }
    tensors.set(name, tensor);
  }
  return { tensors, files: files.map((file) => realpathSync(file)) };
}

const size = z.number().int().positive();

const LARGEST_CONFIG = { bytes: 2 ** 20, elements: 10_000 };

const configSchema = z.looseObject({
  model_type: z.string().optional(),
  vocab_size: size.optional(),
  d_model: size.optional(),
  d_kv: size.optional(),
  d_ff: size.optional(),
  num_layers: size.optional(),
  num_heads: size.optional(),
  relative_attention_num_buckets: size.optional(),
  relative_attention_max_distance: size.optional(),
  layer_norm_epsilon: z.number().positive().optional(),
  feed_forward_proj: z.string().optional(),
  dense_act_fn: z.string().optional(),
  is_gated_act: z.boolean().optional(),
});

/** The sizes that a `config.json` beside the weights states; that of anything but a text encoder is passed over. */
function readConfig(path: string, weights: string): StatedDimensions {
  if (!existsSync(path)) return {};
  const parsed = configSchema.safeParse(readJson(path, LARGEST_CONFIG));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new FileFormatError(
      path,
      `${issue?.path.map(String).join('.') || 'the document'}: ${issue?.message}`,
    );
  }
  const config = parsed.data;
  const { model_type: type } = config;
  // Wan's repositories have the configuration of their video model beside the encoder's weights.
  if (config.d_model === undefined) return {};
  if (type !== undefined && type !== 'umt5') {
    throw new FileFormatError(
      path,
      `is of a model of type ${quoted(type)}; Wan's text encoder is a "umt5" (google/umt5-xxl), and ${basename(weights)} lies beside it`,
    );
  }
  const activation = config.feed_forward_proj ?? 'gated-gelu';
  if (activation !== 'gated-gelu' && !(config.is_gated_act === true && config.dense_act_fn === 'gelu_new')) {
    throw new FileFormatError(path, `feed_forward_proj is ${quoted(activation)}, UMT5 has "gated-gelu"`);
  }
  return definedOnly({
    vocabulary: config.vocab_size,
    dim: config.d_model,
    headDim: config.d_kv,
    ffn: config.d_ff,
    layers: config.num_layers,
    heads: config.num_heads,
    buckets: config.relative_attention_num_buckets,
    maxDistance: config.relative_attention_max_distance,
    eps: config.layer_norm_epsilon,
  });
}

function definedOnly(values: Readonly<Record<keyof StatedDimensions, number | undefined>>): StatedDimensions {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function givenTokenizer(path: string): string {
  if (!existsSync(path)) throw new UsageError(`--tokenizer ${path}: no such file or folder`);
  if (!statSync(path).isDirectory()) return path;
  const found = TOKENIZER_FILES.map((name) => join(path, name)).find((file) => existsSync(file));
  if (found === undefined)
    throw new UsageError(`--tokenizer ${path}: holds neither tokenizer.json nor spiece.model`);
  return found;
}

function findTokenizer(folder: string): string {
  for (const place of TOKENIZER_PLACES) {
    for (const name of TOKENIZER_FILES) {
      const file = join(folder, place, name);
      if (existsSync(file)) return file;
    }
  }
  throw new FileFormatError(
    folder,
    `has no tokenizer.json or spiece.model in it, beside it, or in google/umt5-xxl; download the tokenizer too, or name it with --tokenizer`,
  );
}
