import { tableLines } from '../terminalReport';
import type { Simulation } from './Simulation';
import { simulationTable } from './simulationTable';
import { simulationVerdict } from './simulationVerdict';

/** The result for people at a terminal: table and verdict. Ends with a line break. */
export function simulationText({
  figures,
  pareto,
  choice,
}: Pick<Simulation, 'figures' | 'pareto' | 'choice'>): string {
  const lines = tableLines(simulationTable(figures, pareto, choice));
  return `${[...lines, '', simulationVerdict(figures, choice)].join('\n')}\n`;
}
