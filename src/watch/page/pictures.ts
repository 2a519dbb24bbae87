import { byId } from '../../report/page/dom';
import { BLOCK_HALF_SIDE, FINGERS, isOpening, movedGripper, PLATE_RADIUS } from '../../sim/geometry';
import {
  CAMERA_SIZE,
  CAMERAS,
  FIRST_BLOCK,
  FIRST_PLATE,
  FRAME_WIDTH,
  GRIPPER,
  PALETTE,
  TABLE,
} from '../../sim/renderer';
import { SPEEDS } from '../../sim/speeds';
import type { SpeedName } from '../../sim/speeds';
import type { ObjectMessage, PlanMessage, WorldMessage } from '../messages';
import { setup } from './setup';

const PLANNED = '#0b4f7c';
const EDGE = 'rgba(0, 0, 0, 0.25)';

/** What the table's picture shows besides the table. */
export interface TableScene {
  readonly world: WorldMessage;
  readonly plan: PlanMessage | null;
  readonly speed: SpeedName;
  /** objects of the task's pairs by slot: [block, plate] */
  readonly pairs: readonly (readonly [number, number])[];
}

/** A point of the planned way, and what the gripper begins to do there. */
interface WayPoint {
  readonly x: number;
  readonly y: number;
  readonly turns?: 'opens' | 'closes';
}

/** Shows what the model sees. */
export function drawCameras({ frame }: WorldMessage): void {
  const indices = atob(frame);
  CAMERAS.forEach((name, camera) => {
    const context = byId(`camera-${name}`, HTMLCanvasElement).getContext('2d');
    if (!context) return;
    const image = context.createImageData(CAMERA_SIZE, CAMERA_SIZE);
    for (let y = 0; y < CAMERA_SIZE; y += 1) {
      for (let x = 0; x < CAMERA_SIZE; x += 1) {
        const from = 3 * indices.charCodeAt(y * FRAME_WIDTH + camera * CAMERA_SIZE + x);
        const to = 4 * (y * CAMERA_SIZE + x);
        image.data.set(PALETTE.subarray(from, from + 3), to);
        image.data[to + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
  });
}

/** Draws the table from above, with the way that the newest chunk plans. */
export function drawTable(canvas: HTMLCanvasElement, scene: TableScene): void {
  const size = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  if (canvas.width !== size) canvas.width = canvas.height = size;
  const c = canvas.getContext('2d');
  if (!c) return;
  const { world, plan, pairs } = scene;
  // From here on in table units.
  c.setTransform(size, 0, 0, size, 0, 0);
  c.fillStyle = paletteColour(TABLE);
  c.fillRect(0, 0, 1, 1);
  const [block, plate] = pairs[world.pair] ?? [-1, -1];
  world.plates.forEach((one, slot) => {
    if (one.colour < 0) return;
    c.beginPath();
    c.arc(one.x, one.y, PLATE_RADIUS, 0, 2 * Math.PI);
    c.fillStyle = paletteColour(FIRST_PLATE + one.colour);
    c.fill();
    c.strokeStyle = EDGE;
    c.lineWidth = 0.003;
    c.stroke();
    if (slot === plate) drawRing(c, one, PLATE_RADIUS + 0.014);
  });
  world.blocks.forEach((one, slot) => {
    if (one.colour < 0 || slot === world.held) return;
    drawBlock(c, one);
    if (slot === block) drawRing(c, one, BLOCK_HALF_SIDE * Math.SQRT2 + 0.012);
  });
  const held = world.blocks[world.held];
  if (held) drawBlock(c, held);
  if (plan) drawWay(c, plannedWay(plan, scene.speed), world.sinceChunk);
  drawFingers(c, world);
}

const paletteColour = (index: number): string =>
  `rgb(${[...PALETTE.subarray(3 * index, 3 * index + 3)].join(',')})`;

/** Marks an object of the task's pair. */
function drawRing(c: CanvasRenderingContext2D, { x, y }: ObjectMessage, radius: number): void {
  c.strokeStyle = PLANNED;
  c.lineWidth = 0.006;
  c.setLineDash([0.02, 0.015]);
  c.beginPath();
  c.arc(x, y, radius, 0, 2 * Math.PI);
  c.stroke();
  c.setLineDash([]);
}

function drawBlock(c: CanvasRenderingContext2D, { x, y, colour }: ObjectMessage): void {
  const side = 2 * BLOCK_HALF_SIDE;
  c.fillStyle = paletteColour(FIRST_BLOCK + colour);
  c.fillRect(x - BLOCK_HALF_SIDE, y - BLOCK_HALF_SIDE, side, side);
  c.strokeStyle = EDGE;
  c.lineWidth = 0.003;
  c.strokeRect(x - BLOCK_HALF_SIDE, y - BLOCK_HALF_SIDE, side, side);
}

/** Where the chunk leads, and where it opens or closes the gripper: one point more than there are actions. */
function plannedWay({ from, actions }: PlanMessage, speed: SpeedName): readonly WayPoint[] {
  const [dx = [], dy = [], grip = []] = actions;
  const way: WayPoint[] = [{ x: from[0], y: from[1] }];
  let at: readonly [number, number] = from;
  dx.forEach((_, i) => {
    at = movedGripper(at, [dx[i] ?? 0, dy[i] ?? 0], SPEEDS[speed].step);
    const opens = isOpening(grip[i] ?? 0);
    const turns = i > 0 && opens !== isOpening(grip[i - 1] ?? 0);
    way.push({ x: at[0], y: at[1], ...(turns && { turns: opens ? 'opens' : 'closes' }) });
  });
  return way;
}

/** Dotted beyond what is executed, faint before it was executed, full after. */
function drawWay(c: CanvasRenderingContext2D, way: readonly WayPoint[], sinceChunk: number): void {
  const { replanSteps } = setup;
  const line = (from: number, to: number, width: number, dash: readonly number[], style: string): void => {
    if (to <= from) return;
    c.beginPath();
    for (const { x, y } of way.slice(from, to + 1)) c.lineTo(x, y);
    c.strokeStyle = style;
    c.lineWidth = width;
    c.setLineDash([...dash]);
    c.stroke();
    c.setLineDash([]);
  };
  c.lineJoin = c.lineCap = 'round';
  line(replanSteps, way.length - 1, 0.005, [0.001, 0.014], 'rgba(11, 79, 124, 0.75)');
  line(0, replanSteps, 0.009, [], 'rgba(11, 79, 124, 0.5)');
  line(0, Math.min(sinceChunk, replanSteps), 0.011, [], PLANNED);
  for (const { x, y, turns } of way) {
    if (!turns) continue;
    c.beginPath();
    c.arc(x, y, 0.014, 0, 2 * Math.PI);
    c.fillStyle = turns === 'closes' ? PLANNED : '#ffffff';
    c.strokeStyle = PLANNED;
    c.lineWidth = 0.005;
    c.fill();
    c.stroke();
  }
}

function drawFingers(c: CanvasRenderingContext2D, { gripper: [gx, gy], opening }: WorldMessage): void {
  const { halfWidth, halfHeight, offset, travel } = FINGERS;
  c.fillStyle = paletteColour(GRIPPER);
  for (const side of [-1, 1]) {
    const x = gx + side * (offset + travel * opening);
    c.fillRect(x - halfWidth, gy - halfHeight, 2 * halfWidth, 2 * halfHeight);
  }
}
