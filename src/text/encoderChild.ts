import { setPriority } from 'node:os';
import { messageOf } from '../errors';
import { checkEncoder } from './checkEncoder';
import type { EncodedContext, EncoderRequest, EncoderResponse } from './encoderMessages';
import { PromptEncoder } from './PromptEncoder';

/*
 * Encodes prompts in a process of its own, at low priority: what it takes, and what may go wrong with gigabytes of
 * weights, is kept from the robot. Started by `EncoderProcess`; ends with it.
 */

const LOW_PRIORITY = 10;

let opened: { readonly paths: string; readonly encoder: PromptEncoder } | undefined;

async function encode(request: EncoderRequest): Promise<EncodedContext> {
  const { prompt, encoder: path, tokenizer, expected, cleaning, contextLength, threads } = request;
  const paths = JSON.stringify([path, tokenizer]);
  if (opened?.paths !== paths || opened.encoder.changed)
    opened = { paths, encoder: PromptEncoder.open(path, tokenizer) };
  checkEncoder(opened.encoder, expected);
  const { prompts, seconds, memory } = await opened.encoder.encode([prompt], {
    cleaning,
    contextLength,
    threads,
  });
  const [encoded] = prompts;
  if (!encoded) throw new Error('nothing was encoded');
  const { rows, tokens, cut } = encoded;
  return { rows, tokens, cut, seconds, memory };
}

async function answer(request: EncoderRequest): Promise<void> {
  let response: EncoderResponse;
  try {
    response = { id: request.id, context: await encode(request) };
  } catch (error) {
    response = { id: request.id, problem: messageOf(error) };
  }
  process.send?.(response);
}

setPriority(LOW_PRIORITY);
process.on('message', (request: EncoderRequest) => void answer(request));
process.on('disconnect', () => process.exit());
