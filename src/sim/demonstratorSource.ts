import type { ChunkSource } from './closedLoop';
import { demonstratorRollout } from './demonstrator';
import type { TabletopWorld } from './TabletopWorld';

const HORIZON = 32;
const FREE = {
  refreshed: true,
  reason: 'demonstrator',
  fullSteps: 0,
  reusedSteps: 0,
  stackEvaluations: 0,
  seconds: 0,
};

/** The demonstrator as a source of chunks: what it would do for 32 steps if nothing disturbed it. */
export function demonstratorSource(): ChunkSource {
  let world: TabletopWorld | undefined;
  return {
    reset: (_instruction, started) => {
      world = started;
      return Promise.resolve();
    },
    infer: () =>
      Promise.resolve({
        actions: world ? demonstratorRollout(world, HORIZON) : new Float32Array(3 * HORIZON),
        cost: FREE,
      }),
  };
}
