import type { Figures } from '../evaluation/evaluate';
import { reasonLines } from '../evaluation/reasons';
import type { Evaluation, Provenance, Warning } from '../evaluation/types';
import { plainText } from '../plainText';
import { summaryTable, type TextTable } from './summaryTable';
import { verdict } from './verdict';

export interface TerminalOptions {
  /** Only where the stream is a terminal and NO_COLOR is not set; see `wantsColour`. */
  readonly colour: boolean;
}

const BOLD = '\u001b[1m';
const YELLOW = '\u001b[33m';
const GREEN = '\u001b[32m';
const PLAIN = '\u001b[0m';

/** Whether escape codes may be written to a stream (https://no-color.org). */
export function wantsColour(
  stream: { readonly isTTY?: boolean },
  environment: NodeJS.ProcessEnv = process.env,
): boolean {
  return stream.isTTY === true && !environment['NO_COLOR'] && environment['TERM'] !== 'dumb';
}

/** The result for people at a terminal: warnings, table, verdict. Ends with a line break. */
export function terminalReport(
  { layout, warnings }: Evaluation,
  figures: Figures,
  provenance: Provenance,
  options: TerminalOptions,
): string {
  const paint = (code: string, text: string): string => (options.colour ? `${code}${text}${PLAIN}` : text);
  const lines = reasonLines(warnings).map((line) => paint(YELLOW, `warning: ${plainText(line)}`));
  if (lines.length > 0) lines.push('');
  const table = summaryTable(figures, layout);
  const [head, ...rows] = tableLines(table);
  lines.push(paint(BOLD, head ?? ''));
  rows.forEach((row, i) => lines.push(i === table.marked ? paint(GREEN, row) : row));
  lines.push('', plainText(verdict(figures, provenance)));
  return `${lines.join('\n')}\n`;
}

/** A warning in one line, with its time and configuration where it has them. */
export function warningText({ message, time, configuration }: Warning): string {
  const where = [
    ...(configuration === undefined ? [] : [configuration]),
    ...(time === undefined ? [] : [`${time.toFixed(2)} s`]),
  ];
  return where.length === 0 ? message : `${where.join(', ')}: ${message}`;
}

/** Head and rows, columns aligned and two spaces apart; no control character survives. */
export function tableLines({ columns, rows }: TextTable): readonly string[] {
  const cells = [columns.map(({ title }) => title), ...rows].map((row) => row.map(plainText));
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => width(row[i] ?? ''))));
  return cells.map((row) =>
    row
      .map((cell, i) => {
        const padding = ' '.repeat((widths[i] ?? 0) - width(cell));
        return columns[i]?.align === 'right' ? padding + cell : cell + padding;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** Columns that a text takes in a terminal; wide (East Asian, emoji) characters take two, combining ones none. */
function width(text: string): number {
  let columns = 0;
  for (const character of text) {
    if (/\p{Mark}/u.test(character)) continue;
    columns +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}]/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return columns;
}
