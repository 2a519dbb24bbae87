import type { ConfigurationFigures, Figures } from '../../evaluation/evaluate';
import type { Evaluation, Provenance } from '../../evaluation/types';
import type { SeriesStyle } from '../plots/seriesStyle';

/** Everything that a section of the page draws from. */
export interface Report {
  readonly evaluation: Evaluation;
  readonly figures: Figures;
  readonly provenance: Provenance;
  /** one for each configuration */
  readonly styles: readonly SeriesStyle[];
  /** the configuration that the page shows next to the uncached one */
  readonly focus: ConfigurationFigures | undefined;
}
