import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readBytes, readFloat64 } from '../../src/formats/readTensor';
import { openSafetensors } from '../../src/formats/safetensors';
import { demonstratorAction } from '../../src/sim/demonstrator';
import { colourise, renderIndices } from '../../src/sim/renderer';
import { SPEEDS } from '../../src/sim/speeds';
import { TabletopWorld } from '../../src/sim/TabletopWorld';
import { TASKS } from '../../src/sim/tasks';

// 16 worlds (world i has task i, slow), 240 steps of expert and random actions, recorded by the reference simulator.
const WORLDS = 16;
const STEPS = 240;
const trace = openSafetensors(join(__dirname, '../fixtures/toy/world_trace.safetensors'));
const read = (name: string): Float64Array => readFloat64(trace.tensors.get(name)!);
const actions = read('actions');
const state = Object.fromEntries(
  ['g', 'op', 'held', 'blk', 'plt', 'success'].map((name) => [name, read(`state.${name}`)]),
) as Record<'g' | 'op' | 'held' | 'blk' | 'plt' | 'success', Float64Array>;

/** Row `world` at `step` of a tensor [241, 16, width]. */
function row(name: keyof typeof state, step: number, world: number, width: number): number[] {
  const start = (step * WORLDS + world) * width;
  return [...state[name].subarray(start, start + width)];
}

function worldOfTrace(i: number): TabletopWorld {
  return new TabletopWorld(TASKS[i]!, SPEEDS.slow, {
    gripper: row('g', 0, i, 2),
    blocks: row('blk', 0, i, 6),
    plates: row('plt', 0, i, 6),
    blockColours: read('init.bcol').subarray(3 * i, 3 * i + 3),
    plateColours: read('init.pcol').subarray(3 * i, 3 * i + 3),
  });
}

function actionOfTrace(step: number, i: number): Float64Array {
  const start = 3 * (step * WORLDS + i);
  return actions.subarray(start, start + 3);
}

describe('The world of the reference trace', () => {
  it('assigns world i to task i with the sequence of that task', () => {
    const lengths = read('init.nseq');
    const sequences = read('init.seq');
    expect([...read('init.task')]).toEqual(Array.from({ length: WORLDS }, (_, i) => i));
    for (let i = 0; i < WORLDS; i++) {
      const pairs = TASKS[i]!.pairs.flatMap(({ block, plate }) => [block, plate]);
      expect([...sequences.subarray(6 * i, 6 * i + 2 * lengths[i]!)]).toEqual(pairs);
    }
  });

  it.each(Array.from({ length: WORLDS }, (_, i) => i))(
    'follows the recorded states and success of world %i',
    (i) => {
      const world = worldOfTrace(i);
      for (let step = 0; step <= STEPS; step++) {
        const numbers = [...world.gripper, world.opening, ...world.blocks, ...world.plates];
        const recorded = [
          ...row('g', step, i, 2),
          ...row('op', step, i, 1),
          ...row('blk', step, i, 6),
          ...row('plt', step, i, 6),
        ];
        const worst = Math.max(...numbers.map((v, k) => Math.abs(v - recorded[k]!)));
        expect(worst, `state before step ${step}`).toBeLessThanOrEqual(1e-12);
        expect([world.held, Number(world.success)], `held, success before step ${step}`).toEqual([
          ...row('held', step, i, 1),
          ...row('success', step, i, 1),
        ]);
        if (step < STEPS) world.step(actionOfTrace(step, i));
      }
    },
  );

  it('renders both cameras exactly as recorded, every 80 steps', () => {
    const images = readBytes(trace.tensors.get('images')!);
    const frame = 64 * 128 * 3;
    for (let i = 0; i < WORLDS; i++) {
      const world = worldOfTrace(i);
      for (let step = 0; step <= 160; step++) {
        if (step % 80 === 0) {
          const at = ((step / 80) * WORLDS + i) * frame;
          const same = Buffer.compare(colourise(renderIndices(world)), images.subarray(at, at + frame)) === 0;
          expect(same, `world ${i}, step ${step}`).toBe(true);
        }
        world.step(actionOfTrace(step, i));
      }
    }
  });

  it("holds our expert's actions in steps 0 to 59 and 120 to 179 of every world, and random ones between", () => {
    for (let i = 0; i < WORLDS; i++) {
      const world = worldOfTrace(i);
      for (let step = 0; step < STEPS; step++) {
        const recorded = actionOfTrace(step, i);
        const worst = Math.max(...demonstratorAction(world).map((v, k) => Math.abs(v - recorded[k]!)));
        if (step % 120 < 60) expect(worst, `world ${i}, step ${step}`).toBeLessThanOrEqual(1e-12);
        else expect(worst, `world ${i}, step ${step}`).toBeGreaterThan(1e-12);
        world.step(recorded);
      }
    }
  });
});
