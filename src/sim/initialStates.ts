import { FileFormatError } from '../errors';
import { readFloat64 } from '../formats/readTensor';
import { openSafetensors } from '../formats/safetensors';
import { SLOTS } from './geometry';
import type { InitialState } from './TabletopWorld';
import { TASKS, type Task } from './tasks';

/** The task and the start of one episode. */
export interface InitialEpisode {
  readonly task: Task;
  readonly initial: InitialState;
}

/**
 * Reads initial states of n episodes from a safetensors file: `init.task` [n], `init.g` [n, 2], `init.blk` and
 * `init.plt` [n, 3, 2] in table units, `init.bcol` and `init.pcol` [n, 3] (-1 for an empty slot), and, if there,
 * `init.nseq` [n] and `init.seq` [n, 3, 2] (block and plate of each pair), which must repeat what the task says.
 * The gripper starts open and empty.
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
      },
    };
  });
}
