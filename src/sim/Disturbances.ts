import { drawFreePlace } from './freePlace';
import type { Random } from './Random';
import type { TabletopWorld } from './TabletopWorld';
import type { Condition, Pair, Task } from './tasks';

/** Half of the square around the gripper in which a slipped block lands. */
const SLIP_REACH = 0.08;
/** How far a pushed block slides ... */
const PUSH_RING = { from: 0.1, to: 0.3 } as const;
/** ... and for how many units of waiting time. */
const PUSH_TIME = 4;

/** What will happen to one sub-task in the condition `random`; waiting times in units of the world's stretch. */
interface SubTaskPlan {
  /** the block jumps after this time, if it is not held then */
  readonly blockJump: number | undefined;
  /** this long after the grasp ... */
  readonly afterGrasp: number;
  /** ... that happens */
  readonly thenWhat: 'nothing' | 'plate jumps' | 'block slips';
}

/**
 * What happens to one episode from outside. All chances of *when* and *what* are drawn at the beginning, so that runs
 * of different policies on the same episode share their plan; *where to* is drawn when it happens.
 *
 * In the condition `random`, of every sub-task: with p = 0.6 its block jumps to a free place 6 to 21 time units after
 * the sub-task began (unless held); 4 to 15 units after the first grasp, with p = 0.35 its plate jumps, with p = 0.35
 * the block slips. Plates with something on them stay, drifting objects keep to their lanes, and nothing slips in
 * `spatial` tasks, where left and right would change.
 *
 * In `pushed` tasks (suite `dynamic`), in any condition: one to three times, each 8 to 24 units after the one before,
 * the block is pushed and slides 0.1 to 0.3 away, or, if it is held, is knocked out of the gripper.
 */
export class Disturbances {
  readonly #random: Random;
  readonly #plans: readonly SubTaskPlan[];
  readonly #pushTimes: number[];
  /** Sub-tasks whose block has jumped, and in which something has happened after the grasp. */
  readonly #jumped = new Set<number>();
  readonly #shaken = new Set<number>();
  #subTask = -1;
  #began = 0;
  #grasped: number | undefined;
  #count = 0;

  constructor(task: Task, condition: Condition, random: Random) {
    this.#random = random;
    this.#plans = condition === 'random' ? task.pairs.map(() => drawPlan(random)) : [];
    this.#pushTimes = [];
    if (!task.pushed) return;
    const pushes = random.integer(1, 4);
    for (let i = 0, at = 0; i < pushes; i++) {
      at += random.integer(8, 25);
      this.#pushTimes.push(at);
    }
  }

  /** Disturbances that have happened so far. */
  get count(): number {
    return this.#count;
  }

  /** To be called after each control step of the episode; `step` counts from 0. */
  afterStep(world: TabletopWorld, step: number): void {
    const subTask = world.subTask;
    if (subTask !== this.#subTask) {
      this.#subTask = subTask;
      this.#began = step;
      this.#grasped = undefined;
    }
    const pair = world.task.pairs[subTask];
    if (pair === undefined) return;
    if (world.held === pair.block) this.#grasped ??= step;

    const { stretch } = world.speed;
    const plan = this.#plans[subTask];
    if (plan) this.#follow(plan, world, pair, step, stretch);
    while ((this.#pushTimes[0] ?? Infinity) * stretch <= step) {
      this.#pushTimes.shift();
      this.#push(world, pair.block, stretch);
    }
  }

  #follow(plan: SubTaskPlan, world: TabletopWorld, pair: Pair, step: number, stretch: number): void {
    const held = world.held === pair.block;
    if (
      plan.blockJump !== undefined &&
      !held &&
      step - this.#began === plan.blockJump * stretch &&
      !this.#jumped.has(this.#subTask)
    ) {
      this.#jumped.add(this.#subTask);
      this.#jump(world, 'block', pair.block);
    }
    if (
      plan.thenWhat !== 'nothing' &&
      held &&
      this.#grasped !== undefined &&
      step - this.#grasped === plan.afterGrasp * stretch &&
      !this.#shaken.has(this.#subTask)
    ) {
      this.#shaken.add(this.#subTask);
      if (plan.thenWhat === 'plate jumps') this.#jump(world, 'plate', pair.plate);
      else this.#slip(world);
    }
  }

  #jump(world: TabletopWorld, kind: 'block' | 'plate', slot: number): void {
    const place = drawFreePlace(world, kind, slot, this.#random);
    if (!place) return;
    world.place(kind, slot, ...place);
    this.#count++;
  }

  #slip(world: TabletopWorld): void {
    if (world.task.suite === 'spatial') return;
    const dx = this.#random.uniform(-SLIP_REACH, SLIP_REACH);
    world.slip(dx, this.#random.uniform(-SLIP_REACH, SLIP_REACH));
    this.#count++;
  }

  #push(world: TabletopWorld, block: number, stretch: number): void {
    if (world.held === block) {
      this.#slip(world);
      return;
    }
    const place = drawFreePlace(world, 'block', block, this.#random, PUSH_RING);
    if (!place) return;
    world.push(block, ...place, PUSH_TIME * stretch);
    this.#count++;
  }
}

function drawPlan(random: Random): SubTaskPlan {
  const jumps = random.chance(0.6);
  const blockJump = random.integer(6, 22);
  const what = random.uniform();
  return {
    blockJump: jumps ? blockJump : undefined,
    thenWhat: what < 0.3 ? 'nothing' : what < 0.65 ? 'plate jumps' : 'block slips',
    afterGrasp: random.integer(4, 16),
  };
}
