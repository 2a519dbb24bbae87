import type { Cleaning } from '../bundle/schema';
import { decodeHTML, decodeHTMLStrict } from 'entities';
import { fixControls, fixMojibake } from './mojibake';

/** Unicode's White_Space, which Python's `\s` matches. */
const SPACE = '[\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const SPACES = new RegExp(`${SPACE}+`, 'g');
const OUTER_SPACES = new RegExp(`^${SPACE}+|${SPACE}+$`, 'g');

const strip = (text: string): string => text.replace(OUTER_SPACES, '');

/**
 * A prompt as the tokenizer gets it. Cleaning `upstream` is `WanTextTokenizer(clean="whitespace")` of the original: `ftfy.fix_text`,
 * `html.unescape` twice, white space stripped and collapsed. Of ftfy the parts in `fixText` are done.
 */
export function cleanPrompt(prompt: string, cleaning: Cleaning): string {
  if (cleaning === 'none') return prompt;
  const unescaped = unescapeHtml(unescapeHtml(fixText(prompt)));
  return strip(strip(unescaped).replace(SPACES, ' '));
}

/** Entities by number that stand for no character, and are left out. */
const NO_CHARACTER =
  /&#(?:0*(?:[1-8]|11|1[4-9]|2\d|3[01]|127)|x0*(?:[1-8be]|0b|0e|[1][\da-f]|7f))(?![\da-f]);?/gi;

/** Python's `html.unescape`. */
function unescapeHtml(text: string): string {
  return decodeHTML(text.replace(NO_CHARACTER, ''));
}

/**
 * What ftfy's `fix_text` does with its default settings (6.3), line by line until nothing changes: entities where no `<`
 * is near, mojibake, C1 controls, Latin ligatures, full and half width, curly quotes, line breaks, terminal colours,
 * control characters, NFC. Lone surrogates become U+FFFD.
 */
export function fixText(text: string): string {
  let out = '';
  let markup = false;
  for (const [line] of text.matchAll(/[^\n]*\n|[^\n]+$/g)) {
    markup ||= line.includes('<');
    out += fixLine(line, markup);
  }
  return out;
}

function fixLine(line: string, markup: boolean): string {
  let text = Buffer.from(line, 'utf8').toString('utf8');
  for (;;) {
    const before = text;
    if (!markup) text = decodeNamed(text);
    text = fixControls(fixMojibake(text));
    text = separateLigatures(text);
    text = standardWidth(text);
    text = text.replace(/[\u02bc\u2018-\u201b]/g, "'").replace(/[\u201c-\u201f]/g, '"');
    text = text.replace(/\r\n|[\r\u2028\u2029\u0085]/g, '\n');
    // eslint-disable-next-line no-control-regex
    text = text.replace(/\u001b\[[\d;]*[a-zA-Z]/g, '');
    // eslint-disable-next-line no-control-regex
    text = text.replace(/[\0-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]/g, '');
    text = text.normalize('NFC');
    if (text === before) return text;
  }
}

/** Entities with their semicolon; names in capitals where they mean nothing else. */
function decodeNamed(text: string): string {
  return text.replace(/&#?[0-9A-Za-z]{1,24};/g, (entity) => {
    const decoded = decodeHTMLStrict(entity);
    if (decoded !== entity || entity !== entity.toUpperCase()) return decoded;
    const lower = decodeHTMLStrict(entity.toLowerCase());
    return lower === entity.toLowerCase() ? entity : lower.toUpperCase();
  });
}

/** Latin ligatures and digraphs; others of the block are left alone. */
const LIGATURES = /[\u0132\u0133\u0149\u01c4-\u01cc\u01f1-\u01f3\ufb00-\ufb06]/g;

function separateLigatures(text: string): string {
  // NFKC would also make an "s" of the long one in U+FB05.
  return text.replace(LIGATURES, (c) => (c === '\ufb05' ? '\u017ft' : c.normalize('NFKC')));
}

function standardWidth(text: string): string {
  return text.replace(/[\u3000\uff01-\uffef]/g, (c) => c.normalize('NFKC'));
}
