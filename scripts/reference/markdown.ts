/** A Markdown table; cells may hold what Markdown would take for the end of a cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A value as it is typed. */
export function code(text: string): string {
  return text === '' ? '' : `\`${text}\``;
}

/** Text that is no code, where `<name>` is a name and not HTML. */
export function plain(text: string): string {
  return text.replaceAll(/<(\w[\w ]*)>/g, '\\<$1\\>').replaceAll(/(^|[^`\w])\*(?=\w)/g, '$1\\*');
}
