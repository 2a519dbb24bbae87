import {
  BLOCK_COLOURS,
  OBJECT_DISTANCE,
  PLACE_MAX,
  PLACE_MIN,
  PLATE_COLOURS,
  RELATION_MARGIN,
  SLOTS,
} from './geometry';
import { Random } from './Random';
import type { WorldSpeed } from './speeds';
import { TabletopWorld, type Drift } from './TabletopWorld';
import type { Relation, Task } from './tasks';

/** A drifting object covers this much of the table ... */
const LANE_LENGTH = [0.3, 0.45] as const;
/** ... at this share of the gripper's largest step. */
const DRIFT_SPEED = [0.15, 0.25] as const;

/** x from, x to, y from, y to; a point for what stands still. */
export type Box = readonly [number, number, number, number];

/**
 * A new table for a task, drawn from a source of chance: gripper and objects uniform over the inner table, open
 * gripper, objects (or the lanes they drift in) at least OBJECT_DISTANCE apart, and the task's spatial relation true.
 * Whole tables are drawn again until one fits.
 */
export function resetWorld(task: Task, speed: WorldSpeed, random: Random): TabletopWorld {
  const gripper = [random.uniform(PLACE_MIN, PLACE_MAX), random.uniform(PLACE_MIN, PLACE_MAX)] as const;
  const blockColours = drawColours(task, random);
  const plateColours = Array.from({ length: SLOTS }, (_, slot) => {
    const colour = task.plates[slot];
    return colour === undefined ? -1 : PLATE_COLOURS.indexOf(colour);
  });
  for (;;) {
    const objects = [
      ...task.blocks.map((_, slot) => drawObject('block', slot, task, speed, random)),
      ...task.plates.map((_, slot) => drawObject('plate', slot, task, speed, random)),
    ];
    if (!areApart(objects.map((object) => object.lane))) continue;
    const blocks = new Float64Array(2 * SLOTS);
    const plates = new Float64Array(2 * SLOTS);
    const drifts: Drift[] = [];
    for (const object of objects) {
      (object.kind === 'block' ? blocks : plates).set(object.at, 2 * object.slot);
      if (object.drifts) drifts.push(object);
    }
    if (task.relation && !relationHolds(task.relation, blocks)) continue;
    return new TabletopWorld(task, speed, { gripper, blocks, blockColours, plates, plateColours, drifts });
  }
}

/** Is block 0 left of (right of, above, below) block 1 by the margin? `blocks` is [slot, xy]. */
export function relationHolds(relation: Relation, blocks: ArrayLike<number>): boolean {
  const axis = relation === 'left' || relation === 'right' ? 0 : 1;
  const ahead = (blocks[2 + axis] ?? 0) - (blocks[axis] ?? 0);
  return (relation === 'left' || relation === 'upper' ? ahead : -ahead) >= RELATION_MARGIN;
}

/** Distance of two axis-aligned boxes. */
export function boxDistance(a: Box, b: Box): number {
  const dx = Math.max(0, a[0] - b[1], b[0] - a[1]);
  const dy = Math.max(0, a[2] - b[3], b[2] - a[3]);
  return Math.sqrt(dx * dx + dy * dy);
}

function areApart(boxes: readonly Box[]): boolean {
  return boxes.every((box, i) =>
    boxes.slice(0, i).every((other) => boxDistance(box, other) >= OBJECT_DISTANCE),
  );
}

/** Named colours as they are; `other` ones differ from all of the scene. */
function drawColours(task: Task, random: Random): number[] {
  const colours = task.blocks.map((name) => (name === 'other' ? -1 : BLOCK_COLOURS.indexOf(name)));
  const free = BLOCK_COLOURS.map((_, colour) => colour).filter((colour) => !colours.includes(colour));
  return Array.from({ length: SLOTS }, (_, slot) => {
    if (slot >= task.blocks.length) return -1;
    const colour = colours[slot] ?? -1;
    return colour >= 0 ? colour : (free.splice(random.integer(0, free.length), 1)[0] ?? -1);
  });
}

interface DrawnObject extends Drift {
  readonly at: readonly [number, number];
  readonly drifts: boolean;
  readonly lane: Box;
}

function drawObject(
  kind: 'block' | 'plate',
  slot: number,
  task: Task,
  speed: WorldSpeed,
  random: Random,
): DrawnObject {
  const drifts = task.pairs.some((pair) =>
    kind === 'block' ? task.blockDrifts && pair.block === slot : task.plateDrifts && pair.plate === slot,
  );
  const across = random.uniform(PLACE_MIN, PLACE_MAX);
  if (!drifts) {
    const y = random.uniform(PLACE_MIN, PLACE_MAX);
    return { kind, slot, drifts, at: [across, y], velocity: [0, 0], lane: [across, across, y, y] };
  }
  const length = random.uniform(...LANE_LENGTH);
  const from = random.uniform(PLACE_MIN, PLACE_MAX - length);
  const along = random.uniform(from, from + length);
  const pace = random.uniform(...DRIFT_SPEED) * speed.step * (random.chance(0.5) ? 1 : -1);
  return random.chance(0.5)
    ? {
        kind,
        slot,
        drifts,
        at: [along, across],
        velocity: [pace, 0],
        lane: [from, from + length, across, across],
      }
    : {
        kind,
        slot,
        drifts,
        at: [across, along],
        velocity: [0, pace],
        lane: [across, across, from, from + length],
      };
}
