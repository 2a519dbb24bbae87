import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeText } from '../formats/writeAtomically';
import type { Figures } from '../evaluation/evaluate';
import type { Evaluation, Provenance } from '../evaluation/types';
import { chunksCsv } from './chunksCsv';
import { metricsJson } from './metricsJson';
import { reportPage } from './reportPage';

/** The files of one evaluation. */
export interface ReportFiles {
  readonly page: string;
  readonly metrics: string;
  readonly chunks: string;
}

/** Writes `report.html`, `metrics.json` and `chunks.csv` into a folder, which is made if need be. */
export async function writeReport(
  folder: string,
  evaluation: Evaluation,
  figures: Figures,
  provenance: Provenance,
): Promise<ReportFiles> {
  await mkdir(folder, { recursive: true });
  const files = {
    page: join(folder, 'report.html'),
    metrics: join(folder, 'metrics.json'),
    chunks: join(folder, 'chunks.csv'),
  };
  writeText(files.page, reportPage(evaluation, figures, provenance));
  writeText(files.metrics, `${JSON.stringify(metricsJson(evaluation, figures, provenance), null, 2)}\n`);
  writeText(files.chunks, chunksCsv(evaluation));
  return files;
}
