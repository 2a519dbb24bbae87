import { writeSafetensors } from '../formats/safetensors';
import { SLOTS } from './geometry';
import { CAMERA_SIZE, FRAME_WIDTH, PALETTE, renderIndices } from './renderer';
import type { TabletopWorld } from './TabletopWorld';

const PIXELS = CAMERA_SIZE * FRAME_WIDTH;

/**
 * Labelled states on their way into one safetensors file of n states:
 *
 * | tensor          | type           | content                                                                 |
 * | --------------- | -------------- | ----------------------------------------------------------------------- |
 * | `frames`        | U8 [n, 64, 128] | both cameras as palette indices, front left, wrist right                |
 * | `palette`       | U8 [11, 3]     | their RGB                                                               |
 * | `proprio`       | F32 [n, 3]     | gripper x, y, opening                                                   |
 * | `actions`       | F32 [n, 32, 3] | label: (dx, dy, grip) that the undisturbed demonstrator does from this state   |
 * | `task`          | I32 [n]        | number of the task                                                      |
 * | `held`          | I32 [n]        | block slot in the gripper, -1 if none                                   |
 * | `target`        | I32 [n, 2]     | block and plate slot of the running sub-task, -1 when all are placed    |
 * | `blocks`        | F32 [n, 3, 2]  | positions                                                               |
 * | `block_colours` | I32 [n, 3]     | index into red, green, blue, yellow; -1 for an empty slot               |
 * | `plates`        | F32 [n, 3, 2]  | positions                                                               |
 * | `plate_colours` | I32 [n, 3]     | index into white, grey, purple; -1 for an empty slot                    |
 *
 * Metadata: whatever the writer says about it, as strings. What lies after `actions` is for auxiliary losses.
 */
export class StateShard {
  readonly #frames: Uint8Array;
  readonly #proprio: Float32Array;
  readonly #actions: Float32Array;
  readonly #task: Int32Array;
  readonly #held: Int32Array;
  readonly #target: Int32Array;
  readonly #blocks: Float32Array;
  readonly #blockColours: Int32Array;
  readonly #plates: Float32Array;
  readonly #plateColours: Int32Array;
  #count = 0;

  constructor(
    readonly capacity: number,
    readonly horizon: number,
  ) {
    this.#frames = new Uint8Array(capacity * PIXELS);
    this.#proprio = new Float32Array(capacity * 3);
    this.#actions = new Float32Array(capacity * horizon * 3);
    this.#task = new Int32Array(capacity);
    this.#held = new Int32Array(capacity);
    this.#target = new Int32Array(capacity * 2);
    this.#blocks = new Float32Array(capacity * SLOTS * 2);
    this.#blockColours = new Int32Array(capacity * SLOTS);
    this.#plates = new Float32Array(capacity * SLOTS * 2);
    this.#plateColours = new Int32Array(capacity * SLOTS);
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === this.capacity;
  }

  /** @param label [horizon, 3] */
  add(world: TabletopWorld, label: Float32Array): void {
    const i = this.#count++;
    renderIndices(world, this.#frames.subarray(i * PIXELS, (i + 1) * PIXELS));
    this.#proprio.set(world.proprio(), 3 * i);
    this.#actions.set(label, 3 * this.horizon * i);
    this.#task[i] = world.task.index;
    this.#held[i] = world.held;
    const pair = world.task.pairs[world.subTask];
    this.#target.set([pair?.block ?? -1, pair?.plate ?? -1], 2 * i);
    this.#blocks.set(world.blocks, 2 * SLOTS * i);
    this.#blockColours.set(world.blockColours, SLOTS * i);
    this.#plates.set(world.plates, 2 * SLOTS * i);
    this.#plateColours.set(world.plateColours, SLOTS * i);
  }

  clear(): void {
    this.#count = 0;
  }

  write(path: string, metadata: Readonly<Record<string, string>>): void {
    const n = this.#count;
    const floats = (name: string, data: Float32Array, ...shape: number[]) =>
      ({
        name,
        dtype: 'F32',
        shape: [n, ...shape],
        data: data.subarray(0, (data.length / this.capacity) * n),
      }) as const;
    const integers = (name: string, data: Int32Array, ...shape: number[]) =>
      ({
        name,
        dtype: 'I32',
        shape: [n, ...shape],
        data: data.subarray(0, (data.length / this.capacity) * n),
      }) as const;
    writeSafetensors(
      path,
      [
        {
          name: 'frames',
          dtype: 'U8',
          shape: [n, CAMERA_SIZE, FRAME_WIDTH],
          data: this.#frames.subarray(0, n * PIXELS),
        },
        { name: 'palette', dtype: 'U8', shape: [PALETTE.length / 3, 3], data: PALETTE },
        floats('proprio', this.#proprio, 3),
        floats('actions', this.#actions, this.horizon, 3),
        integers('task', this.#task),
        integers('held', this.#held),
        integers('target', this.#target, 2),
        floats('blocks', this.#blocks, SLOTS, 2),
        integers('block_colours', this.#blockColours, SLOTS),
        floats('plates', this.#plates, SLOTS, 2),
        integers('plate_colours', this.#plateColours, SLOTS),
      ],
      metadata,
    );
  }
}
