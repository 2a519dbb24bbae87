import type { ConfigurationFigures, Figures } from '../../evaluation/evaluate';
import { focusOf } from '../verdict';

/** How a configuration looks in every plot. */
export interface SeriesStyle {
  readonly name: string;
  /** its number in the tables */
  readonly number: number;
  /** class that carries colour and dash: `s0` uncached, `s1`… highlighted, `sx` one of the others */
  readonly className: string;
  readonly highlighted: boolean;
}

/** More colours than these cannot be told apart with certainty. */
export const HIGHLIGHTED = 6;

/**
 * Styles by the order of the configurations. The focus comes first, then those on the Pareto front, then the others
 * as far as the colours reach; the rest is grey.
 */
export function seriesStyles(figures: Figures): readonly SeriesStyle[] {
  const cached = figures.configurations.filter(({ uncached }) => !uncached);
  const focus = focusOf(figures);
  const rank = (one: ConfigurationFigures): number => (one === focus ? 0 : one.pareto ? 1 : 2);
  const bySlot = [...cached].sort((a, b) => rank(a) - rank(b)).slice(0, HIGHLIGHTED);
  return figures.configurations.map((one, i) => {
    const slot = one.uncached ? 0 : bySlot.indexOf(one) + 1;
    const highlighted = one.uncached || slot > 0;
    return {
      name: one.configuration.name,
      number: i + 1,
      className: highlighted ? `s${slot}` : 'sx',
      highlighted,
    };
  });
}
