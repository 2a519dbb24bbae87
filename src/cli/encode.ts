import type { Command } from 'commander';
import { UsageError } from '../errors';
import { ProgressBar } from '../report/ProgressBar';
import { printLine, progressStream } from '../terminal';
import { addContexts } from '../text/addContexts';
import type { AddReport } from '../text/addContexts';
import { PromptEncoder } from '../text/PromptEncoder';
import { readInstructions } from '../text/readInstructions';
import { wholeNumber } from './flagValues';

interface EncodeFlags {
  readonly textEncoder: string;
  readonly tokenizer?: string;
  readonly file?: string;
  readonly threads: string;
}

/** `fastwam encode` */
export function encodeCommand(program: Command): Command {
  return program
    .command('encode')
    .description('teach a bundle instructions: encode their text with the UMT5 encoder, without Python')
    .argument('<bundle>', 'folder of the bundle')
    .argument('[instructions...]', 'bare tasks, without the prompt template')
    .requiredOption('--text-encoder <path>', 'folder or file of the UMT5 encoder')
    .option('--tokenizer <path>', 'its tokenizer.json or spiece.model, where it does not lie beside it')
    .option('--file <file>', 'a file of instructions, one a line')
    .option('--threads <n>', 'CPU threads; 0 = one for each core', '0')
    .action(async (folder: string, instructions: readonly string[], flags: EncodeFlags) => {
      const tasks = [...instructions, ...(flags.file === undefined ? [] : readInstructions(flags.file))];
      if (tasks.length === 0) throw new UsageError('no instruction given; name one or several, or --file');
      if (tasks.some((task) => task.trim() === '')) throw new UsageError('an instruction is empty');
      const encoder = PromptEncoder.open(flags.textEncoder, flags.tokenizer);
      const progress = new EncodingProgress();
      const report = await addContexts(folder, encoder, tasks, {
        threads: wholeNumber('--threads', flags.threads),
        onProgress: progress.update,
      }).finally(() => progress.finish());
      for (const line of describeAdded(report)) printLine(line);
    });
}

/** A bar that appears with the first block of the encoder. */
export class EncodingProgress {
  #bar: ProgressBar | undefined;

  readonly update = (done: number, total: number): void => {
    this.#bar ??= new ProgressBar({ stream: progressStream, label: 'blocks of the text encoder', total });
    this.#bar.update(done);
  };

  finish(): void {
    this.#bar?.finish();
  }
}

/** What was added, and what it took. */
export function describeAdded({ added, known, seconds, memory, folder }: AddReport): readonly string[] {
  const lines = [
    ...known.map((task) => `"${task}" had a context already`),
    ...added.map(({ task, tokens, cut }) => {
      const lost =
        cut > 0 ? `; its last ${cut} tokens had no room and are not seen by the model: shorten it` : '';
      return `"${task}": ${tokens} tokens${lost}`;
    }),
  ];
  if (added.length + known.length === 0)
    return ['no instruction was encoded (--instructions names a file of them)'];
  if (added.length > 0) {
    const gigabytes = (memory / 1e9).toFixed(2);
    lines.push(`encoded in ${seconds.toFixed(1)} s with ${gigabytes} GB of memory -> ${folder}`);
  }
  return lines;
}
