import type { ConfigurationRun, ObservationFacts } from '../../evaluation/types';
import { markup, type Markup } from '../Markup';
import { shortened } from '../../plainText';
import { drawing } from './frame';
import { STEP_STATES, stepStates } from './stepStates';
import type { StepState } from './stepStates';

const WIDTH = 1080;
const TOP = 14;
const STEP_HEIGHT = 3;
const GAP = 8;
const BOTTOM = 22;
/** about the width of a letter, pixels; names longer than so many letters are shortened */
const LETTER = 7.4;
const NAME_LENGTH = 26;
/** A line has no more columns: of a longer recording, each stands for several chunks. */
const LARGEST_COLUMNS = 400;

/** A line of the overview. */
export interface StripLine {
  readonly run: ConfigurationRun;
  readonly number: number;
  /** what to show where the reader points at the name */
  readonly help: string;
  /** chunks to mark, with where a click on the mark leads to */
  readonly marks: readonly { readonly chunk: number; readonly href: string }[];
}

/**
 * One line for each configuration: chunks from left to right, all on one scale, denoising steps from top to bottom.
 * A column that stands for several chunks shows how much was computed of them.
 */
export function stripOverview(
  lines: readonly StripLine[],
  observations: readonly ObservationFacts[],
  steps: number,
): Markup {
  const count = observations.length;
  const perColumn = Math.ceil(count / LARGEST_COLUMNS);
  const columns = Math.ceil(count / perColumn);
  const longest = Math.max(...lines.map(({ run }) => Math.min(run.configuration.name.length, NAME_LENGTH)));
  const left = 16 + (longest + 3) * LETTER;
  const cell = Math.min(24, (WIDTH - left) / columns);
  const height = steps * STEP_HEIGHT;
  const rowHeight = height + GAP;
  const bottom = TOP + lines.length * rowHeight;
  const xOf = (chunk: number): number => left + Math.floor(chunk / perColumn) * cell;
  const episodes = observations.flatMap(({ episode }, i) =>
    i > 0 && observations[i - 1]?.episode !== episode ? [i] : [],
  );
  const labelled = observations.flatMap((_, i) => (i % tickDistance(count) === 0 ? [i] : []));
  return drawing(
    WIDTH,
    bottom + BOTTOM,
    'Computed and reused denoising steps of each configuration',
    markup`${lines.map((line, row) => {
      const top = TOP + row * rowHeight;
      const { name } = line.run.configuration;
      return markup`<text class="label end" x="${left - 10}" y="${top + height / 2 + 4}"><title>${line.help}</title>${line.number} ${shortened(name, NAME_LENGTH)}</text>${cells(line.run, { top, left, cell, perColumn, steps })}${line.marks.map(
        ({ chunk, href }, rank) =>
          markup`<a href="${href}"><path class="mark" d="M${xOf(chunk) + cell / 2} ${top}l-4 -6h8z"><title>worst moment ${rank + 1}</title></path></a>`,
      )}`;
    })}${
      episodes.length > 0 &&
      markup`<path class="episode" d="${episodes.map((i) => `M${xOf(i).toFixed(1)} ${TOP - 3}V${bottom - GAP + 3}`).join('')}"/>`
    }${labelled.map(
      (i) => markup`<text class="tick" x="${xOf(i)}" y="${bottom + 12}">${i === 0 ? 'chunk 0' : i}</text>`,
    )}`,
    'plot wide',
  );
}

/** A path for each state, so that many chunks stay a small file. */
function cells(
  { chunks }: ConfigurationRun,
  at: {
    readonly top: number;
    readonly left: number;
    readonly cell: number;
    readonly perColumn: number;
    readonly steps: number;
  },
): Markup {
  const { top, left, cell, perColumn, steps } = at;
  const paths = new Map<StepState, string>();
  const width = Math.max(cell - (cell > 5 ? 1 : cell > 3 ? 0.5 : 0), 0.5).toFixed(1);
  for (let first = 0; first < chunks.length; first += perColumn) {
    const states = chunks.slice(first, first + perColumn).map(({ report }) => stepStates(report, steps));
    const x = (left + (first / perColumn) * cell).toFixed(1);
    for (let k = 0; k < steps;) {
      const state = together(states.map((all) => all[k] ?? 'reused'));
      let end = k + 1;
      while (end < steps && together(states.map((all) => all[end] ?? 'reused')) === state) end += 1;
      const size = (end - k) * STEP_HEIGHT;
      paths.set(state, `${paths.get(state) ?? ''}M${x} ${top + k * STEP_HEIGHT}h${width}v${size}h-${width}z`);
      k = end;
    }
  }
  return markup`${[...paths].map(([state, d]) => markup`<path class="cell-${state}" d="${d}"/>`)}`;
}

/** The state of several chunks at one step: their mean share of what was computed. */
function together(states: readonly StepState[]): StepState {
  const [only = 'reused'] = states;
  if (states.every((state) => state === only)) return only;
  const shares: Readonly<Record<StepState, number>> = {
    refresh: 1,
    computed: 1,
    part3: 5 / 6,
    part2: 1 / 2,
    part1: 1 / 6,
    reused: 0,
  };
  const share = states.reduce((sum, state) => sum + shares[state], 0) / states.length;
  const parts = STEP_STATES.slice(2, 5);
  return parts[Math.min(2, Math.floor((1 - share) * 3))] ?? 'part2';
}

/** Numbers of chunks stand so far apart that about ten are there. */
function tickDistance(count: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, count / 10)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((distance) => count / distance <= 12) ?? count;
}
