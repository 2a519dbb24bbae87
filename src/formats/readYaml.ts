import { Lexer, LineCounter, isAlias, isCollection, isMap, isPair, isScalar, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { FileFormatError, messageOf } from '../errors';
import { quoted } from '../words/quoted';
import { readText } from './readText';

/** Nobody writes more by hand; the parser takes a few seconds for so many. */
const MOST_TOKENS = 200_000;
const DEEPEST = 64;
/** Uses of `*alias`, each of which stands for a value of any size. */
const MOST_ALIASES = 100;

export interface YamlText {
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

export interface YamlOptions {
  /** of the file; default 1 MiB */
  readonly bytes?: number;
  /** whole numbers as bigint */
  readonly bigIntegers?: boolean;
  /** YAML's old words for true and false (`yes`, `on`), as libyaml's users read them */
  readonly version?: '1.1' | '1.2';
}

/**
 * Parses a YAML (or JSON) file that somebody else made. Depth, tokens and aliases are limited before the parser sees
 * the text, whose own recursion and checks have no limits.
 * @throws FileFormatError with file and line
 */
export function readYaml(path: string, options: YamlOptions = {}): YamlText {
  return parseYaml(readText(path, options.bytes ?? 2 ** 20), path, options);
}

/** {@link readYaml} of a text; `path` is for messages. */
export function parseYaml(text: string, path: string, options: YamlOptions = {}): YamlText {
  checkTokens(text, path);
  const lines = new LineCounter();
  let document: Document.Parsed;
  try {
    document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      // The parser compares every key with every other; `checkKeys` looks them up.
      uniqueKeys: false,
      logLevel: 'error',
      ...(options.bigIntegers && { intAsBigInt: true }),
      ...(options.version && { version: options.version }),
    });
  } catch (error) {
    // The parser is recursive.
    const problem =
      error instanceof RangeError ? `is nested more than ${DEEPEST} levels deep` : messageOf(error);
    throw new FileFormatError(path, problem, { cause: error });
  }
  const [error] = document.errors;
  if (error !== undefined) {
    throw new FileFormatError(
      `${path}:${lines.linePos(error.pos[0]).line}`,
      `is not YAML: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
  checkKeys(document, lines, path);
  return { document, lines };
}

/**
 * The plain value of a document.
 * @throws FileFormatError where aliases multiply it without bounds
 */
export function yamlValue({ document }: YamlText, path: string): unknown {
  try {
    return document.toJS({ maxAliasCount: MOST_ALIASES });
  } catch (error) {
    throw new FileFormatError(path, `its aliases (*name) stand for too much: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function checkTokens(text: string, path: string): void {
  let tokens = 0;
  let depth = 0;
  let atLineStart = true;
  /** block sequences opened on one line: `- - - a` */
  let compact = 0;
  for (const token of new Lexer().lex(text)) {
    tokens += 1;
    if (tokens > MOST_TOKENS) {
      throw new FileFormatError(path, `has more than ${MOST_TOKENS} YAML tokens, more than anybody writes`);
    }
    if (token === '[' || token === '{') depth += 1;
    else if (token === ']' || token === '}') depth = Math.max(0, depth - 1);
    else if (token.startsWith('\n')) atLineStart = true;
    if (depth === 0 && (token === '-' || token === '?')) compact += 1;
    else if (atLineStart && token.trim() !== '') {
      atLineStart = false;
      compact = 0;
    }
    if (depth > DEEPEST || compact > DEEPEST) {
      throw new FileFormatError(path, `is nested more than ${DEEPEST} levels deep`);
    }
  }
}

/** Refuses keys that stand twice in a mapping, and nesting without end. */
function checkKeys(document: Document.Parsed, lines: LineCounter, path: string): void {
  const waiting: { readonly node: unknown; readonly depth: number }[] = [
    { node: document.contents, depth: 0 },
  ];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, depth } = next;
    if (depth > DEEPEST) throw new FileFormatError(path, `is nested more than ${DEEPEST} levels deep`);
    if (!isCollection(node) || isAlias(node)) continue;
    const seen = new Set<unknown>();
    for (const item of node.items) {
      if (!isPair(item)) {
        waiting.push({ node: item, depth: depth + 1 });
        continue;
      }
      const { key, value } = item;
      waiting.push({ node: key, depth: depth + 1 }, { node: value, depth: depth + 1 });
      if (!isMap(node) || !isScalar(key)) continue;
      if (seen.has(key.value)) {
        const line = lines.linePos(key.range?.[0] ?? 0).line;
        throw new FileFormatError(`${path}:${line}`, `has the key ${quoted(String(key.value))} twice`);
      }
      seen.add(key.value);
    }
  }
}
