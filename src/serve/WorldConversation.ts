import { z } from 'zod';
import { InputError } from '../errors';
import { startDisturbances, startWorld, planEpisodes } from '../sim/episodes';
import type { Disturbances } from '../sim/Disturbances';
import type { EpisodePlan } from '../sim/episodes';
import { CAMERAS, CAMERA_SIZE, FRAME_WIDTH, colourise, renderCamera, renderIndices } from '../sim/renderer';
import { CONTROL_RATE, SPEED_NAMES } from '../sim/speeds';
import type { TabletopWorld } from '../sim/TabletopWorld';
import { CONDITIONS, SUITES, stepLimit } from '../sim/tasks';
import type { Conversation } from './Conversation';
import type { WireMap, WireValue } from './message';
import { NdArray } from './NdArray';

/** Plans are made one after the other. */
const MOST_EPISODES = 1_000_000;

const resetSchema = z.strictObject({
  seed: z.int().min(0).max(0xffff_ffff).default(0),
  /** number of the episode among those of the seed, as `fastwam simulate` counts them */
  episode: z.int().min(0).max(MOST_EPISODES).default(0),
  suites: z
    .array(z.enum(SUITES))
    .min(1)
    .default([...SUITES]),
  speed: z.enum(SPEED_NAMES).default('slow'),
  condition: z.enum(CONDITIONS).default('clean'),
});

interface Running {
  readonly plan: EpisodePlan;
  readonly world: TabletopWorld;
  readonly disturbances: Disturbances;
  step: number;
}

/**
 * The table-top world for a client that acts in it, with the words of Gymnasium: `{reset: {seed, episode, suites, speed,
 * condition}}` begins an episode, `{step: [dx, dy, grip]}` acts for one control step, `{render: true}` is a picture. An
 * episode is the one that `fastwam simulate` runs under the same seed and number.
 */
export class WorldConversation implements Conversation {
  readonly greeting: WireMap = {
    server: 'fast_wam_policy',
    world: 'tabletop',
    control_rate: CONTROL_RATE,
    action_names: ['dx', 'dy', 'grip'],
    suites: SUITES,
    speeds: SPEED_NAMES,
    conditions: CONDITIONS,
  };
  #running: Running | undefined;

  answer(message: WireMap): Promise<WireMap> {
    const [name, ...others] = Object.keys(message);
    const known = ['reset', 'step', 'render'];
    if (name === undefined || others.length > 0 || !known.includes(name)) {
      throw new InputError(`a message to the world has one key: ${known.join(', ')}`);
    }
    const value = message[name];
    if (name === 'reset') return Promise.resolve(this.#reset(value));
    return Promise.resolve(name === 'step' ? this.#step(value) : this.#render());
  }

  close(): Promise<void> {
    this.#running = undefined;
    return Promise.resolve();
  }

  #reset(options: WireValue | undefined): WireMap {
    const read = resetSchema.safeParse(options === true ? {} : options);
    if (!read.success) {
      const { path, message } = read.error.issues[0] ?? { path: [], message: '' };
      throw new InputError(`${['reset', ...path].join('.')}: ${message}`);
    }
    const { episode, suites, ...selection } = read.data;
    const plan = planEpisodes(episode + 1, suites, selection).at(-1);
    if (!plan) throw new InputError(`reset.episode: ${episode} is none`);
    this.#running = { plan, world: startWorld(plan), disturbances: startDisturbances(plan), step: 0 };
    return { observation: this.#observation(this.#running), info: this.#info(this.#running) };
  }

  #step(action: WireValue | undefined): WireMap {
    const running = this.#begun();
    const { plan, world, disturbances } = running;
    const limit = stepLimit(plan.task, plan.condition, plan.speed);
    if (isDone(world) || running.step >= limit) {
      throw new InputError('step: the episode is over; reset begins another');
    }
    world.step(numbersOf(action));
    disturbances.afterStep(world, running.step);
    running.step += 1;
    const terminated = isDone(world);
    return {
      observation: this.#observation(running),
      reward: terminated ? 1 : 0,
      terminated,
      truncated: !terminated && running.step >= limit,
      info: this.#info(running),
    };
  }

  #render(): WireMap {
    const picture = colourise(renderIndices(this.#begun().world));
    return { picture: NdArray.ofBytes([CAMERA_SIZE, FRAME_WIDTH, 3], picture) };
  }

  #begun(): Running {
    if (this.#running) return this.#running;
    throw new InputError('no episode has begun; reset begins one');
  }

  /** As a policy server takes it. */
  #observation({ plan, world }: Running): WireMap {
    const cameras = CAMERAS.map((camera) => [
      `observation/${camera}`,
      NdArray.ofBytes([CAMERA_SIZE, CAMERA_SIZE, 3], colourise(renderCamera(world, camera))),
    ]);
    return {
      ...(Object.fromEntries(cameras) as WireMap),
      'observation/state': NdArray.ofFloats([3], world.proprio()),
      prompt: plan.task.instruction,
    };
  }

  #info({ plan, world, disturbances, step }: Running): WireMap {
    return {
      suite: plan.task.suite,
      task: plan.task.index,
      step,
      step_limit: stepLimit(plan.task, plan.condition, plan.speed),
      success: world.success,
      disturbances: disturbances.count,
    };
  }
}

/** Whether the task is done now: it may be undone by the next step. */
function isDone({ success }: TabletopWorld): boolean {
  return success;
}

/** Three numbers of a list or an array of one axis; the world says what is wrong with others. */
function numbersOf(action: WireValue | undefined): ArrayLike<number> {
  if (action instanceof NdArray && action.shape.length === 1) return action.numbers();
  if (Array.isArray(action)) {
    return (action as readonly WireValue[]).map((item) => (typeof item === 'number' ? item : NaN));
  }
  throw new InputError('step: expected an action of three numbers (dx, dy, grip)');
}
