import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import type { Cleaning } from '../bundle/schema';
import { FileFormatError, InputError } from '../errors';
import { floatToBfloat16 } from '../formats/halfPrecision';
import { readFloat32 } from '../formats/readTensor';
import { BYTES_PER_ELEMENT, elementCount } from '../formats/StoredTensor';
import type { StoredTensor } from '../formats/StoredTensor';
import { DEFAULT_EXECUTION } from '../model/execution';
import { Session } from '../model/Session';
import { loadOnnxRuntime } from '../model/runtime';
import { quoted } from '../words/quoted';
import { cleanPrompt } from './cleaning';
import { openEncoderFiles } from './encoderFiles';
import type { EncoderFiles } from './encoderFiles';
import { encoderBlockGraph, encoderWeightsFolder, positionBuckets } from './encoderGraph';
import type { EncoderDimensions, EncoderTensors } from './encoderLayout';
import { Tokenizer } from './Tokenizer';

export interface EncodeOptions {
  readonly cleaning: Cleaning;
  /** most tokens of a prompt, the end mark included: rows of the context */
  readonly contextLength: number;
  /** CPU threads; 0 = one for each core */
  readonly threads?: number;
  /** blocks done, and in all */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The context of one prompt. */
export interface EncodedPrompt {
  readonly prompt: string;
  /** [tokens, dim] of the prompt's own tokens alone; a context has rows of zeros after them */
  readonly rows: Float32Array;
  readonly tokens: number;
  /** tokens that had no room in the context */
  readonly cut: number;
}

/** What an encoding took. */
export interface EncodeReport {
  readonly prompts: readonly EncodedPrompt[];
  readonly seconds: number;
  /** most memory that the process has held, bytes; the pages of the weights' files that were in use are among it */
  readonly memory: number;
}

/**
 * A UMT5 encoder that is never in memory as a whole: blocks are loaded one after the other, each for all prompts, and
 * of the embedding the rows that are needed. Encoding blocks its thread.
 */
export class PromptEncoder {
  readonly dimensions: EncoderDimensions;
  /** of the weights, the same for every container and element type they come in */
  readonly fingerprint: string;
  /** of the files as they were opened */
  readonly #stamp: string;

  private constructor(
    readonly files: EncoderFiles,
    private readonly tokenizer: Tokenizer,
  ) {
    this.dimensions = files.tensors.dimensions;
    this.#stamp = stampOf(files);
    this.fingerprint = encoderFingerprint(files.tensors);
  }

  /** Whether a file was replaced or written to since the encoder was opened; it must then be opened again. */
  get changed(): boolean {
    return stampOf(this.files) !== this.#stamp;
  }

  /**
   * Opens an encoder; see `openEncoderFiles`.
   * @throws UsageError, FileFormatError
   */
  static open(path: string, tokenizerPath?: string): PromptEncoder {
    const files = openEncoderFiles(path, tokenizerPath);
    const tokenizer = Tokenizer.open(files.tokenizer);
    const { vocabulary } = files.tensors.dimensions;
    // An embedding has rows to spare, for marks that spiece.model does not list and to a round number.
    const spare = vocabulary - tokenizer.vocabulary;
    if (spare < 0 || spare > Math.min(SPARE_ROWS, vocabulary / 4)) {
      throw new FileFormatError(
        tokenizer.path,
        `has ${tokenizer.vocabulary} tokens, but the encoder ${files.weights} knows ${vocabulary}; it is the tokenizer of another model`,
      );
    }
    return new PromptEncoder(files, tokenizer);
  }

  /**
   * The token ids of a prompt.
   * @throws InputError where it holds special tokens, or is longer than any instruction
   */
  tokenize(prompt: string, cleaning: Cleaning, limit: number): { ids: readonly number[]; cut: number } {
    if (prompt.length > LONGEST_PROMPT) {
      throw new InputError(
        `a prompt of ${prompt.length} characters is longer than any instruction; a context holds ${limit} tokens, give at most ${LONGEST_PROMPT} characters`,
      );
    }
    const cleaned = cleanPrompt(prompt, cleaning);
    const { ids, special } = this.tokenizer.encode(cleaned);
    const [first] = special;
    if (first !== undefined) {
      throw new InputError(
        `${quoted(prompt)} holds ${quoted(first)}, which the tokenizer takes for a mark of its own; leave it out`,
      );
    }
    const cut = Math.max(0, ids.length - limit);
    return { ids: cut > 0 ? this.tokenizer.encode(cleaned, limit).ids : ids, cut };
  }

  /**
   * Encodes prompts (the template applied).
   * @throws InputError for a prompt with special tokens; FileFormatError where the weights cannot be read
   */
  async encode(prompts: readonly string[], options: EncodeOptions): Promise<EncodeReport> {
    const started = performance.now();
    const tokenized = prompts.map((prompt) => this.tokenize(prompt, options.cleaning, options.contextLength));
    const { tensors } = this.files;
    let hidden = tokenized.map(({ ids }) => embed(tensors, ids));
    const layers = prompts.length > 0 ? this.dimensions.layers : 0;
    for (let layer = 0; layer < layers; layer++) {
      hidden = await runBlock(tensors, layer, hidden, options.threads ?? 0);
      options.onProgress?.(layer + 1, layers);
    }
    if (this.changed) {
      throw new FileFormatError(
        this.files.weights,
        'was changed since it was opened, so what was read of it is worthless; try again when it is at rest',
      );
    }
    return {
      prompts: prompts.map((prompt, i) => {
        const rows = hidden[i] ?? new Float32Array();
        if (!rows.every(Number.isFinite)) {
          throw new FileFormatError(
            this.files.weights,
            `gives values that are not finite for ${quoted(prompt)}; the weights are damaged`,
          );
        }
        const { ids, cut } = tokenized[i] ?? { ids: [], cut: 0 };
        return { prompt, rows, tokens: ids.length, cut };
      }),
      seconds: (performance.now() - started) / 1000,
      memory: process.resourceUsage().maxRSS * KIBIBYTE,
    };
  }
}

function stampOf({ files }: EncoderFiles): string {
  return files
    .map((file) => {
      const { dev, ino, size, mtimeMs } = statSync(file, { throwIfNoEntry: false }) ?? {};
      return [dev, ino, size, mtimeMs].join(':');
    })
    .join(' ');
}

/** Rows of the token embedding, [ids, dim], read from the file one by one. */
function embed({ embedding, dimensions }: EncoderTensors, ids: readonly number[]): Float32Array {
  const { dim } = dimensions;
  const rows = new Float32Array(ids.length * dim);
  const byteLength = dim * BYTES_PER_ELEMENT[embedding.dtype];
  ids.forEach((id, i) => {
    const row = readFloat32({
      ...embedding,
      shape: [dim],
      offset: embedding.offset + id * byteLength,
      byteLength,
    });
    rows.set(row, i * dim);
  });
  return rows;
}

/** One block for every prompt, [n, dim] each. Its weights are let go before the next is loaded. */
async function runBlock(
  tensors: EncoderTensors,
  layer: number,
  hidden: readonly Float32Array[],
  threads: number,
): Promise<Float32Array[]> {
  const { dim, buckets, maxDistance } = tensors.dimensions;
  const graph = encoderBlockGraph(tensors, layer).model(`UMT5 encoder, block ${layer}`);
  const session = await Session.create(loadOnnxRuntime(), graph, encoderWeightsFolder(tensors), 'cpu', {
    ...DEFAULT_EXECUTION,
    threads,
    once: true,
  });
  try {
    const out: Float32Array[] = [];
    for (const rows of hidden) {
      const n = rows.length / dim;
      const { hidden_out: result } = await session.run({
        hidden: session.tensor('float32', rows, [n, dim]),
        buckets: session.tensor('int64', positionBuckets(n, buckets, maxDistance), [n, n]),
      });
      out.push(result?.data as Float32Array);
    }
    return out;
  } finally {
    await session.release();
  }
}

const KIBIBYTE = 1024;
/**
 * Characters (UTF-16 units): many times what a context holds. The time of the tokenizer grows with the square of the
 * length, and whoever can publish an instruction could keep the encoder busy.
 */
const LONGEST_PROMPT = 16_384;
/** umt5-xxl has 84 rows that no token uses, and 384 beyond the pieces of its spiece.model. */
const SPARE_ROWS = 1024;

/** Elements that are looked at in each tensor. */
const SAMPLES = 64;

/**
 * What identifies an encoder: its sizes, and elements of all its tensors rounded to bfloat16. The same weights have the
 * same fingerprint in every container and in float32 or bfloat16.
 */
function encoderFingerprint({ dimensions, embedding, finalNorm, blocks }: EncoderTensors): string {
  const hash = createHash('sha256').update(`fast-wam-text-encoder-1 ${JSON.stringify(dimensions)}\n`);
  const tensors = [embedding, finalNorm, ...blocks.flatMap((block) => Object.values(block))];
  for (const tensor of tensors) hash.update(Uint16Array.from(samplesOf(tensor), floatToBfloat16));
  return hash.digest('hex');
}

function samplesOf(tensor: StoredTensor): readonly number[] {
  const count = elementCount(tensor.shape);
  const size = BYTES_PER_ELEMENT[tensor.dtype];
  return Array.from({ length: Math.min(SAMPLES, count) }, (_, i) => {
    const index = Math.floor(((count - 1) * i) / Math.max(1, SAMPLES - 1));
    const [value = 0] = readFloat32({
      ...tensor,
      shape: [1],
      offset: tensor.offset + index * size,
      byteLength: size,
    });
    return value;
  });
}
