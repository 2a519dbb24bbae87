import { plainText } from './plainText';

/*
 * The one way to the terminal. What is shown there comes in part from files, topics and libraries: JSON.parse and YAML
 * quote their source, onnxruntime writes several lines, a file's name may hold an escape sequence. Nothing of it
 * reaches the terminal as it is.
 */

/** The codes of our own reports: plain, bold, green, yellow. No text that is shown can say more with them. */
// eslint-disable-next-line no-control-regex -- it is what is looked for
const OWN_COLOURS = /\u001b\[(?:0|1|32|33)m/g;

/** Whether stdout could not be written; the exit code is then 1. */
let outputLost = false;
/** Streams whose reader is gone: what is still said to them is dropped. */
const closed = new Set<NodeJS.WriteStream>();

/** Several lines for stdout: results, tables. Control characters other than line breaks and our colours become spaces. */
export function print(text: string): void {
  write(process.stdout, harmless(text));
}

/** One line for stdout. */
export function printLine(message: string): void {
  write(process.stdout, `${plainText(message)}\n`);
}

/** One line of JSON on stdout; what a terminal would take for a command is escaped, so that the value is kept. */
export function printJson(value: unknown, indent?: number): void {
  const text = JSON.stringify(value, null, indent);
  write(process.stdout, `${text.replace(HIDDEN_IN_JSON, escaped)}\n`);
}

/** One line for people on stderr: a notice, a warning, an error. */
export function say(message: string): void {
  write(process.stderr, `${plainText(message).trim()}\n`);
}

/** Several lines on stderr: a stack, a help text. */
export function sayText(text: string): void {
  write(process.stderr, harmless(text));
}

/** Where progress is drawn: stderr. Its lines are our own words and numbers. */
export const progressStream = {
  get isTTY(): boolean {
    return process.stderr.isTTY;
  },
  get columns(): number {
    return process.stderr.columns;
  },
  write(text: string): void {
    write(process.stderr, text);
  },
};

/** Text of several lines, harmless for a terminal. */
export function harmless(text: string): string {
  const colours = text.match(OWN_COLOURS) ?? [];
  return text
    .split(OWN_COLOURS)
    .map((part) => part.split('\n').map(plainText).join('\n'))
    .map((part, i) => `${part}${colours[i] ?? ''}`)
    .join('');
}

/**
 * Takes care of streams that end before we do. A reader that is gone (`| head`) is no failure: the work goes on, its
 * files are written, and nothing more is said. Output that cannot be kept (a full disk) is one: a sentence, and code 1.
 */
export function guardStreams(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => lost(stream, error));
  }
}

/** The exit code of a run that ended with `code`: 1 where its output was lost. */
export function codeWithOutput(code: number): number {
  return code === 0 && outputLost ? 1 : code;
}

function write(stream: NodeJS.WriteStream, text: string): void {
  if (closed.has(stream)) return;
  try {
    stream.write(text);
  } catch (error) {
    lost(stream, error as NodeJS.ErrnoException);
  }
}

function lost(stream: NodeJS.WriteStream, error: NodeJS.ErrnoException): void {
  if (closed.has(stream)) return;
  closed.add(stream);
  if (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED') return;
  outputLost = true;
  process.exitCode = 1;
  if (stream === process.stdout) say(`fastwam: the output cannot be written: ${whyLost(error)}`);
}

function whyLost(error: NodeJS.ErrnoException): string {
  return error.code === 'ENOSPC' ? 'no space is left where stdout leads' : error.message;
}

// JSON.stringify escapes the controls below 0x20 itself.
const HIDDEN_IN_JSON = /[\u007f-\u009f\p{Bidi_Control}\p{Zl}\p{Zp}\u200b-\u200d\u2060\ufeff]/gu;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
