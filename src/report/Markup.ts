/** Text that is HTML or SVG already. Only `markup` and `verbatim` make it, so nothing gets in unescaped. */
export class Markup {
  constructor(readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

export type MarkupValue = string | number | Markup | undefined | false | readonly MarkupValue[];

/**
 * HTML or SVG from a template. Whatever is put into it is escaped, for text and quoted attributes alike, unless it
 * is markup; lists are joined, `undefined` and `false` give nothing.
 */
export function markup(strings: TemplateStringsArray, ...values: readonly MarkupValue[]): Markup {
  return new Markup(
    strings.reduce((text, part, i) => text + part + (i < values.length ? rendered(values[i]) : ''), ''),
  );
}

/** Text that is taken as it is: constants of this program, never data. */
export function verbatim(text: string): Markup {
  return new Markup(text);
}

function rendered(value: MarkupValue): string {
  if (value === undefined || value === false) return '';
  if (value instanceof Markup) return value.text;
  if (typeof value === 'string') return escaped(value);
  if (typeof value === 'number') return String(Math.round(value * 1000) / 1000);
  return value.map(rendered).join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Characters that HTML reads are replaced, those that it forbids or that reorder a line are removed. */
export function escaped(text: string): string {
  return text
    .replace(/(?![\t\n\r])[\p{Cc}\p{Bidi_Control}]/gu, '')
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

/**
 * JSON for a `<script type="application/json">`: it can neither close the element nor open a comment, and holds no
 * mark that would reorder the lines of the file.
 */
export function jsonForScript(value: unknown): Markup {
  return new Markup(
    JSON.stringify(value).replace(
      /[<>&\p{Zl}\p{Zp}\p{Bidi_Control}]/gu,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
  );
}
