import { FileFormatError } from '../errors';
import { readFloat64 } from '../formats/readTensor';
import { openSafetensors } from '../formats/safetensors';
import { SLOTS } from './geometry';
import type { Drift, InitialState } from './TabletopWorld';
import { TASKS, type Task } from './tasks';

/** Table units in a step: nothing on the table crosses it in one. */
const FASTEST = 1;
/** Table units; the table is about one of them wide, and empty slots lie beside it. */
const FARTHEST = 100;

/** The task and the start of one episode. */
export interface InitialEpisode {
  readonly task: Task;
  readonly initial: InitialState;
}

/**
 * Reads initial states of n episodes from a safetensors file: `init.task` [n], `init.g` [n, 2], `init.blk` and
 * `init.plt` [n, 3, 2] in table units, `init.bcol` and `init.pcol` [n, 3] (-1 for an empty slot), and, if there,
 * `init.nseq` [n] and `init.seq` [n, 3, 2] (block and plate of each pair), which must repeat what the task says.
 * `init.velocity` [n, 6, 2] and `init.lanes` [n, 6, 4] (x from, x to, y from, y to), blocks first, then plates, if there,
 * say what drifts. The gripper starts open and empty.
 *
 * @throws FileFormatError if a tensor is missing or has another shape, a task is unknown, or a sequence contradicts
 * its task
 */
export function readInitialStates(path: string): InitialEpisode[] {
  const { tensors } = openSafetensors(path);
  const count = tensors.get('init.task')?.shape[0] ?? 0;
  const read = (name: string, ...shape: number[]): Float64Array => {
    const tensor = tensors.get(name);
    const expected = [count, ...shape].join(', ');
    if (tensor?.shape.join(', ') !== expected) {
      const found = tensor ? `has the shape [${tensor.shape.join(', ')}]` : 'is missing';
      throw new FileFormatError(path, `tensor ${name} ${found}; initial states need it as [${expected}]`);
    }
    return readFloat64(tensor);
  };

  const task = read('init.task');
  const gripper = read('init.g', 2);
  const blocks = read('init.blk', SLOTS, 2);
  const plates = read('init.plt', SLOTS, 2);
  const blockColours = read('init.bcol', SLOTS);
  const plateColours = read('init.pcol', SLOTS);
  const sequences = tensors.has('init.seq') && {
    lengths: read('init.nseq'),
    pairs: read('init.seq', SLOTS, 2),
  };

  const motion = tensors.has('init.velocity') && {
    velocity: read('init.velocity', 2 * SLOTS, 2),
    lanes: read('init.lanes', 2 * SLOTS, 4),
  };

  if (motion) {
    checkFinite(path, 'init.velocity', motion.velocity, FASTEST);
    checkFinite(path, 'init.lanes', motion.lanes, FARTHEST);
  }
  for (const [name, values] of [
    ['init.g', gripper],
    ['init.blk', blocks],
    ['init.plt', plates],
  ] as const) {
    checkFinite(path, name, values, FARTHEST);
  }

  return Array.from(task, (index, i) => {
    const found = TASKS[index];
    if (found === undefined) {
      throw new FileFormatError(path, `init.task[${i}] is ${index}; expected 0 to ${TASKS.length - 1}`);
    }
    if (sequences) {
      const given = Array.from(
        sequences.pairs.subarray(2 * SLOTS * i, 2 * SLOTS * i + 2 * (sequences.lengths[i] ?? 0)),
      );
      const known = found.pairs.flatMap(({ block, plate }) => [block, plate]);
      if (given.join() !== known.join()) {
        throw new FileFormatError(
          path,
          `init.seq[${i}] asks for the pairs ${given.join()}, but task ${index} ("${found.instruction}") is ${known.join()}`,
        );
      }
    }
    return {
      task: found,
      initial: {
        gripper: gripper.subarray(2 * i, 2 * i + 2),
        blocks: blocks.subarray(2 * SLOTS * i, 2 * SLOTS * (i + 1)),
        plates: plates.subarray(2 * SLOTS * i, 2 * SLOTS * (i + 1)),
        blockColours: blockColours.subarray(SLOTS * i, SLOTS * (i + 1)),
        plateColours: plateColours.subarray(SLOTS * i, SLOTS * (i + 1)),
        ...(motion && { drifts: driftsOf(motion, i) }),
      },
    };
  });
}

function checkFinite(path: string, name: string, values: Float64Array, most: number): void {
  const bad = values.findIndex((value) => !(Math.abs(value) <= most));
  if (bad >= 0) {
    throw new FileFormatError(
      path,
      `${name} has ${values[bad] ?? NaN} at element ${bad}, expected a number up to ${most}`,
    );
  }
}

/** What drifts in world i: whatever has a velocity. */
function driftsOf(
  motion: { readonly velocity: Float64Array; readonly lanes: Float64Array },
  i: number,
): Drift[] {
  return Array.from({ length: 2 * SLOTS }, (_, object): Drift => {
    const at = 2 * SLOTS * i + object;
    const [vx = 0, vy = 0] = motion.velocity.subarray(2 * at, 2 * at + 2);
    const [x0 = 0, x1 = 0, y0 = 0, y1 = 0] = motion.lanes.subarray(4 * at, 4 * at + 4);
    const kind = object < SLOTS ? 'block' : 'plate';
    return { kind, slot: object % SLOTS, velocity: [vx, vy], lane: [x0, x1, y0, y1] };
  }).filter(({ velocity: [vx, vy] }) => vx !== 0 || vy !== 0);
}
