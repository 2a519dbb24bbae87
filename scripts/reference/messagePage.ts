import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { code, plain, table } from './markdown';

const ROOT = join(__dirname, '..', '..', 'msgs');

interface Line {
  readonly field: string;
  readonly type: string;
  readonly text: string;
}

/** One definition: what stands before the first field, and the fields with the comments before them. */
function read(text: string): { readonly head: string; readonly parts: readonly (readonly Line[])[] } {
  const parts: Line[][] = [[]];
  let head: string | undefined;
  let comment: string[] = [];
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    if (line.startsWith('#')) comment.push(line.replace(/^# ?/, ''));
    else if (line === '') {
      // Only the first paragraph is about the whole; what follows is about the fields below it.
      if (head === undefined && comment.length > 0) {
        head = comment.join(' ');
        comment = [];
      } else if (comment.length > 0 && !comment.at(-1)?.endsWith('\n')) comment.push('\n');
    } else if (line === '---') parts.push([]);
    else {
      const [type = '', ...rest] = line.split(/\s+/);
      parts.at(-1)?.push({
        type,
        field: rest.join(' '),
        text: comment
          .join(' ')
          .replaceAll(/\s*\n\s*/g, ' ')
          .trim(),
      });
      comment = [];
    }
  }
  return { head: head ?? '', parts };
}

const fieldTable = (lines: readonly Line[]): string =>
  table(
    ['field', 'type', 'what it is'],
    lines.map(({ field, type, text }) => [code(field), code(type), plain(text)]),
  );

/** The messages and services of fast_wam_msgs, from their definitions. */
export function messagePage(): string {
  const sections = ['msg', 'srv'].flatMap((kind) =>
    readdirSync(join(ROOT, kind))
      .filter((file) => file.endsWith(`.${kind}`))
      .sort()
      .map((file) => {
        const { head, parts } = read(readFileSync(join(ROOT, kind, file), 'utf8'));
        const [first = [], second] = parts.map(fieldTable);
        const body =
          second === undefined ? String(first) : `Request:\n\n${String(first)}\n\nResponse:\n\n${second}`;
        return `## fast_wam_msgs/${kind}/${file.replace(/\.\w+$/, '')}\n\n${plain(head)}\n\n${body}`;
      }),
  );
  return `# Messages and services

Package \`fast_wam_msgs\`, in \`msgs/\`. On an installation: \`ros2 interface show fast_wam_msgs/msg/ActionChunk\`. Which node publishes
and serves what: [The nodes](nodes.md). A text after a field with no text of its own is that of the fields before it.

${sections.join('\n\n')}
`;
}
