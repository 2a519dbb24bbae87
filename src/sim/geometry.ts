/** Sizes of the table-top, in table units: the table is [0,1] x [0,1], x to the right, y down in the image. */

/** Half the side of a block. */
export const BLOCK_HALF_SIDE = 0.055;
export const PLATE_RADIUS = 0.085;
/** The gripper's two fingers are rectangles at gx ± (offset + travel · opening). */
export const FINGERS = { halfWidth: 0.0125, halfHeight: 0.04, offset: 0.03, travel: 0.035 } as const;
/** A closing gripper takes the nearest block if it is nearer than this on both axes. */
export const GRASP_TOLERANCE = 0.045;
/** A block lies on its plate when their centres are nearer than this. */
export const PLACE_TOLERANCE = 0.06;
/** The gripper's centre stays in [GRIPPER_MIN, GRIPPER_MAX] on both axes. */
const GRIPPER_MIN = 0.03;
const GRIPPER_MAX = 0.97;
/**
 * Where the gripper is after one control step.
 * @param from centre, [x, y]
 * @param displacement the action's, [dx, dy] in units of the largest step; beyond -1 to 1 it is cut
 * @param step largest displacement in one step and axis, table units
 */
export function movedGripper(
  from: ArrayLike<number>,
  displacement: ArrayLike<number>,
  step: number,
): [number, number] {
  const moved = (axis: number): number =>
    clip((from[axis] ?? 0) + clip(displacement[axis] ?? 0, -1, 1) * step, GRIPPER_MIN, GRIPPER_MAX);
  return [moved(0), moved(1)];
}

/** The value, or the limit that it is beyond. */
export function clip(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}

/** What an action's third value tells the gripper: to open, or else to close. */
export function isOpening(grip: number): boolean {
  return grip > 0;
}

/** Passing this opening downwards grasps, upwards releases. */
export const GRIP_THRESHOLD = 0.6;
/** The fingers cannot close further than this around a block. */
export const HOLDING_OPENING = 0.25;

/** Objects and gripper start in [PLACE_MIN, PLACE_MAX] on both axes ... */
export const PLACE_MIN = 0.1;
export const PLACE_MAX = 0.9;
/** ... with their centres at least this far apart. */
export const OBJECT_DISTANCE = 0.17;
/** "Left of", "above" ... means by at least this much. */
export const RELATION_MARGIN = 0.12;

/** Blocks and plates a table can hold; absent ones have the colour -1. */
export const SLOTS = 3;

export const BLOCK_COLOURS = ['red', 'green', 'blue', 'yellow'] as const;
export const PLATE_COLOURS = ['white', 'grey', 'purple'] as const;
export type BlockColour = (typeof BLOCK_COLOURS)[number];
export type PlateColour = (typeof PLATE_COLOURS)[number];
