import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIG_KEYS, completeDimensions, expectedTensors } from '../bundle/layout';
import type { ModelDimensions, TensorShapes } from '../bundle/layout';
import { UsageError } from '../errors';
import { makeOutputFolder } from '../formats/outputFolder';
import { promptOf, textContextFileName } from '../formats/textContext';
import { TensorContent, writeTorchFile } from '../formats/torchWriter';
import type { TorchContent } from '../formats/torchWriter';
import { DEFAULT_PROMPT_TEMPLATE, configuredDimensions } from './modelConfig';
import type { ModelConfig } from './modelConfig';
import { RandomTensors } from './RandomTensors';
import { writeSynthObservations } from './synthObservations';

export interface SynthOptions {
  /** same seed, same bytes */
  readonly seed: number;
  readonly dtype: 'F32' | 'BF16';
  /** Weights as holes: files of the full size that take no space and read as zeros, to try sizes. */
  readonly sparse?: boolean;
  /** Task texts that get a (random) text context; by default the one of the golden vectors. */
  readonly tasks?: readonly string[];
  /** Replace a checkpoint that is there. */
  readonly overwrite?: boolean;
  /** bytes of weights written, and in all */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What was written where. */
export interface SynthReport {
  readonly dimensions: ModelDimensions;
  readonly checkpoint: string;
  readonly vae: string;
  readonly textEmbeds: string;
  readonly config: string;
  readonly stats: string;
  readonly instructions: string;
  /** observations of three chunks, random */
  readonly episode: string;
  /** of the checkpoint and the VAE */
  readonly parameters: number;
}

const DEFAULT_TASK = 'pick up the red block';
const DEFAULT_CONTEXT_LENGTH = 128;

/**
 * Writes a checkpoint with random weights in the original's layout: `fastwam.pt`, `vae_encoder.pth`, `text_embeds/`, `config.json`,
 * `dataset_stats.json`, `instructions.txt`, `episode.safetensors`. It computes finite nonsense at the real cost. Weights are streamed, so
 * that a model of 6 B parameters needs disk but no memory.
 *
 * @throws UsageError for a configuration that lacks a size or has an impossible one, and for a folder that already
 *   has a checkpoint
 */
export function synthesise(config: ModelConfig, folder: string, options: SynthOptions): SynthReport {
  const given = configuredDimensions(config, config.context_len ?? DEFAULT_CONTEXT_LENGTH);
  const dims = completeDimensions({ proprioDim: 0, ...given });
  const report = {
    dimensions: dims,
    checkpoint: join(folder, 'fastwam.pt'),
    vae: join(folder, 'vae_encoder.pth'),
    textEmbeds: join(folder, 'text_embeds'),
    config: join(folder, 'config.json'),
    stats: join(folder, 'dataset_stats.json'),
    instructions: join(folder, 'instructions.txt'),
    episode: join(folder, 'episode.safetensors'),
  };
  if (existsSync(report.checkpoint) && options.overwrite !== true) {
    throw new UsageError(`${report.checkpoint} exists already; choose another folder, or remove it first`);
  }
  makeOutputFolder(report.textEmbeds);

  const random = new RandomTensors(options.seed);
  const expected = expectedTensors(dims);
  const make = (shapes: TensorShapes): Map<string, TensorContent> =>
    new Map([...shapes].map(([name, shape]) => [name, randomWeight(random, name, shape, options.dtype)]));
  const proprio = [...make(expected.proprioEncoder)].map(
    ([name, content]) => [name.replace('proprio_encoder.', ''), content] as const,
  );
  const mot = make(new Map([...expected.mot, ...expected.unneeded.mot]));
  const vae = make(new Map([...expected.vae, ...expected.unneeded.vae]));

  const policyBytes = sum([...mot.values(), ...proprio.map(([, content]) => content)], (t) => t.byteLength);
  const total = policyBytes + sum(vae.values(), (t) => t.byteLength);
  const write = (path: string, content: TorchContent, before: number): void =>
    writeTorchFile(path, content, {
      ...(options.sparse === undefined ? {} : { sparse: options.sparse }),
      onProgress: (done) => options.onProgress?.(before + done, total),
    });
  // The payload of `save_checkpoint` in the original's fastwam.py.
  const payload = {
    mot,
    step: null,
    torch_dtype: options.dtype === 'F32' ? 'torch.float32' : 'torch.bfloat16',
    ...(proprio.length > 0 ? { proprio_encoder: new Map(proprio) } : {}),
  };
  write(report.checkpoint, payload, 0);
  write(report.vae, vae, policyBytes);

  const tasks = options.tasks ?? [DEFAULT_TASK];
  const template = config.prompt_template ?? DEFAULT_PROMPT_TEMPLATE;
  for (const task of tasks) {
    const prompt = promptOf(template, task);
    writeTextContext(
      join(report.textEmbeds, textContextFileName(prompt, dims.contextLength)),
      prompt,
      random,
      dims,
      options.dtype,
    );
  }
  writeFileSync(report.instructions, tasks.map((task) => `${task}\n`).join(''));
  writeSynthObservations(report.episode, dims, options.seed);
  writeJson(report.stats, {
    state: dims.proprioDim > 0 ? { default: statistics(dims.proprioDim) } : {},
    action: { default: statistics(dims.actionDim) },
  });
  writeJson(report.config, {
    ...config,
    ...Object.fromEntries(
      Object.entries(CONFIG_KEYS).map(([name, key]) => [key, dims[name as keyof ModelDimensions]]),
    ),
    prompt_template: template,
  });
  return { ...report, parameters: total / (options.dtype === 'F32' ? 4 : 2) };
}

/**
 * Scales that keep activations near 1 through any number of layers, roughly those PyTorch's modules start with:
 * maps 1 / sqrt(inputs), norms around 1, modulations 1 / sqrt(width), small biases.
 */
export function randomWeight(
  random: RandomTensors,
  name: string,
  shape: readonly number[],
  dtype: 'F32' | 'BF16',
): TensorContent {
  if (/norm[_\w]*\.weight$|\.gamma$/.test(name))
    return random.normal(name, dtype, shape, { mean: 1, deviation: 0.1 });
  if (name.endsWith('.bias')) return random.normal(name, dtype, shape, { deviation: 0.02 });
  const inputs = name.endsWith('.modulation')
    ? (shape.at(-1) ?? 1)
    : shape.slice(1).reduce((n, d) => n * d, 1);
  return random.normal(name, dtype, shape, { deviation: 1 / Math.sqrt(inputs) });
}

/** Like a T5 context as the original caches it: the rows of the prompt are true, the padded ones hold numbers too. */
function writeTextContext(
  path: string,
  prompt: string,
  random: RandomTensors,
  dims: ModelDimensions,
  dtype: 'F32' | 'BF16',
): void {
  // About one token a word, and the end mark.
  const rows = Math.min(dims.contextLength, prompt.split(/\s+/).length + 1);
  const mask = Uint8Array.from({ length: dims.contextLength }, (_, i) => (i < rows ? 1 : 0));
  writeTorchFile(path, {
    context: random.normal(prompt, dtype, [dims.contextLength, dims.textDim], { deviation: 1 }),
    mask: new TensorContent('BOOL', [dims.contextLength], () => [mask]),
  });
}

/** Statistics of a field whose values spread over [-1, 1]. */
export function statistics(dim: number): Record<string, number[]> {
  const constants = { min: -1, max: 1, mean: 0, std: 0.5, q01: -0.98, q99: 0.98 };
  return Object.fromEntries(
    Object.entries(constants).map(([name, value]) => [`global_${name}`, new Array<number>(dim).fill(value)]),
  );
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}

function sum<T>(items: Iterable<T>, size: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += size(item);
  return total;
}
