import { InputError } from '../errors';
import {
  BLOCK_COLOURS,
  GRASP_TOLERANCE,
  GRIP_THRESHOLD,
  HOLDING_OPENING,
  PLACE_TOLERANCE,
  PLATE_COLOURS,
  PLATE_RADIUS,
  SLOTS,
  clip,
  isOpening,
  movedGripper,
} from './geometry';
import type { WorldSpeed } from './speeds';
import type { Pair, Task } from './tasks';

/** Dropped blocks come to rest inside [SLIP_MIN, SLIP_MAX] on both axes. */
const SLIP_MIN = 0.06;
const SLIP_MAX = 0.94;

/** What stands where when an episode starts. Positions are [slot, xy]; colours are indices, -1 for an empty slot. */
export interface InitialState {
  readonly gripper: ArrayLike<number>;
  readonly blocks: ArrayLike<number>;
  readonly blockColours: ArrayLike<number>;
  readonly plates: ArrayLike<number>;
  readonly plateColours: ArrayLike<number>;
  readonly drifts?: readonly Drift[];
}

/** An object that moves to and fro inside a box for as long as nobody takes it. */
export interface Drift {
  readonly kind: ObjectKind;
  readonly slot: number;
  /** Table units per control step. */
  readonly velocity: readonly [number, number];
  /** The box of its centre: x from, x to, y from, y to. */
  readonly lane: readonly [number, number, number, number];
}

export type ObjectKind = 'block' | 'plate';

/**
 * A planar table with coloured blocks, plates and a gripper: deterministic, float64, without contact dynamics. The
 * robot acts in units of its largest step: (dx, dy) in [-1, 1], and `grip` > 0 opens, else closes.
 *
 * Static tasks follow the world that the reference traces were recorded in to the last bit; drifts and slides
 * (suite `dynamic`) are added after the gripper's part of a step and change nothing where there are none.
 */
export class TabletopWorld {
  readonly task: Task;
  readonly speed: WorldSpeed;
  /** Centre of the gripper, [2]. */
  readonly gripper = new Float64Array(2);
  /** 0 shut, 1 open. */
  opening = 1;
  /** Slot of the block in the gripper, -1 if none. */
  held = -1;
  /** Blocks, then plates: the two views below share this memory. */
  readonly #positions = new Float64Array(4 * SLOTS);
  /** [slot, xy] */
  readonly blocks = this.#positions.subarray(0, 2 * SLOTS);
  /** [slot, xy] */
  readonly plates = this.#positions.subarray(2 * SLOTS);
  /** Index into BLOCK_COLOURS of each slot, -1 if empty. */
  readonly blockColours = new Int8Array(SLOTS).fill(-1);
  /** Index into PLATE_COLOURS of each slot, -1 if empty. */
  readonly plateColours = new Int8Array(SLOTS).fill(-1);
  /** Displacement of each object in one step while it moves, blocks then plates, [object, xy]. */
  readonly #velocity = new Float64Array(4 * SLOTS);
  /** Box in which each moving object's centre stays, [object, x from, x to, y from, y to]. */
  readonly #lanes = new Float64Array(8 * SLOTS);
  /** Steps for which each object goes on moving; Infinity for a drift. */
  readonly #remaining = new Float64Array(2 * SLOTS);

  /** @throws InputError if the state does not fit the task or lies outside the table. */
  constructor(task: Task, speed: WorldSpeed, initial: InitialState) {
    this.task = task;
    this.speed = speed;
    this.gripper.set(gripperPosition(initial.gripper));
    this.blockColours.set(colours(initial.blockColours, BLOCK_COLOURS.length, 'block'));
    this.plateColours.set(colours(initial.plateColours, PLATE_COLOURS.length, 'plate'));
    this.blocks.set(positions(initial.blocks, this.blockColours, 'block'));
    this.plates.set(positions(initial.plates, this.plateColours, 'plate'));
    for (const { block, plate } of task.pairs) {
      if ((this.blockColours[block] ?? -1) < 0 || (this.plateColours[plate] ?? -1) < 0) {
        throw new InputError(
          `initial state: task ${task.index} ("${task.instruction}") needs block slot ${block} and plate slot ${plate}, ` +
            'and one of them is empty; give a state that was made for this task',
        );
      }
    }
    for (const { kind, slot, velocity, lane } of initial.drifts ?? []) {
      const object = objectIndex(kind, slot);
      this.#velocity.set(velocity, 2 * object);
      this.#lanes.set(lane, 4 * object);
      this.#remaining[object] = Infinity;
    }
  }

  /** An independent world in the same state. */
  clone(): TabletopWorld {
    const copy = new TabletopWorld(this.task, this.speed, this);
    copy.copyFrom(this);
    return copy;
  }

  /** Takes over another world's state; both must be of the same task and speed. */
  copyFrom(other: TabletopWorld): void {
    if (other.task !== this.task || other.speed !== this.speed) {
      throw new InputError('a world takes over only states of its own task and speed');
    }
    this.gripper.set(other.gripper);
    this.opening = other.opening;
    this.held = other.held;
    this.#positions.set(other.#positions);
    this.blockColours.set(other.blockColours);
    this.plateColours.set(other.plateColours);
    this.#velocity.set(other.#velocity);
    this.#lanes.set(other.#lanes);
    this.#remaining.set(other.#remaining);
  }

  /** What the robot feels: (x, y, opening), [3] float32. */
  proprio(): Float32Array {
    return Float32Array.of(this.gripper[0] ?? 0, this.gripper[1] ?? 0, this.opening);
  }

  /**
   * One control step.
   * @param action (dx, dy, grip); dx and dy are clipped to [-1, 1]
   * @throws InputError unless it is three finite numbers
   */
  step(action: ArrayLike<number>): void {
    const [dx, dy, grip] = [action[0] ?? NaN, action[1] ?? NaN, action[2] ?? NaN];
    if (action.length !== 3 || !Number.isFinite(dx + dy + grip)) {
      throw new InputError(
        `action (${Array.from(action).join(', ')}): expected three finite numbers (dx, dy, grip)`,
      );
    }
    this.gripper.set(movedGripper(this.gripper, [dx, dy], this.speed.step));
    this.#moveFingers(isOpening(grip));
    this.#moveObjects();
  }

  /** Is the pair's block on its plate and out of the gripper? */
  isPlaced({ block, plate }: Pair): boolean {
    if (this.held === block) return false;
    const dx = (this.blocks[2 * block] ?? 0) - (this.plates[2 * plate] ?? 0);
    const dy = (this.blocks[2 * block + 1] ?? 0) - (this.plates[2 * plate + 1] ?? 0);
    return Math.sqrt(dx * dx + dy * dy) < PLACE_TOLERANCE;
  }

  /** The task is done when all its pairs are placed at the same time. */
  get success(): boolean {
    return this.task.pairs.every((pair) => this.isPlaced(pair));
  }

  /** Position in `task.pairs` of the first pair that is not placed, -1 if all are. */
  get subTask(): number {
    return this.task.pairs.findIndex((pair) => !this.isPlaced(pair));
  }

  /** Displacement of an object in the next step if nobody touches it; (0, 0) at rest. */
  velocityOf(kind: ObjectKind, slot: number): readonly [number, number] {
    const object = objectIndex(kind, slot);
    if (!this.isMoving(kind, slot)) return [0, 0];
    return [this.#velocity[2 * object] ?? 0, this.#velocity[2 * object + 1] ?? 0];
  }

  /** Does the object move by itself? */
  isMoving(kind: ObjectKind, slot: number): boolean {
    return (this.#remaining[objectIndex(kind, slot)] ?? 0) > 0;
  }

  /** The box in which the object's centre is or may drift: x from, x to, y from, y to. */
  laneOf(kind: ObjectKind, slot: number): readonly [number, number, number, number] {
    const object = objectIndex(kind, slot);
    if (this.#remaining[object] === Infinity) {
      const [x0 = 0, x1 = 0, y0 = 0, y1 = 0] = this.#lanes.subarray(4 * object, 4 * object + 4);
      return [x0, x1, y0, y1];
    }
    const [x = 0, y = 0] = this.#positions.subarray(2 * object, 2 * object + 2);
    return [x, x, y, y];
  }

  /** The objects that drift now, so that a world can be started from this one's state. */
  get drifts(): Drift[] {
    return (['block', 'plate'] as const).flatMap((kind) =>
      [...Array(SLOTS).keys()]
        .filter((slot) => this.#remaining[objectIndex(kind, slot)] === Infinity)
        .map((slot) => ({
          kind,
          slot,
          velocity: this.velocityOf(kind, slot),
          lane: this.laneOf(kind, slot),
        })),
    );
  }

  /** Puts an object somewhere else, at rest. A held block stays in the gripper. */
  place(kind: ObjectKind, slot: number, x: number, y: number): void {
    if (kind === 'block' && slot === this.held) return;
    const object = objectIndex(kind, slot);
    this.#positions[2 * object] = x;
    this.#positions[2 * object + 1] = y;
    this.#remaining[object] = 0;
  }

  /** Pushes a free block: it slides to (x, y) in this many steps, and rests there. */
  push(slot: number, x: number, y: number, steps: number): void {
    if (slot === this.held) return;
    this.#velocity[2 * slot] = (x - (this.blocks[2 * slot] ?? 0)) / steps;
    this.#velocity[2 * slot + 1] = (y - (this.blocks[2 * slot + 1] ?? 0)) / steps;
    this.#lanes.set([0, 1, 0, 1], 4 * slot);
    this.#remaining[slot] = steps;
  }

  /** The held block falls out and lands at this offset from the gripper, which is shut afterwards. */
  slip(dx: number, dy: number): void {
    const slot = this.held;
    if (slot < 0) return;
    this.held = -1;
    this.opening = 0;
    this.blocks[2 * slot] = clip((this.gripper[0] ?? 0) + dx, SLIP_MIN, SLIP_MAX);
    this.blocks[2 * slot + 1] = clip((this.gripper[1] ?? 0) + dy, SLIP_MIN, SLIP_MAX);
  }

  #moveFingers(open: boolean): void {
    const before = this.opening;
    const narrowest = this.held >= 0 ? HOLDING_OPENING : 0;
    this.opening = clip(before + (open ? this.speed.grip : -this.speed.grip), narrowest, 1);
    if (this.held < 0 && before > GRIP_THRESHOLD && this.opening <= GRIP_THRESHOLD) this.#grasp();
    if (this.held < 0) return;
    this.blocks.set(this.gripper, 2 * this.held);
    if (this.opening > GRIP_THRESHOLD) this.held = -1;
  }

  /** Takes the nearest block by the larger of |dx|, |dy|, if it is near enough; the lower slot wins a tie. */
  #grasp(): void {
    const [x = 0, y = 0] = this.gripper;
    let nearest = -1;
    let distance = GRASP_TOLERANCE;
    for (let slot = 0; slot < SLOTS; slot++) {
      if ((this.blockColours[slot] ?? -1) < 0) continue;
      const away = Math.max(
        Math.abs((this.blocks[2 * slot] ?? 0) - x),
        Math.abs((this.blocks[2 * slot + 1] ?? 0) - y),
      );
      if (away < distance) {
        nearest = slot;
        distance = away;
      }
    }
    if (nearest < 0) return;
    this.held = nearest;
    // Taken off its lane: whoever drops it finds it at rest.
    this.#remaining[nearest] = 0;
  }

  #moveObjects(): void {
    for (let object = 2 * SLOTS - 1; object >= 0; object--) {
      const left = this.#remaining[object] ?? 0;
      if (left === 0) continue;
      const x = this.#positions[2 * object] ?? 0;
      const y = this.#positions[2 * object + 1] ?? 0;
      this.#advance(object, 0);
      this.#advance(object, 1);
      this.#remaining[object] = left - 1;
      if (object >= SLOTS) {
        this.#carry(x, y, (this.#positions[2 * object] ?? 0) - x, (this.#positions[2 * object + 1] ?? 0) - y);
      }
    }
  }

  /** Moves one coordinate of an object and reflects it at the end of its lane. */
  #advance(object: number, axis: 0 | 1): void {
    const at = 2 * object + axis;
    const from = this.#lanes[4 * object + 2 * axis] ?? 0;
    const to = this.#lanes[4 * object + 2 * axis + 1] ?? 0;
    let position = (this.#positions[at] ?? 0) + (this.#velocity[at] ?? 0);
    if (position < from || position > to) {
      position = 2 * (position < from ? from : to) - position;
      this.#velocity[at] = -(this.#velocity[at] ?? 0);
    }
    this.#positions[at] = position;
  }

  /** What rests on a plate at (x, y) goes with it. */
  #carry(x: number, y: number, dx: number, dy: number): void {
    for (let slot = 0; slot < SLOTS; slot++) {
      if (slot === this.held || (this.blockColours[slot] ?? -1) < 0 || (this.#remaining[slot] ?? 0) > 0)
        continue;
      const ex = (this.blocks[2 * slot] ?? 0) - x;
      const ey = (this.blocks[2 * slot + 1] ?? 0) - y;
      if (Math.sqrt(ex * ex + ey * ey) >= PLATE_RADIUS) continue;
      this.blocks[2 * slot] = (this.blocks[2 * slot] ?? 0) + dx;
      this.blocks[2 * slot + 1] = (this.blocks[2 * slot + 1] ?? 0) + dy;
    }
  }
}

/** Blocks come first, then plates. */
function objectIndex(kind: ObjectKind, slot: number): number {
  return kind === 'block' ? slot : SLOTS + slot;
}

function gripperPosition(values: ArrayLike<number>): number[] {
  const list = Array.from(values);
  if (list.length !== 2 || list.some((v) => !(v >= 0 && v <= 1))) {
    throw new InputError(`initial state: gripper at (${list.join(', ')}); expected (x, y) in [0, 1]`);
  }
  return list;
}

function colours(values: ArrayLike<number>, count: number, kind: ObjectKind): number[] {
  const list = Array.from(values);
  if (list.length !== SLOTS || list.some((c) => !Number.isInteger(c) || c < -1 || c >= count)) {
    throw new InputError(
      `initial state: ${kind} colours (${list.join(', ')}); expected ${SLOTS} integers from -1 (empty) to ${count - 1}`,
    );
  }
  return list;
}

function positions(values: ArrayLike<number>, present: Int8Array, kind: ObjectKind): number[] {
  const list = Array.from(values);
  const wrong = list.findIndex((v, i) => (present[i >> 1] ?? -1) >= 0 && !(v >= 0 && v <= 1));
  if (list.length !== 2 * SLOTS || wrong >= 0) {
    throw new InputError(
      `initial state: ${kind} positions (${list.join(', ')}); expected ${SLOTS} pairs (x, y) in [0, 1]`,
    );
  }
  return list;
}
