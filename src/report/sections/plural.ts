/** `1 chunk`, `2 chunks`, `3 refreshes`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
