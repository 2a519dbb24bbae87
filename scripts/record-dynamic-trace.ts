/**
 * Records the moving worlds for other implementations of the table-top (the training script has one in Python): one
 * world of each `dynamic` task, slow, 240 steps, in which expert and random actions take turns of 60 steps.
 *
 * Run it with: npx ts-node scripts/record-dynamic-trace.ts [FILE]
 *
 * `init.*`: see src/sim/initialStates.ts. `actions` [240, 8, 3]; before each step and at the end [241, 8, ...]:
 * `state.g`, `state.op`, `state.held`, `state.blk`, `state.plt`, `state.success`; `frames` [5, 8, 64, 128] palette indices before
 * steps 0, 50, ..., 200. `pushes` [k, 6]: after step, world: block slides to x, y in so many steps.
 */
import { writeSafetensors, type TensorData } from '../src/formats/safetensors';
import { demonstratorAction } from '../src/sim/demonstrator';
import { drawFreePlace } from '../src/sim/freePlace';
import { Random } from '../src/sim/Random';
import { renderIndices } from '../src/sim/renderer';
import { resetWorld } from '../src/sim/resetWorld';
import { SPEEDS } from '../src/sim/speeds';
import { tasksOf } from '../src/sim/tasks';

const STEPS = 240;
const TURN = 60;
const FRAME_EVERY = 50;
const PUSH_AFTER = [20, 100];
const PUSH_STEPS = 8;

const tasks = tasksOf('dynamic');
const worlds = tasks.map((task) => resetWorld(task, SPEEDS.slow, new Random(2026, task.index)));
const random = new Random(2026);
const n = worlds.length;

const record = new Map<string, number[]>();
const append = (name: string, ...values: number[]): void => {
  const list = record.get(name) ?? [];
  list.push(...values);
  record.set(name, list);
};

for (const world of worlds) {
  append('init.task', world.task.index);
  append('init.g', ...world.gripper);
  append('init.blk', ...world.blocks);
  append('init.plt', ...world.plates);
  append('init.bcol', ...world.blockColours);
  append('init.pcol', ...world.plateColours);
  for (const kind of ['block', 'plate'] as const) {
    for (const slot of [0, 1, 2]) {
      append('init.velocity', ...world.velocityOf(kind, slot));
      append('init.lanes', ...(world.isMoving(kind, slot) ? world.laneOf(kind, slot) : [0, 0, 0, 0]));
    }
  }
}
for (let step = 0; step <= STEPS; step++) {
  for (const [i, world] of worlds.entries()) {
    append('state.g', ...world.gripper);
    append('state.op', world.opening);
    append('state.held', world.held);
    append('state.blk', ...world.blocks);
    append('state.plt', ...world.plates);
    append('state.success', Number(world.success));
    if (step % FRAME_EVERY === 0 && step < STEPS) append('frames', ...renderIndices(world));
    if (step === STEPS) continue;
    const action =
      Math.floor(step / TURN) % 2 === 0
        ? [...demonstratorAction(world)]
        : [random.uniform(-1, 1), random.uniform(-1, 1), random.chance(0.5) ? 1 : -1];
    append('actions', ...action);
    world.step(action);
    if (!world.task.pushed || !PUSH_AFTER.includes(step)) continue;
    const place = drawFreePlace(world, 'block', 0, random, { from: 0.1, to: 0.3 });
    if (!place) continue;
    world.push(0, ...place, PUSH_STEPS);
    append('pushes', step, i, 0, ...place, PUSH_STEPS);
  }
}

const shapes: Readonly<Record<string, readonly number[]>> = {
  'init.task': [n],
  'init.g': [n, 2],
  'init.blk': [n, 3, 2],
  'init.plt': [n, 3, 2],
  'init.bcol': [n, 3],
  'init.pcol': [n, 3],
  'init.velocity': [n, 6, 2],
  'init.lanes': [n, 6, 4],
  actions: [STEPS, n, 3],
  pushes: [(record.get('pushes') ?? []).length / 6, 6],
  'state.g': [STEPS + 1, n, 2],
  'state.op': [STEPS + 1, n],
  'state.held': [STEPS + 1, n],
  'state.blk': [STEPS + 1, n, 3, 2],
  'state.plt': [STEPS + 1, n, 3, 2],
  'state.success': [STEPS + 1, n],
  frames: [Math.ceil(STEPS / FRAME_EVERY), n, 64, 128],
};
const integers = new Set(['init.task', 'init.bcol', 'init.pcol', 'state.held', 'state.success']);
const tensors = Object.entries(shapes).map(([name, shape]): TensorData => {
  const values = record.get(name) ?? [];
  if (name === 'frames') return { name, dtype: 'U8', shape, data: Uint8Array.from(values) };
  return integers.has(name)
    ? { name, dtype: 'I32', shape, data: Int32Array.from(values) }
    : { name, dtype: 'F64', shape, data: Float64Array.from(values) };
});
writeSafetensors(process.argv[2] ?? 'test/fixtures/sim/dynamic_trace.safetensors', tensors);
