import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readBytes, readFloat64 } from '../../src/formats/readTensor';
import { openSafetensors } from '../../src/formats/safetensors';
import { readInitialStates } from '../../src/sim/initialStates';
import { renderIndices } from '../../src/sim/renderer';
import { SPEEDS } from '../../src/sim/speeds';
import { TabletopWorld } from '../../src/sim/TabletopWorld';

// Recorded by scripts/record-dynamic-trace.ts, for other implementations of the world; here it keeps ours as it was.
const path = join(__dirname, '../fixtures/sim/dynamic_trace.safetensors');
const { tensors } = openSafetensors(path);
const read = (name: string): Float64Array => readFloat64(tensors.get(name)!);
const worlds = readInitialStates(path).map(
  ({ task, initial }) => new TabletopWorld(task, SPEEDS.slow, initial),
);

describe('The trace of moving worlds', () => {
  it('has one world of each dynamic task, with what drifts in it', () => {
    expect(worlds.map(({ task }) => task.index)).toEqual([16, 17, 18, 19, 20, 21, 22, 23]);
    expect(worlds.map(({ drifts }) => drifts.map(({ kind, slot }) => `${kind} ${slot}`))).toEqual([
      ['block 0'],
      ['block 0'],
      ['plate 1'],
      ['plate 2'],
      ['block 0', 'plate 0'],
      ['block 0', 'plate 0'],
      [],
      [],
    ]);
  });

  it('is followed to the last bit, pictures too', () => {
    const actions = read('actions');
    const state = ['g', 'op', 'held', 'blk', 'plt', 'success'].map((name) => read(`state.${name}`));
    const frames = readBytes(tensors.get('frames')!);
    const pushes = read('pushes');
    const n = worlds.length;
    for (let step = 0; step <= 240; step++) {
      for (const [i, world] of worlds.entries()) {
        const parts = [
          [...world.gripper],
          [world.opening],
          [world.held],
          [...world.blocks],
          [...world.plates],
          [Number(world.success)],
        ];
        for (const [k, part] of parts.entries()) {
          const start = (step * n + i) * part.length;
          expect([...state[k]!.subarray(start, start + part.length)], `step ${step}, world ${i}`).toEqual(
            part,
          );
        }
        if (step % 50 === 0 && step < 240) {
          const start = ((step / 50) * n + i) * 8192;
          expect(Buffer.compare(renderIndices(world), frames.subarray(start, start + 8192))).toBe(0);
        }
        if (step === 240) continue;
        world.step(actions.subarray(3 * (step * n + i), 3 * (step * n + i) + 3));
        for (let p = 0; p < pushes.length; p += 6) {
          const [after, which, block, x, y, steps] = pushes.subarray(p, p + 6);
          if (after === step && which === i) world.push(block!, x!, y!, steps!);
        }
      }
    }
  });
});
