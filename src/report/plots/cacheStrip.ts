import type { ConfigurationRun, ObservationFacts } from '../../evaluation/types';
import { markup, type Markup } from '../Markup';
import { drawing } from './frame';
import { STEP_STATES, stepStates } from './stepStates';
import type { StepState } from './stepStates';

const WIDTH = 1080;
const LEFT = 44;
const STEP_HEIGHT = 7;
const ROW_GAP = 24;
/** room for the label of the first step */
const TOP = 4;

/**
 * Chunks from left to right (wrapped like text), denoising steps from top to bottom, each cell computed, partly
 * computed or reused. One path for each state, so that hundreds of chunks stay a small file.
 */
export function cacheStrip(
  run: ConfigurationRun,
  observations: readonly ObservationFacts[],
  steps: number,
): Markup {
  const count = run.chunks.length;
  const cell = Math.min(24, Math.max(5, (WIDTH - LEFT) / count));
  const perRow = Math.floor((WIDTH - LEFT) / cell + 1e-9);
  const rows = Math.ceil(count / perRow);
  const rowHeight = steps * STEP_HEIGHT;
  const gap = cell > 7 ? 1 : 0.5;
  const paths = new Map<StepState, string>(STEP_STATES.map((state) => [state, '']));
  let seams = '';
  run.chunks.forEach(({ report }, i) => {
    const x = LEFT + (i % perRow) * cell;
    const top = TOP + Math.floor(i / perRow) * (rowHeight + ROW_GAP);
    const states = stepStates(report, steps);
    for (let k = 0; k < steps;) {
      const state = states[k] ?? 'reused';
      let end = k + 1;
      while (end < steps && states[end] === state) end += 1;
      // Steps of one state in a row are drawn as one bar: what matters is where the states change.
      paths.set(
        state,
        `${paths.get(state) ?? ''}M${short(x)} ${top + k * STEP_HEIGHT}h${short(cell - gap)}v${(end - k) * STEP_HEIGHT - 0.5}h-${short(cell - gap)}z`,
      );
      k = end;
    }
    if (i > 0 && observations[i]?.episode !== observations[i - 1]?.episode) {
      seams += `M${short(x - gap / 2)} ${top - 3}v${rowHeight + 6}`;
    }
  });
  const height = rows * (rowHeight + ROW_GAP);
  return drawing(
    WIDTH,
    height,
    `Computed and reused denoising steps of ${run.configuration.name}`,
    markup`${STEP_STATES.map((state) => {
      const path = paths.get(state);
      return path ? markup`<path class="cell-${state}" d="${path}"/>` : undefined;
    })}${seams !== '' && markup`<path class="episode" d="${seams}"/>`}${Array.from(
      { length: rows },
      (_, row) => {
        const top = TOP + row * (rowHeight + ROW_GAP);
        const first = row * perRow;
        const last = Math.min(count, first + perRow) - 1;
        return markup`<text class="tick end" x="${LEFT - 6}" y="${top + STEP_HEIGHT + 1}">0</text><text class="tick end" x="${LEFT - 6}" y="${top + rowHeight}">${steps - 1}</text><text class="tick" x="${LEFT}" y="${top + rowHeight + 13}">chunk ${first}</text>${
          last - first >= 12 &&
          markup`<text class="tick end" x="${LEFT + (last - first + 1) * cell}" y="${top + rowHeight + 13}">${last}</text>`
        }`;
      },
    )}`,
    'plot wide',
  );
}

const short = (value: number): string => String(Math.round(value * 10) / 10);
