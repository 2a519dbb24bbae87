import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Bundle, MANIFEST_FILE, TEXT_FOLDER, readManifest } from '../bundle/Bundle';
import type { BundleManifest } from '../bundle/schema';
import { UsageError, messageOf } from '../errors';
import { textContextFileName, writeTextContext } from '../formats/textContext';
import { writeAtomically } from '../formats/writeAtomically';
import { quoted } from '../words/quoted';
import { checkEncoder, expectedEncoder } from './checkEncoder';
import type { PromptEncoder } from './PromptEncoder';

export interface AddOptions {
  /** CPU threads; 0 = one for each core */
  readonly threads?: number;
  /** blocks of the encoder done, and in all */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What became of instructions. */
export interface AddReport {
  /** tasks that have a context now and had none of this encoder before */
  readonly added: readonly { readonly task: string; readonly tokens: number; readonly cut: number }[];
  /** tasks that had one */
  readonly known: readonly string[];
  readonly seconds: number;
  /** bytes; see `EncodeReport` */
  readonly memory: number;
  /** where the contexts lie */
  readonly folder: string;
}

/**
 * Encodes instructions and adds them to a bundle: contexts into its own folder, instructions and the encoder's
 * fingerprint into `bundle.json`. Each file is replaced as a whole, `bundle.json` last.
 * @param tasks bare tasks, without the prompt template
 * @throws UsageError, FileFormatError, InputError; the bundle is then as it was
 */
export async function addContexts(
  folder: string,
  encoder: PromptEncoder,
  tasks: readonly string[],
  options: AddOptions = {},
): Promise<AddReport> {
  const bundle = Bundle.describe(folder);
  checkEncoder(encoder, expectedEncoder(bundle));
  const asked = [...new Set(tasks)];
  for (const task of asked) {
    if (/^sha256:/.test(task))
      throw new UsageError(`${quoted(task)} is no instruction: it names a context by its hash`);
  }
  const unknown = asked.filter((task) => !bundle.knows(task));
  const own = join(bundle.folder, TEXT_FOLDER);
  const { contextLength, textDim } = bundle.dimensions;
  const report = await encoder.encode(
    unknown.map((task) => bundle.prompt(task)),
    { ...options, cleaning: bundle.cleaning, contextLength },
  );
  makeFolder(own);
  for (const { prompt, rows } of report.prompts) {
    writeTextContext(join(own, textContextFileName(prompt, contextLength)), {
      rows,
      tokens: contextLength,
      dim: textDim,
      encoder: encoder.fingerprint,
    });
  }
  const path = join(bundle.folder, MANIFEST_FILE);
  // Read again: another process may have added others meanwhile.
  const manifest = readManifest(path);
  const changed: BundleManifest = {
    ...manifest,
    text: { cleaning: bundle.cleaning, encoder: encoder.fingerprint },
    instructions: [...new Set([...manifest.instructions, ...asked])],
  };
  writeAtomically(path, (sink) => sink.write(Buffer.from(`${JSON.stringify(changed, null, 2)}\n`)));
  return {
    added: report.prompts.map(({ tokens, cut }, i) => ({ task: unknown[i] ?? '', tokens, cut })),
    known: asked.filter((task) => !unknown.includes(task)),
    seconds: report.seconds,
    memory: report.memory,
    folder: own,
  };
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new UsageError(`${folder}: no folder to write into: ${messageOf(error)}`, { cause: error });
  }
}
