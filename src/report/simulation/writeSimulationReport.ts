import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeText } from '../../formats/writeAtomically';
import { episodesCsv } from './episodesCsv';
import type { Simulation } from './Simulation';
import { simulationJson } from './simulationJson';
import { simulationMarkdown } from './simulationMarkdown';
import { simulationPage } from './simulationPage';

/** The files of one run. */
export interface SimulationFiles {
  readonly page: string;
  readonly metrics: string;
  readonly episodes: string;
  readonly tables: string;
}

/** Writes `report.html`, `metrics.json`, `episodes.csv` and `tables.md` into a folder, which is made if need be. */
export async function writeSimulationReport(
  folder: string,
  simulation: Simulation,
): Promise<SimulationFiles> {
  await mkdir(folder, { recursive: true });
  const files = {
    page: join(folder, 'report.html'),
    metrics: join(folder, 'metrics.json'),
    episodes: join(folder, 'episodes.csv'),
    tables: join(folder, 'tables.md'),
  };
  writeText(files.page, simulationPage(simulation));
  writeText(files.metrics, `${JSON.stringify(simulationJson(simulation), null, 2)}\n`);
  writeText(files.episodes, episodesCsv(simulation.records));
  writeText(files.tables, simulationMarkdown(simulation.figures));
  return files;
}
