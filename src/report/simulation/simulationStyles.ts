import { HIGHLIGHTED, type SeriesStyle } from '../plots/seriesStyle';
import type { Simulation } from './Simulation';

/** Styles by the order of the configurations: the choice first, then the front, then the rest as colours reach. */
export function simulationStyles({
  figures,
  pareto,
  choice,
}: Pick<Simulation, 'figures' | 'pareto' | 'choice'>): readonly SeriesStyle[] {
  const rank = (name: string): number => (name === choice ? 0 : pareto.includes(name) ? 1 : 2);
  const bySlot = figures.configurations
    .filter(({ uncached }) => !uncached)
    .map(({ configuration }) => configuration.name)
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, HIGHLIGHTED);
  return figures.configurations.map(({ configuration: { name }, uncached }, i) => {
    const slot = uncached ? 0 : bySlot.indexOf(name) + 1;
    const highlighted = uncached || slot > 0;
    return { name, number: i + 1, className: highlighted ? `s${slot}` : 'sx', highlighted };
  });
}
