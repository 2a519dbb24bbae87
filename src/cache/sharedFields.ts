import { COVERAGE, safeRange } from './pathCoverage';
import type { FieldTable } from './fields';

/** Fields that mean the same in several policies. */
export const refreshIntervalField = {
  shared: true,
  type: 'integer',
  description:
    'R: a chunk refreshes when at least this many chunks have passed since the last refresh; 0 = only the first chunk of an episode, 1 = every chunk',
  unit: 'chunks',
  default: 4,
  min: 0,
  max: 1_000_000,
  source: 'arXiv 2606.08962, tables 1 and 2 (0, 4, 8); 4 is the default of two independent reproductions',
} as const;

export const rangeField = {
  shared: true,
  type: 'range',
  description: 'first and last denoising step that are reused, both inclusive',
  unit: 'steps',
  default: ({ schedule }) => safeRange(schedule, COVERAGE.conservative) ?? ([0, 0] as const),
  source:
    'arXiv 2606.08962: [0, 6] for 10 steps at shift 5; other schedules: the same share of the sigma path (31.8 %)',
} as const satisfies FieldTable[string];

export const maxAgeField = {
  shared: true,
  type: 'number',
  description: 'a chunk refreshes when the stored values are older than this; 0 = off',
  unit: 's',
  default: 0,
  min: 0,
  max: 1e9,
  source: 'this project',
} as const;
