/** Splits a list at its commas, but not inside `[0,6]`. */
export function listed(text: string): readonly string[] {
  return text
    .split(/,(?![^[]*\])/)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
