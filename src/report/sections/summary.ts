import { markup, type Markup } from '../Markup';
import { summaryTable } from '../summaryTable';
import type { Report } from './Report';
import { table } from './table';

/** The main figures of every configuration. */
export function summary({ figures, evaluation }: Report): Markup {
  const { columns, rows, marked } = summaryTable(figures, evaluation.layout);
  return markup`<section><h2>Configurations</h2>
<p>Every configuration computed the same observations, one after the other in turn, so what slowed the machine slowed all of them. Deviation is from the uncached actions, over the part of each chunk that a robot executes: RMSE, and the largest difference in brackets.</p>
${table(
  columns.map(({ title, align, help }) => ({ title, align, help })),
  rows,
  marked,
)}</section>`;
}
