import { addContexts } from '../text/addContexts';
import type { AddOptions, AddReport } from '../text/addContexts';
import { PromptEncoder } from '../text/PromptEncoder';
import { readInstructions } from '../text/readInstructions';
import { exportBundle } from './exportBundle';
import type { ExportOptions, ExportReport } from './exportBundle';

export interface EncoderOptions extends AddOptions {
  /** a UMT5 encoder; see `openEncoderFiles` */
  readonly textEncoder: string;
  /** its tokenizer, where it does not lie beside it */
  readonly tokenizer?: string;
}

/**
 * `exportBundle`, and then contexts of all instructions by a text encoder. The encoder is opened first, so that one that
 * cannot be used is found out before anything is written.
 * @throws as `exportBundle` and `addContexts` do
 */
export async function exportWithEncoder(
  options: ExportOptions,
  { textEncoder, tokenizer, ...adding }: EncoderOptions,
): Promise<{ readonly exported: ExportReport; readonly contexts: AddReport }> {
  const encoder = PromptEncoder.open(textEncoder, tokenizer);
  const tasks = options.instructions === undefined ? [] : readInstructions(options.instructions);
  const exported = exportBundle({ ...options, encodes: true });
  return { exported, contexts: await addContexts(options.out, encoder, tasks, adding) };
}
