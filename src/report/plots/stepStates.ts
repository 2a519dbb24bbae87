import type { ChunkReport } from '../../cache/types';

/** What one denoising step of one chunk was. `part…`: some of its blocks were computed, by thirds. */
export const STEP_STATES = ['refresh', 'computed', 'part3', 'part2', 'part1', 'reused'] as const;
export type StepState = (typeof STEP_STATES)[number];

/** States of all N steps of a chunk. */
export function stepStates(
  report: Pick<ChunkReport, 'computed' | 'refreshed'>,
  steps: number,
): readonly StepState[] {
  const width = Math.max(1, Math.floor(report.computed.length / steps));
  return Array.from({ length: steps }, (_, k) => {
    const cells = report.computed.subarray(k * width, (k + 1) * width);
    const share = cells.reduce((sum, cell) => sum + cell, 0) / width;
    if (share === 1) return report.refreshed ? 'refresh' : 'computed';
    if (share === 0) return 'reused';
    return share > 2 / 3 ? 'part3' : share > 1 / 3 ? 'part2' : 'part1';
  });
}
