import type { ChunkResult } from './types';

/** Whether a chunk reused nothing, by its own choice or because it refreshed. */
export function computedInFull({ report }: ChunkResult): boolean {
  return report.computed.every((flag) => flag === 1);
}
