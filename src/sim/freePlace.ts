import { OBJECT_DISTANCE, PLACE_MAX, PLACE_MIN, PLATE_RADIUS, SLOTS } from './geometry';
import type { Random } from './Random';
import { boxDistance, relationHolds } from './resetWorld';
import type { ObjectKind, TabletopWorld } from './TabletopWorld';

/** Draws before giving up: a crowded table may have no free place. */
const ATTEMPTS = 20;

/** How far from where it stands the object may be put; anywhere if not given. */
export interface Ring {
  readonly from: number;
  readonly to: number;
}

/**
 * A random place where an object can stand: at least OBJECT_DISTANCE from all others and from the lanes in which they
 * drift, with the task's spatial relation still true. Undefined if none was found, if the object is absent, held or
 * drifting, or if it is a plate with something on it.
 */
export function drawFreePlace(
  world: TabletopWorld,
  kind: ObjectKind,
  slot: number,
  random: Random,
  ring?: Ring,
): readonly [number, number] | undefined {
  if (!isMovable(world, kind, slot)) return undefined;
  const others = (['block', 'plate'] as const).flatMap((other) =>
    [...Array(SLOTS).keys()]
      .filter((s) => isPresent(world, other, s) && !(other === kind && s === slot))
      .map((s) => world.laneOf(other, s)),
  );
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const x = random.uniform(PLACE_MIN, PLACE_MAX);
    const y = random.uniform(PLACE_MIN, PLACE_MAX);
    if (others.some((other) => boxDistance([x, x, y, y], other) < OBJECT_DISTANCE)) continue;
    if (ring) {
      const [x0, , y0] = world.laneOf(kind, slot);
      const way = Math.sqrt((x - x0) ** 2 + (y - y0) ** 2);
      if (way < ring.from || way > ring.to) continue;
    }
    if (kind === 'block' && world.task.relation) {
      const blocks = world.blocks.slice();
      blocks.set([x, y], 2 * slot);
      if (!relationHolds(world.task.relation, blocks)) continue;
    }
    return [x, y];
  }
  return undefined;
}

function isPresent(world: TabletopWorld, kind: ObjectKind, slot: number): boolean {
  return ((kind === 'block' ? world.blockColours : world.plateColours)[slot] ?? -1) >= 0;
}

function isMovable(world: TabletopWorld, kind: ObjectKind, slot: number): boolean {
  if (!isPresent(world, kind, slot) || world.isMoving(kind, slot)) return false;
  if (kind === 'block') return world.held !== slot;
  const [x = 0, y = 0] = world.plates.subarray(2 * slot, 2 * slot + 2);
  return ![...Array(SLOTS).keys()].some((s) => {
    if (!isPresent(world, 'block', s) || world.held === s) return false;
    const dx = (world.blocks[2 * s] ?? 0) - x;
    const dy = (world.blocks[2 * s + 1] ?? 0) - y;
    return Math.sqrt(dx * dx + dy * dy) < PLATE_RADIUS;
  });
}
