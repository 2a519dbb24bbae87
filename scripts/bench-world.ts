/**
 * Control steps per second of the simulated world on one core, with both cameras rendered to RGB in each step: by the
 * clock, and by processor time, which other programs disturb less.
 * Run it with: npx ts-node scripts/bench-world.ts
 */
import { demonstratorAction } from '../src/sim/demonstrator';
import { Random } from '../src/sim/Random';
import { colourise, renderIndices } from '../src/sim/renderer';
import { resetWorld } from '../src/sim/resetWorld';
import { SPEEDS } from '../src/sim/speeds';
import { stepLimit, TASKS } from '../src/sim/tasks';

const SECONDS = 3;

function measure(name: string, render: boolean): void {
  const indices = new Uint8Array(64 * 128);
  const image = new Uint8Array(64 * 128 * 3);
  const action = new Float64Array(3);
  const start = performance.now();
  const processor = process.cpuUsage();
  let steps = 0;
  for (let episode = 0; performance.now() - start < SECONDS * 1000; episode++) {
    const task = TASKS[episode % TASKS.length];
    if (task === undefined) return;
    const world = resetWorld(task, SPEEDS.slow, new Random(1, episode));
    const limit = stepLimit(task, 'clean', 'slow');
    for (let step = 0; step < limit && !world.success; step++, steps++) {
      if (render) colourise(renderIndices(world, indices), image);
      world.step(demonstratorAction(world, action));
    }
  }
  const byClock = steps / ((performance.now() - start) / 1000);
  const { user, system } = process.cpuUsage(processor);
  const byProcessor = steps / ((user + system) / 1e6);
  process.stdout.write(
    `${name}: ${Math.round(byClock)} control steps per second, ${Math.round(byProcessor)} per second of processor time\n`,
  );
}

measure('world and expert', false);
measure('world, expert and both cameras', true);
