import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { FileFormatError, messageOf } from '../errors';
import { readBool, readBytes, readFloat32 } from './readTensor';
import type { StoredTensor } from './StoredTensor';
import { openTorchFile, tensorDictionary } from './torchFile';
import { TensorContent, writeTorchFile } from './torchWriter';

/** The T5 context of one prompt as the network takes it. */
export interface TextContext {
  /** [tokens, dim] row-major, float32; rows beyond the prompt are zero */
  readonly context: Float32Array;
  readonly tokens: number;
  readonly dim: number;
  /** rows that belong to the prompt */
  readonly trueRows: number;
  /** fingerprint of the encoder that made it, where it is recorded */
  readonly encoder?: string;
}

/** The prompt of a task: the template with the task in every place of `{task}`. */
export function promptOf(template: string, task: string): string {
  return template.replaceAll('{task}', () => task);
}

/** SHA-256 of the prompt in hexadecimal, by which the original names its cached contexts. */
export function promptHash(prompt: string): string {
  return createHash('sha256').update(prompt, 'utf8').digest('hex');
}

/** Name of the file that caches a prompt's context of `tokens` rows. */
export function textContextFileName(prompt: string, tokens: number): string {
  return `${promptHash(prompt)}.t5_len${tokens}.wan22ti2v5b.pt`;
}

/**
 * Reads a cached context, a torch file with `context` [tokens, dim] and `mask` [tokens] as
 * `scripts/precompute_text_embeds.py` of the original writes it. It is stored unmasked; rows whose mask is false are
 * set to zero here, as the original does on load, after which every row is attended to.
 *
 * Throws FileFormatError where a tensor is missing or has another shape or type.
 */
export function openTextContext(file: string): TextContext {
  const { stored, storedMask, encoder, tokens, dim } = contextTensors(file);
  const context = readFloat32(stored);
  const mask = readBool(storedMask);
  let trueRows = 0;
  mask.forEach((real, row) => {
    if (real === 1) trueRows += 1;
    else context.fill(0, row * dim, (row + 1) * dim);
  });
  const bad = context.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0) {
    throw new FileFormatError(
      file,
      `has a context that is not finite, first in row ${Math.floor(bad / dim)}`,
    );
  }
  return {
    context,
    tokens,
    dim,
    trueRows,
    ...(encoder && { encoder: Buffer.from(readBytes(encoder)).toString('hex') }),
  };
}

/**
 * Refuses a context that a model cannot have been trained with, by its sizes alone.
 * @throws FileFormatError naming the file, whose name has the key of the prompt
 */
export function checkTextContext(
  file: string,
  { tokens, dim }: Pick<TextContext, 'tokens' | 'dim'>,
  { contextLength, textDim }: { readonly contextLength: number; readonly textDim: number },
): void {
  if (dim !== textDim) {
    throw new FileFormatError(
      file,
      `has rows of ${dim} values, the model takes ${textDim}: it was made by another text encoder`,
    );
  }
  if (tokens !== contextLength) {
    throw new FileFormatError(
      file,
      `has ${tokens} rows, the model was trained with ${contextLength}; make it again (fastwam encode)`,
    );
  }
}

/** Rows and values a row of a cached context; its numbers are not read. @throws as `openTextContext` */
export function textContextSizes(file: string): Pick<TextContext, 'tokens' | 'dim'> {
  return contextTensors(file);
}

interface ContextTensors extends Pick<TextContext, 'tokens' | 'dim'> {
  readonly stored: StoredTensor;
  readonly storedMask: StoredTensor;
  readonly encoder: StoredTensor | undefined;
}

function contextTensors(file: string): ContextTensors {
  const tensors = tensorDictionary(openTorchFile(file).root, file);
  const stored = tensors.get('context');
  const storedMask = tensors.get('mask');
  if (stored === undefined || storedMask === undefined) {
    throw new FileFormatError(
      file,
      `lacks ${stored ? 'mask' : 'context'}, expected the tensors context and mask`,
    );
  }
  const [tokens, dim, ...more] = stored.shape;
  if (tokens === undefined || dim === undefined || more.length > 0 || tokens === 0 || dim === 0) {
    throw new FileFormatError(
      file,
      `has context of shape [${stored.shape.join(', ')}], expected [tokens, text dim]`,
    );
  }
  if (storedMask.shape.length !== 1 || storedMask.shape[0] !== tokens) {
    throw new FileFormatError(
      file,
      `has mask of shape [${storedMask.shape.join(', ')}], expected [${tokens}]`,
    );
  }
  return { stored, storedMask, encoder: tensors.get('encoder'), tokens, dim };
}

/**
 * Writes a context as the original caches it (atomically), with the fingerprint of its encoder beside it.
 * @param rows [n, dim] of the prompt's own tokens, n at most `tokens`; the others become zeros
 */
export function writeTextContext(
  file: string,
  { rows, tokens, dim, encoder }: { rows: Float32Array; tokens: number; dim: number; encoder: string },
): void {
  const context = new Float32Array(tokens * dim);
  context.set(rows);
  const mask = new Uint8Array(tokens).fill(1, 0, rows.length / dim);
  const mark = Buffer.from(encoder, 'hex');
  writeTorchFile(file, {
    context: new TensorContent('F32', [tokens, dim], () => [context]),
    mask: new TensorContent('BOOL', [tokens], () => [mask]),
    encoder: new TensorContent('U8', [mark.length], () => [mark]),
  });
}

const FILE_NAME = /^([0-9a-f]{64})\.t5_len([1-9][0-9]*)\.wan22ti2v5b\.pt$/;

/**
 * The cached contexts in a folder, by the hash of their prompt; other files are ignored. Of several lengths for one
 * prompt the longest is taken, or that of `tokens` rows where it is given.
 */
export function findTextContexts(folder: string, tokens?: number): ReadonlyMap<string, string> {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw new FileFormatError(
      folder,
      `cannot be listed, expected a folder of text contexts: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
  const files = new Map<string, { file: string; length: number }>();
  for (const name of names.sort()) {
    const [, hash, digits] = FILE_NAME.exec(name) ?? [];
    if (hash === undefined) continue;
    const length = Number(digits);
    if (tokens !== undefined && length !== tokens) continue;
    if (length > (files.get(hash)?.length ?? 0)) files.set(hash, { file: join(folder, name), length });
  }
  return new Map([...files].map(([hash, { file }]) => [hash, file]));
}
