// Control characters, and marks that reorder, join or hide text.
const CONTROLS = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\u200b-\u200d\u2060\ufeff]+/gu;

/** Text from bags, bundles and messages made harmless for a terminal: control characters become one space. */
export function plainText(text: string): string {
  return text.replace(CONTROLS, ' ');
}

/** At most `length` characters (not code units), the cut marked by an ellipsis. */
export function shortened(text: string, length: number): string {
  const characters = Array.from(text);
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}
