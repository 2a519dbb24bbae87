import { BLOCK_HALF_SIDE, FINGERS, PLATE_RADIUS, SLOTS } from './geometry';
import type { TabletopWorld } from './TabletopWorld';

/** Both cameras are square. */
export const CAMERA_SIZE = 64;
/** `front` sees the whole table from above, `wrist` a window that moves with the gripper. */
export const CAMERAS = ['front', 'wrist'] as const;
export type Camera = (typeof CAMERAS)[number];
/** The cameras side by side, in the order of CAMERAS: [64, 128]. */
export const FRAME_WIDTH = CAMERA_SIZE * CAMERAS.length;

/** Table units seen by each camera. */
const FIELD_OF_VIEW: Readonly<Record<Camera, number>> = { front: 1, wrist: 0.4 };

/** RGB of each palette index, [11, 3] uint8. */
export const PALETTE = Uint8Array.of(
  ...[214, 204, 182], // table
  ...[92, 84, 76], // outside
  ...[245, 245, 245], // plates: white,
  ...[128, 128, 132], // grey,
  ...[150, 84, 196], // purple
  ...[222, 44, 44], // blocks: red,
  ...[44, 168, 64], // green,
  ...[44, 84, 222], // blue,
  ...[238, 200, 40], // yellow
  ...[12, 12, 12], // gripper
  ...[180, 150, 110], // trail of what moves by itself
);
/** Palette indices. Plates and blocks follow their first one in the order of their colours. */
export const TABLE = 0;
const OUTSIDE = 1;
export const FIRST_PLATE = 2;
export const FIRST_BLOCK = 5;
export const GRIPPER = 9;
const TRAIL = 10;

const TRAIL_HALF_SIDE = 0.02;

const f32 = Math.fround;
const SQUARED_PLATE_RADIUS = f32(PLATE_RADIUS * PLATE_RADIUS);

/** Pixel centres of the view being painted; painting never yields, so one pair serves all. */
const columns = new Float32Array(CAMERA_SIZE);
const rows = new Float32Array(CAMERA_SIZE);

/**
 * Paints both cameras as palette indices, [64, 128] uint8, front left and wrist right.
 *
 * A pixel shows what its centre hits. All comparisons are made in float32, after positions were rounded to it: at
 * exact pixel centres that decides ties, and the recorded images were made so.
 */
export function renderIndices(
  world: TabletopWorld,
  out: Uint8Array = new Uint8Array(CAMERA_SIZE * FRAME_WIDTH),
): Uint8Array {
  CAMERAS.forEach((camera, i) => {
    paint(world, camera, out.subarray(i * CAMERA_SIZE), FRAME_WIDTH);
  });
  return out;
}

/** Paints one camera as palette indices, [64, 64] uint8. */
export function renderCamera(
  world: TabletopWorld,
  camera: Camera,
  out: Uint8Array = new Uint8Array(CAMERA_SIZE * CAMERA_SIZE),
): Uint8Array {
  paint(world, camera, out, CAMERA_SIZE);
  return out;
}

/** The colours of palette indices: [...] to [..., 3] uint8 RGB. */
export function colourise(
  indices: Uint8Array,
  out: Uint8Array = new Uint8Array(3 * indices.length),
): Uint8Array {
  for (let i = 0, to = 0; i < indices.length; i++, to += 3) {
    const from = 3 * (indices[i] ?? 0);
    out[to] = PALETTE[from] ?? 0;
    out[to + 1] = PALETTE[from + 1] ?? 0;
    out[to + 2] = PALETTE[from + 2] ?? 0;
  }
  return out;
}

/** Paints one view into rows of `stride` pixels: table, trails, plates, free blocks, held block, gripper. */
function paint(world: TabletopWorld, camera: Camera, out: Uint8Array, stride: number): void {
  const [gx = 0, gy = 0] = world.gripper;
  setPixelCentres(columns, camera === 'front' ? 0.5 : gx, FIELD_OF_VIEW[camera]);
  setPixelCentres(rows, camera === 'front' ? 0.5 : gy, FIELD_OF_VIEW[camera]);
  paintTable(out, stride);
  paintTrails(world, out, stride);
  for (let slot = 0; slot < SLOTS; slot++) {
    const colour = world.plateColours[slot] ?? -1;
    if (colour < 0) continue;
    paintDisc(
      out,
      stride,
      world.plates[2 * slot] ?? 0,
      world.plates[2 * slot + 1] ?? 0,
      FIRST_PLATE + colour,
    );
  }
  for (let slot = 0; slot < SLOTS; slot++) {
    if (slot !== world.held) paintBlock(world, slot, out, stride);
  }
  if (world.held >= 0) paintBlock(world, world.held, out, stride);
  const offset = FINGERS.offset + FINGERS.travel * world.opening;
  for (const x of [gx - offset, gx + offset]) {
    paintRectangle(out, stride, x, gy, FINGERS.halfWidth, FINGERS.halfHeight, GRIPPER);
  }
}

function setPixelCentres(centres: Float32Array, middle: number, fieldOfView: number): void {
  const pixel = fieldOfView / CAMERA_SIZE;
  for (let i = 0; i < CAMERA_SIZE; i++) centres[i] = middle + (i + 0.5 - CAMERA_SIZE / 2) * pixel;
}

function paintTable(out: Uint8Array, stride: number): void {
  const [left, right] = span((i) => (columns[i] ?? 0) >= 0 && (columns[i] ?? 0) < 1);
  for (let row = 0; row < CAMERA_SIZE; row++) {
    const start = row * stride;
    out.fill(OUTSIDE, start, start + CAMERA_SIZE);
    const y = rows[row] ?? 0;
    if (y >= 0 && y < 1) out.fill(TABLE, start + left, start + right);
  }
}

/** A moving object leaves a mark behind it: one picture then tells where it is going. */
function paintTrails(world: TabletopWorld, out: Uint8Array, stride: number): void {
  for (const kind of ['plate', 'block'] as const) {
    const [places, reach] = kind === 'plate' ? [world.plates, PLATE_RADIUS] : [world.blocks, BLOCK_HALF_SIDE];
    for (let slot = 0; slot < SLOTS; slot++) {
      if (!world.isMoving(kind, slot)) continue;
      const [vx, vy] = world.velocityOf(kind, slot);
      const back = (reach + TRAIL_HALF_SIDE) / Math.max(Math.sqrt(vx * vx + vy * vy), 1e-12);
      const x = (places[2 * slot] ?? 0) - vx * back;
      const y = (places[2 * slot + 1] ?? 0) - vy * back;
      paintRectangle(out, stride, x, y, TRAIL_HALF_SIDE, TRAIL_HALF_SIDE, TRAIL);
    }
  }
}

function paintBlock(world: TabletopWorld, slot: number, out: Uint8Array, stride: number): void {
  const colour = world.blockColours[slot] ?? -1;
  if (colour < 0) return;
  const x = world.blocks[2 * slot] ?? 0;
  const y = world.blocks[2 * slot + 1] ?? 0;
  paintRectangle(out, stride, x, y, BLOCK_HALF_SIDE, BLOCK_HALF_SIDE, FIRST_BLOCK + colour);
}

function paintRectangle(
  out: Uint8Array,
  stride: number,
  x: number,
  y: number,
  halfWidth: number,
  halfHeight: number,
  colour: number,
): void {
  const [x32, y32, w32, h32] = [f32(x), f32(y), f32(halfWidth), f32(halfHeight)];
  const [left, right] = span((i) => Math.abs(f32((columns[i] ?? 0) - x32)) <= w32);
  if (left === right) return;
  for (let row = 0; row < CAMERA_SIZE; row++) {
    if (Math.abs(f32((rows[row] ?? 0) - y32)) > h32) continue;
    out.fill(colour, row * stride + left, row * stride + right);
  }
}

function paintDisc(out: Uint8Array, stride: number, x: number, y: number, colour: number): void {
  const [x32, y32] = [f32(x), f32(y)];
  const squares = discColumns;
  for (let i = 0; i < CAMERA_SIZE; i++) {
    const dx = f32((columns[i] ?? 0) - x32);
    squares[i] = dx * dx;
  }
  for (let row = 0; row < CAMERA_SIZE; row++) {
    const dy = f32((rows[row] ?? 0) - y32);
    const square = f32(dy * dy);
    if (square >= SQUARED_PLATE_RADIUS) continue;
    const start = row * stride;
    for (let i = 0; i < CAMERA_SIZE; i++) {
      if (f32((squares[i] ?? 0) + square) < SQUARED_PLATE_RADIUS) out[start + i] = colour;
    }
  }
}
const discColumns = new Float32Array(CAMERA_SIZE);

/** First and end (exclusive) of the run of columns for which `inside` holds; [0, 0] if there is none. */
function span(inside: (column: number) => boolean): readonly [number, number] {
  let from = 0;
  while (from < CAMERA_SIZE && !inside(from)) from++;
  if (from === CAMERA_SIZE) return [0, 0];
  let to = from + 1;
  while (to < CAMERA_SIZE && inside(to)) to++;
  return [from, to];
}
