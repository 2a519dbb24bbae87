import { demonstratorAction } from './demonstrator';
import { drawFreePlace } from './freePlace';
import type { Random } from './Random';
import { resetWorld } from './resetWorld';
import type { WorldSpeed } from './speeds';
import type { TabletopWorld } from './TabletopWorld';
import type { Task } from './tasks';

/** Share of the largest step by which noise pushes the hand about; drawn once an episode. */
const NOISE_LEVELS = [0, 0.25, 0.5] as const;
/** Ornstein-Uhlenbeck noise: what stays from step to step, and what comes new, in noise levels. */
const NOISE_MEMORY = 0.8;
const NOISE_DRIVE = 0.6;
/** Chance a unit of waiting time that a noisy hand does something else altogether, and for how many units. */
const BURST_CHANCE = 0.012;
const BURST_UNITS = [4, 14] as const;
/** Chance a unit of waiting time that something happens on the table, in the half of the episodes in which it may. */
const EVENT_CHANCE = 0.02;
/** The same for pushes, in tasks that have them. */
const PUSH_CHANCE = 0.04;
const PUSH_RING = { from: 0.1, to: 0.3 } as const;
const PUSH_UNITS = 4;
const SLIP_REACH = 0.08;

/** Units of waiting time after which an episode ends, done or not. */
const UNITS = { single: 100, dynamic: 130, long: 280 } as const;
/** Steps that are shown after success. */
const STEPS_DONE = 12;
/** A state is kept every so many steps. */
const KEEP_EVERY = { slow: 12, fast: 5 } as const;

/**
 * One demonstration: the demonstrator with a disturbed hand on a disturbed table, so that the states it visits are those that
 * a policy comes to by its own errors. `visit` sees the world in every 12th (slow) or 5th (fast) step; what the demonstrator
 * would do from there is asked of the demonstrator, not taken from this noisy future.
 *
 * Noise of strength 0, 1/4 or 1/2 on (dx, dy); in noisy episodes bursts of a random direction, half of them with a
 * forced gripper command. In half of the episodes blocks and plates jump and blocks slip; in tasks with pushes the
 * block is pushed as well.
 */
export function demonstrate(
  task: Task,
  speed: WorldSpeed,
  random: Random,
  visit: (world: TabletopWorld, step: number) => void,
): void {
  const world = resetWorld(task, speed, random);
  const hand = new NoisyHand(random.pick(NOISE_LEVELS), speed.stretch, random);
  const eventful = random.chance(0.5);
  const keepEvery = KEEP_EVERY[speed.name];
  const phase = random.integer(0, keepEvery);
  const kind = task.suite === 'long' ? 'long' : task.suite === 'dynamic' ? 'dynamic' : 'single';
  const steps = UNITS[kind] * speed.stretch;
  let done = 0;
  for (let step = 0; step < steps && done < STEPS_DONE; step++) {
    if ((step + phase) % keepEvery === 0) visit(world, step);
    world.step(hand.follow(demonstratorAction(world)));
    done = world.success ? done + 1 : 0;
    if (eventful && random.chance(EVENT_CHANCE / speed.stretch)) disturb(world, random);
    if (task.pushed && random.chance(PUSH_CHANCE / speed.stretch)) push(world, random);
  }
}

/** A hand that does not quite do what it is told. */
class NoisyHand {
  #drift: [number, number] = [0, 0];
  #burstLeft = 0;
  #burst: readonly [number, number, number] = [0, 0, 0];

  constructor(
    private readonly level: number,
    private readonly stretch: number,
    private readonly random: Random,
  ) {}

  /** What it does instead of (dx, dy, grip). */
  follow([dx = 0, dy = 0, grip = 0]: ArrayLike<number> & Iterable<number>): [number, number, number] {
    const { level, stretch, random } = this;
    if (level === 0) return [dx, dy, grip];
    const wander = (from: number): number => NOISE_MEMORY * from + level * NOISE_DRIVE * random.normal();
    this.#drift = [wander(this.#drift[0]), wander(this.#drift[1])];
    if (this.#burstLeft > 0) this.#burstLeft--;
    else if (random.chance(BURST_CHANCE / stretch)) {
      this.#burstLeft = random.integer(...BURST_UNITS) * stretch;
      const forced = random.chance(0.5) ? 0 : random.chance(0.5) ? -1 : 1;
      this.#burst = [random.uniform(-1, 1), random.uniform(-1, 1), forced];
    }
    if (this.#burstLeft > 0) return [this.#burst[0], this.#burst[1], this.#burst[2] || grip];
    return [dx + this.#drift[0], dy + this.#drift[1], grip];
  }
}

/** Something happens to the pair the demonstrator is working on: its block or plate jumps, or what is held slips. */
function disturb(world: TabletopWorld, random: Random): void {
  const pair = world.task.pairs[Math.max(0, world.subTask)];
  if (!pair) return;
  const what = random.uniform();
  if (what < 0.7) {
    const [kind, slot] = what < 0.35 ? (['block', pair.block] as const) : (['plate', pair.plate] as const);
    const place = drawFreePlace(world, kind, slot, random);
    if (place) world.place(kind, slot, ...place);
  } else if (world.task.suite !== 'spatial') {
    slip(world, random);
  }
}

function push(world: TabletopWorld, random: Random): void {
  const block = world.task.pairs[Math.max(0, world.subTask)]?.block ?? 0;
  if (world.held === block) {
    slip(world, random);
    return;
  }
  const place = drawFreePlace(world, 'block', block, random, PUSH_RING);
  if (place) world.push(block, ...place, PUSH_UNITS * world.speed.stretch);
}

function slip(world: TabletopWorld, random: Random): void {
  const dx = random.uniform(-SLIP_REACH, SLIP_REACH);
  world.slip(dx, random.uniform(-SLIP_REACH, SLIP_REACH));
}
