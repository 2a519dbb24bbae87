/**
 * A name from a file, safe to put into a one-line message: quoted, shortened to `limit` characters, and with every
 * control and direction character escaped, so that a hostile file cannot write to a terminal.
 */
export function quoted(text: string, limit = 120): string {
  const shown = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return JSON.stringify(shown).replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
