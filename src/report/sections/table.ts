import type { ConfigurationFigures } from '../../evaluation/evaluate';
import { markup, type Markup } from '../Markup';
import type { Report } from './Report';
import { scroll } from './scroll';

export interface Column {
  readonly title: string;
  /** figures stand on the right, words on the left */
  readonly align?: 'left' | 'right';
  readonly help?: string;
}

/** A table of text in a box that scrolls where it is too wide. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  marked?: number,
): Markup {
  const align = (i: number): string => (columns[i]?.align === 'left' ? 'left' : 'right');
  return scroll(
    markup`<table><thead><tr>${columns.map(
      ({ title, help }, i) =>
        markup`<th class="${align(i)}"${help !== undefined && markup` title="${help}"`}>${title}</th>`,
    )}</tr></thead><tbody>${rows.map(
      (row, r) =>
        markup`<tr${r === marked && markup` class="marked"`}>${row.map((cell, i) => markup`<td class="${align(i)}">${cell}</td>`)}</tr>`,
    )}</tbody></table>`,
  );
}

/**
 * One row for each of the given configurations, led by its number and name. Those that no plot points out are
 * folded away below.
 */
export function configurationTable(
  { figures, styles }: Report,
  columns: readonly Column[],
  shown: readonly ConfigurationFigures[],
  cellsOf: (one: ConfigurationFigures) => readonly string[],
): Markup {
  const all: readonly Column[] = [{ title: '#' }, { title: 'configuration', align: 'left' }, ...columns];
  const rows = shown.map((one) => {
    const i = figures.configurations.indexOf(one);
    return {
      highlighted: styles[i]?.highlighted !== false,
      cells: [String(i + 1), one.configuration.name, ...cellsOf(one)],
    };
  });
  const cells = (highlighted: boolean): (readonly string[])[] =>
    rows.filter((row) => row.highlighted === highlighted).map((row) => row.cells);
  const folded = cells(false);
  return markup`${table(all, cells(true))}${
    folded.length > 0 &&
    markup`<details><summary>${folded.length} more configurations</summary>${table(all, folded)}</details>`
  }`;
}
