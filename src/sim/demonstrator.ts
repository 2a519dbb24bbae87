import { GRIP_THRESHOLD } from './geometry';
import type { TabletopWorld } from './TabletopWorld';

/** Nearer than this, the demonstrator stops and closes or opens its gripper. */
const NEAR = 0.012;

/**
 * The action (dx, dy, grip) of a scripted demonstrator that sees the whole state: straight to the block, grasp, straight to
 * its plate, release, pair after pair. It keeps no memory, so it recovers from anything: it opens again when it closed
 * around nothing, and puts down a block that it should not hold. Towards its goal it slows down within two steps' way,
 * and it moves along with a goal that moves; when all is done it opens and stays.
 *
 * @returns [3] in the world's action units
 */
export function demonstratorAction(
  world: TabletopWorld,
  out: Float64Array = new Float64Array(3),
): Float64Array {
  const { held, opening, speed } = world;
  const pair = world.task.pairs[world.subTask];
  out.fill(0);
  out[2] = 1;
  if (pair === undefined || (held >= 0 && held !== pair.block)) return out;

  const holding = held === pair.block;
  const [kind, slot] = holding ? (['plate', pair.plate] as const) : (['block', pair.block] as const);
  const places = holding ? world.plates : world.blocks;
  const dx = (places[2 * slot] ?? 0) - (world.gripper[0] ?? 0);
  const dy = (places[2 * slot + 1] ?? 0) - (world.gripper[1] ?? 0);
  const distance = Math.sqrt(dx * dx + dy * dy);
  const near = distance < NEAR;
  if (holding) out[2] = near ? 1 : -1;
  else out[2] = near && opening > GRIP_THRESHOLD ? -1 : 1;

  if (!near || (!holding && opening >= GRIP_THRESHOLD)) {
    const pace = Math.min(1, distance / (2 * speed.step)) / Math.max(distance, 1e-9);
    out[0] = dx * pace;
    out[1] = dy * pace;
  }
  if (world.isMoving(kind, slot)) {
    const [vx, vy] = world.velocityOf(kind, slot);
    out[0] = clipToUnit((out[0] ?? 0) + vx / speed.step);
    out[1] = clipToUnit((out[1] ?? 0) + vy / speed.step);
  }
  return out;
}

function clipToUnit(value: number): number {
  return Math.max(-1, Math.min(1, value));
}

/**
 * What the demonstrator would do from here if nothing disturbed it: `length` actions, [length, 3] float32. The world is left
 * as it is.
 */
export function demonstratorRollout(world: TabletopWorld, length: number): Float32Array {
  const imagined = world.clone();
  const actions = new Float32Array(3 * length);
  const action = new Float64Array(3);
  for (let k = 0; k < length; k++) {
    demonstratorAction(imagined, action);
    actions.set(action, 3 * k);
    imagined.step(action);
  }
  return actions;
}
