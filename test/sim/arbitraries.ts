import fc from 'fast-check';
import { Random } from '../../src/sim/Random';
import { resetWorld } from '../../src/sim/resetWorld';
import { SPEEDS } from '../../src/sim/speeds';
import type { TabletopWorld } from '../../src/sim/TabletopWorld';
import { TASKS } from '../../src/sim/tasks';

/** A freshly reset world of any task and speed. */
export const anyWorld: fc.Arbitrary<TabletopWorld> = fc
  .record({
    task: fc.constantFrom(...TASKS),
    speed: fc.constantFrom(SPEEDS.slow, SPEEDS.fast),
    seed: fc.integer(),
  })
  .map(({ task, speed, seed }) => resetWorld(task, speed, new Random(seed)));

/** Wild but finite actions, some of them far outside [-1, 1]. */
export const anyAction: fc.Arbitrary<readonly [number, number, number]> = fc.tuple(
  fc.double({ min: -3, max: 3, noNaN: true }),
  fc.double({ min: -3, max: 3, noNaN: true }),
  fc.double({ min: -1, max: 1, noNaN: true }),
);
