import { UsageError } from '../errors';
import { Disturbances } from './Disturbances';
import type { InitialEpisode } from './initialStates';
import { Random } from './Random';
import { resetWorld } from './resetWorld';
import { SPEEDS, type SpeedName } from './speeds';
import { TabletopWorld, type InitialState } from './TabletopWorld';
import { TASKS, type Condition, type Suite, type Task } from './tasks';

/** Streams of chance of one episode: none moves when another draws more. */
const RESET_STREAM = 0;
const DISTURBANCE_STREAM = 1;

/** One episode before it runs: the same plan is the same episode for every policy. */
export interface EpisodePlan {
  /** number in its run, from 0 */
  readonly index: number;
  readonly seed: number;
  readonly task: Task;
  readonly speed: SpeedName;
  readonly condition: Condition;
  /** where it starts; drawn from the seed if not given */
  readonly initial?: InitialState;
}

export interface EpisodeSelection {
  readonly seed: number;
  readonly speed: SpeedName;
  readonly condition: Condition;
}

/** `count` episodes over the tasks of these suites in turn. Plan i of a seed does not depend on `count`. */
export function planEpisodes(
  count: number,
  suites: readonly Suite[],
  { seed, speed, condition }: EpisodeSelection,
): EpisodePlan[] {
  const tasks = TASKS.filter(({ suite }) => suites.includes(suite));
  if (tasks.length === 0) throw new UsageError('no suite chosen; give at least one');
  return Array.from({ length: count }, (_, index) => {
    const task = tasks[index % tasks.length];
    if (task === undefined) throw new UsageError('no task chosen');
    return { index, seed, task, speed, condition };
  });
}

/** Episodes that start from given states; the seed serves their disturbances. */
export function planFromInitialStates(
  episodes: readonly InitialEpisode[],
  { seed, speed, condition }: EpisodeSelection,
): EpisodePlan[] {
  return episodes.map(({ task, initial }, index) => ({ index, seed, task, speed, condition, initial }));
}

/** The world at the beginning of an episode. */
export function startWorld({ index, seed, task, speed, initial }: EpisodePlan): TabletopWorld {
  return initial
    ? new TabletopWorld(task, SPEEDS[speed], initial)
    : resetWorld(task, SPEEDS[speed], new Random(seed, index, RESET_STREAM));
}

/** What will happen to an episode from outside. */
export function startDisturbances({ index, seed, task, condition }: EpisodePlan): Disturbances {
  return new Disturbances(task, condition, new Random(seed, index, DISTURBANCE_STREAM));
}
