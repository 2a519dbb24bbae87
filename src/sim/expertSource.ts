import type { ChunkSource } from './closedLoop';
import { expertRollout } from './expert';
import type { TabletopWorld } from './TabletopWorld';

const HORIZON = 32;
const FREE = {
  refreshed: true,
  reason: 'expert',
  fullSteps: 0,
  reusedSteps: 0,
  stackEvaluations: 0,
  seconds: 0,
};

/** The expert as a source of chunks: what it would do for 32 steps if nothing disturbed it. */
export function expertSource(): ChunkSource {
  let world: TabletopWorld | undefined;
  return {
    reset: (_instruction, started) => {
      world = started;
      return Promise.resolve();
    },
    infer: () =>
      Promise.resolve({
        actions: world ? expertRollout(world, HORIZON) : new Float32Array(3 * HORIZON),
        cost: FREE,
      }),
  };
}
