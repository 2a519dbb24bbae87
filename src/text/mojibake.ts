/*
 * UTF-8 that was decoded as something else, put right: "cafÃ©" -> "café". A part of what ftfy's fix_encoding does
 * (github.com/rspeer/python-ftfy), found by a plainer rule: what reads as UTF-8 in another encoding was UTF-8. Not done
 * are its repairs of mojibake that lost bytes ("â€�", "Ã la" with a plain space) and of CESU-8.
 */

/** In the order in which they are tried. */
const ENCODINGS = [
  'latin-1',
  'windows-1252',
  'windows-1251',
  'windows-1250',
  'windows-1253',
  'windows-1254',
  'windows-1257',
  'iso-8859-2',
  'macintosh',
] as const;

/** What Windows-1252 has in place of the C1 controls, from 0x80 on. Node's TextDecoder takes the name for Latin-1. */
const WINDOWS_1252 =
  '\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f' +
  '\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178';

/** Bytes of the characters of one encoding; bytes that it leaves open stand for the C1 control of their number. */
function encodingTable(name: (typeof ENCODINGS)[number]): ReadonlyMap<string, number> {
  const unicode = name === 'latin-1' || name === 'windows-1252';
  const decoder = unicode ? undefined : new TextDecoder(name);
  const table = new Map<string, number>();
  for (let byte = 0x80; byte < 0x100; byte++) {
    const own = String.fromCharCode(byte);
    const decoded =
      decoder?.decode(Uint8Array.of(byte)) ?? (name === 'windows-1252' ? windows1252(own) : own);
    table.set(decoded === '\ufffd' ? own : decoded, byte);
  }
  return table;
}

let tables: readonly ReadonlyMap<string, number>[] | undefined;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const ASCII = /^[\0-\x7f]*$/;

/** The text that UTF-8 bytes were meant to be, or undefined where a character has no byte or the bytes are no UTF-8. */
function reread(text: string, table: ReadonlyMap<string, number>): string | undefined {
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const byte = code < 0x80 ? code : table.get(character);
    if (byte === undefined) return undefined;
    bytes.push(byte);
  }
  try {
    return strictUtf8.decode(Uint8Array.from(bytes));
  } catch {
    return undefined;
  }
}

/** Runs that can be UTF-8 read as Windows-1252: characters of its upper half, the first of which begins a sequence. */
const WINDOWS_RUN =
  /[\u00c2-\u00f4][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013\u2014\u2018-\u201a\u201c-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122]{1,3}/g;

/** One pass; see `fixMojibake`. */
function fixOnce(text: string): string {
  if (ASCII.test(text)) return text;
  tables ??= ENCODINGS.map(encodingTable);
  for (const table of tables) {
    const fixed = reread(text, table);
    if (fixed !== undefined && fixed !== text) return fixed;
  }
  const windows = tables[1] ?? new Map<string, number>();
  return text.replace(WINDOWS_RUN, (run) => {
    for (let length = run.length; length > 1; length--) {
      const fixed = reread(run.slice(0, length), windows);
      if (fixed !== undefined) return fixed + run.slice(length);
    }
    return run;
  });
}

/** Puts right a text that as a whole, or in runs, is UTF-8 read in another encoding, also when that happened repeatedly. */
export function fixMojibake(text: string): string {
  for (let before = text; ; before = text) {
    text = fixOnce(before);
    if (text === before) return text;
  }
}

/** C1 control characters as what Windows-1252 has in their place. */
export function fixControls(text: string): string {
  return text.replace(/[\u0080-\u009f]/g, windows1252);
}

function windows1252(control: string): string {
  return WINDOWS_1252[control.charCodeAt(0) - 0x80] ?? control;
}
