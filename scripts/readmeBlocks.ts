/** A block of commands in a page. */
export interface CommandBlock {
  /** of its first command, from 1 */
  readonly line: number;
  readonly commands: string;
  /** why it is not run, where the line before it says so */
  readonly notRun?: string;
}

const MARK = /^<!-- not run: (.+) -->$/;

/**
 * The blocks of a Markdown page that begin with ```sh, in order. One that cannot be tried by a machine alone has a line
 * before it that says why: `<!-- not run: needs a robot -->`.
 */
export function commandBlocks(markdown: string): readonly CommandBlock[] {
  const lines = markdown.split('\n');
  const blocks: CommandBlock[] = [];
  let spoken = ''; // the last line that is not empty
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? '';
    if (line !== '```sh') {
      if (line.trim() !== '') spoken = line;
      continue;
    }
    const end = lines.indexOf('```', i + 1);
    if (end < 0) throw new Error(`line ${i + 1}: a block of commands that does not end`);
    const [, notRun] = MARK.exec(spoken) ?? [];
    const commands = lines.slice(i + 1, end).join('\n');
    blocks.push({ line: i + 2, commands, ...(notRun !== undefined && { notRun }) });
    i = end;
    spoken = '```';
  }
  return blocks;
}
