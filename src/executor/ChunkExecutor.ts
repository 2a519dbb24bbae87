import { InputError } from '../errors';
import { isPosition } from './dimensions';
import type { CommandDimension } from './dimensions';
import { joined } from './joins';
import type { Join } from '../settings/executorParameters';
import { allowedInterval, clampTo, exceeds } from './limits';

/** A clock reading that falls this share of a period short of a step's beginning still belongs to that step. */
const CLOCK_SLACK = 1e-3;
/** Chunks that may be joined at once; more come only from a sender gone wild. */
const MOST_JOINED = 32;

/** An action chunk, as much of it as executing it needs. */
export interface ExecutableChunk {
  /** Time of the observation it was made from, seconds. */
  readonly stamp: number;
  /** Seconds between its actions. */
  readonly period: number;
  /** Actions to execute before the next chunk is expected. */
  readonly replanSteps: number;
  /** [horizon, dimensions] in the units of the bundle, row-major. */
  readonly actions: Float32Array;
}

export interface ExecutorSettings {
  readonly dimensions: readonly CommandDimension[];
  /** Seconds between commands; chunks made for another period are refused. */
  readonly period: number;
  /** How an incoming chunk joins the one that is followed; default `blend`. */
  readonly join?: Join;
  /** Steps over which `blend`, and motion from rest, fades in; 0 switches at once. */
  readonly blendSteps: number;
  /**
   * Seconds by which the next chunk may be late: until then the old one is followed beyond its replan steps (never
   * beyond its horizon), after that the executor holds.
   */
  readonly deadline: number;
  /** What to do with a command outside the limits: pull it inside, or hold instead. */
  readonly limitPolicy: 'clamp' | 'refuse';
}

/** Why a chunk was not taken. */
export type ChunkRefusal =
  /** not [horizon, dimensions] numbers with at least one action, or no replan steps */
  | 'shape'
  /** made for another control period */
  | 'period'
  /** holds a NaN or an infinite number, in its actions or its stamp */
  | 'not_finite'
  /** made from an older observation than the chunk being executed */
  | 'outdated'
  /** all its actions are in the past */
  | 'expired'
  /** begins more than a step from now: whoever made it has another clock */
  | 'future'
  | 'paused';

/** Why the executor commands no motion. */
export type HoldReason =
  /** no chunk has come yet, or none since the last reset */
  | 'no_chunk'
  /** the first chunk begins with the next step */
  | 'not_yet'
  /** the next chunk is late beyond the deadline */
  | 'deadline'
  /** the chunk has no action left */
  | 'horizon'
  /** the command lies outside the limits, and these are to be refused */
  | 'limits'
  /** where the robot is was never measured, for a position that is to be commanded */
  | 'no_state'
  /** where the robot is was measured too long ago */
  | 'stale_state'
  | 'paused';

/** Where the robot is. */
export interface RobotState {
  /** [dimensions] in the units of the bundle; NaN where it is not known */
  readonly values: ArrayLike<number>;
  /** why the values are not good enough to move from */
  readonly lacking: 'no_state' | 'stale_state' | undefined;
}

/** What to send to the robot in one control step. */
export interface Command {
  /**
   * [dimensions] in the units of the bundle; undefined where nothing may be sent: before the first command that
   * follows a chunk, and while holding if a dimension's meaning is unknown.
   */
  readonly values: Float64Array | undefined;
  readonly state: 'executing' | 'holding';
  /** Why it holds; undefined otherwise. */
  readonly reason: HoldReason | undefined;
  /** Action of the newest joined chunk that this command executes; undefined while holding. */
  readonly index: number | undefined;
  /** Seconds since the next chunk was due (stamp + replan steps); negative before, undefined without a chunk. */
  readonly overdue: number | undefined;
  /** Dimensions that were pulled inside their limits, or for which the command was refused. */
  readonly limited: readonly number[];
}

/** What has happened since the executor was made. */
export interface ExecutorCounts {
  readonly chunksAccepted: number;
  readonly chunksRefused: Readonly<Record<ChunkRefusal, number>>;
  readonly commands: number;
  /** Commands that followed a chunk beyond its replan steps, because inference takes time or is late. */
  readonly overdueCommands: number;
  readonly heldCommands: Readonly<Record<HoldReason, number>>;
  /** Commands in which each dimension was pulled inside its limits or refused, [dimensions]. */
  readonly limited: readonly number[];
}

/** A chunk being followed, and what was followed before it for as long as that counts. */
interface Plan {
  readonly chunk: ExecutableChunk;
  readonly horizon: number;
  /** Time of the first command that followed it; undefined until then. */
  joined: number | undefined;
  before: Plan | Start | undefined;
}

/** Values that command no motion from where the robot is measured to be, [dimensions]: what motion fades in from. */
type Start = Float64Array;

/**
 * Turns chunks that arrive now and then into one command for each control step. Time is an argument: the simulator and
 * the robot's node use the same code.
 *
 * An incoming chunk joins the running one by the time of its observation: at time t its action
 * floor((t - stamp) / period) is due, so the actions that inference took the time of are skipped. It is the target for
 * the end of that step, stamp + (k + 1) period, and is sent at its beginning. How the two chunks join is said in
 * `joins.ts`; then limits are enforced on what is sent. When chunks stop coming it
 * goes on for as long as `deadline` allows, then holds and says so.
 *
 * Positions move only while it is known where the robot is, and motion begins there: the first command, and the first
 * after every hold, pause or reset, is a step from the measured state, whatever was commanded before.
 */
export class ChunkExecutor {
  #settings: ExecutorSettings;
  #plan: Plan | undefined;
  /** Values of the last command; undefined before the first. */
  #last: Float64Array | undefined;
  #lastTime: number | undefined;
  #paused = false;
  /** whether the next command that moves begins where the robot is, not at the last one */
  #atRest = true;
  readonly #counts = {
    chunksAccepted: 0,
    chunksRefused: { shape: 0, period: 0, not_finite: 0, outdated: 0, expired: 0, future: 0, paused: 0 },
    commands: 0,
    overdueCommands: 0,
    heldCommands: {
      ...{ no_chunk: 0, not_yet: 0, deadline: 0, horizon: 0, limits: 0 },
      ...{ no_state: 0, stale_state: 0, paused: 0 },
    },
    limited: [] as number[],
  };

  /** @throws InputError if a setting makes no sense */
  constructor(settings: ExecutorSettings) {
    checkSettings(settings);
    this.#settings = settings;
    this.#counts.limited = settings.dimensions.map(() => 0);
  }

  get settings(): ExecutorSettings {
    return this.#settings;
  }

  /**
   * Holds from the next command on; counts, fades and the last command go on. With another period all chunks are
   * forgotten: they were made for the old one.
   *
   * @throws InputError if a setting makes no sense or there are other dimensions; nothing has changed then
   */
  set settings(settings: ExecutorSettings) {
    checkSettings(settings);
    const names = ({ dimensions }: ExecutorSettings): string => dimensions.map(({ name }) => name).join();
    if (names(settings) !== names(this.#settings)) {
      throw new InputError(
        `executor: the dimensions are ${names(this.#settings)} and cannot become ${names(settings)}`,
      );
    }
    if (settings.period !== this.#settings.period) this.reset();
    this.#settings = settings;
  }

  get counts(): ExecutorCounts {
    return structuredClone(this.#counts);
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Whether it matters where the robot is: some dimensions are positions. */
  get needsState(): boolean {
    return this.#settings.dimensions.some(isPosition);
  }

  /** Values that command no motion; undefined if nothing was sent yet or a dimension's meaning is unknown. */
  get standstill(): Float64Array | undefined {
    const { dimensions } = this.#settings;
    if (dimensions.some(({ mode }) => mode === 'other')) return undefined;
    return this.#last?.map((value, i) => (dimensions[i]?.mode === 'delta' ? 0 : value));
  }

  /** Forgets all chunks, as for a new episode: the next one is followed from where the robot is then. */
  reset(): void {
    this.#plan = undefined;
    this.#atRest = true;
  }

  /** As new, but for the counts: nothing is sent before a chunk is followed. */
  start(): void {
    this.reset();
    this.#last = undefined;
    this.#lastTime = undefined;
    this.#paused = false;
  }

  /** Holds from the next command on and forgets all chunks; chunks that come meanwhile are refused. */
  pause(): void {
    this.#paused = true;
    this.reset();
  }

  /** Follows the next chunk that comes. */
  resume(): void {
    this.#paused = false;
  }

  /**
   * Takes a chunk over for the commands from now on, or says why not: what others send never throws here, and a chunk
   * that is refused changes nothing.
   *
   * @param now seconds, the clock of the stamps
   * @param anew it does not continue what is being followed: another episode, or another policy
   */
  accept(chunk: ExecutableChunk, now: number, anew = false): ChunkRefusal | undefined {
    const refusal = this.#refusalOf(chunk, now, anew);
    if (refusal) {
      this.#counts.chunksRefused[refusal]++;
      return refusal;
    }
    this.#counts.chunksAccepted++;
    if (anew) this.reset();
    // A plan that never moved the robot leaves nothing to fade from.
    const before = this.#plan?.joined === undefined ? this.#plan?.before : this.#plan;
    forgetBeyond(before, MOST_JOINED);
    this.#plan = {
      chunk,
      horizon: chunk.actions.length / this.#settings.dimensions.length,
      joined: undefined,
      before,
    };
    return undefined;
  }

  /**
   * The command for the control step at time `now`. Call it once for each step with the step's nominal time (a
   * multiple of the period, not a jittering clock), so that no action is skipped or executed twice. A clock that jumps
   * back forgets all chunks.
   *
   * @param state where the robot is; may be left out where no dimension is a position
   */
  command(now: number, state?: RobotState): Command {
    const { dimensions, period, limitPolicy } = this.#settings;
    if (!Number.isFinite(now)) throw new InputError(`executor: time is ${now}; expected seconds`);
    let elapsed = this.#lastTime === undefined ? period : Math.min(now - this.#lastTime, period);
    if (elapsed < 0) this.reset();
    this.#lastTime = now;
    this.#counts.commands++;

    const plan = this.#duePlan(now);
    const overdue = plan && now - (plan.chunk.stamp + plan.chunk.replanSteps * period);
    const hold = this.#reasonToHold(plan, now, overdue ?? 0, state);
    if (hold !== undefined || plan === undefined) return this.#hold(hold ?? 'no_chunk', overdue);
    let last = this.#last;
    if (this.#atRest) {
      last = this.#start(state);
      elapsed = period;
      plan.joined = now;
      plan.before = last;
    }
    plan.joined ??= now;
    const wanted = this.#valuesOf(plan, now);

    const limited: number[] = [];
    const values = wanted.map((value, i) => {
      const dimension = dimensions[i];
      if (!dimension) return value;
      const interval = allowedInterval(dimension, known(last?.[i]), Math.max(0, elapsed), period);
      if (exceeds(value, interval)) limited.push(i);
      return clampTo(value, interval);
    });
    for (const i of limited) this.#counts.limited[i] = (this.#counts.limited[i] ?? 0) + 1;
    if (limited.length > 0 && limitPolicy === 'refuse') return this.#hold('limits', overdue, limited);

    this.#last = values;
    this.#atRest = false;
    if (overdue !== undefined && overdue > -CLOCK_SLACK * period) this.#counts.overdueCommands++;
    const index = this.#indexOf(plan.chunk, now);
    return { values: values.slice(), state: 'executing', reason: undefined, index, overdue, limited };
  }

  /** Where motion begins: positions where they are measured, no displacement, grippers as they were told last. */
  #start(state: RobotState | undefined): Start {
    return Float64Array.from(this.#settings.dimensions, (dimension, i) => {
      if (dimension.mode === 'delta') return 0;
      const measured = state?.values[i] ?? NaN;
      return isPosition(dimension) ? measured : (known(this.#last?.[i]) ?? measured);
    });
  }

  #refusalOf(chunk: ExecutableChunk, now: number, anew: boolean): ChunkRefusal | undefined {
    const { dimensions, period } = this.#settings;
    if (this.#paused) return 'paused';
    const horizon = chunk.actions.length / dimensions.length;
    if (!Number.isInteger(horizon) || horizon === 0 || !(chunk.replanSteps >= 1)) return 'shape';
    if (!Number.isFinite(chunk.stamp) || !chunk.actions.every(Number.isFinite)) return 'not_finite';
    if (!(Math.abs(chunk.period - period) <= 1e-6 * period)) return 'period';
    if (!anew && this.#plan && chunk.stamp < this.#plan.chunk.stamp) return 'outdated';
    const index = this.#indexOf(chunk, now);
    return index >= horizon ? 'expired' : index < -1 ? 'future' : undefined;
  }

  /** The action that is due at a time; may be negative or beyond the horizon. */
  #indexOf(chunk: ExecutableChunk, now: number): number {
    return Math.floor((now - chunk.stamp) / this.#settings.period + CLOCK_SLACK);
  }

  /** The newest plan, or the one before it while the newest has not begun. */
  #duePlan(now: number): Plan | undefined {
    const newest = this.#plan;
    if (newest === undefined || this.#indexOf(newest.chunk, now) >= 0) return newest;
    return isPlan(newest.before) ? newest.before : newest;
  }

  #reasonToHold(
    plan: Plan | undefined,
    now: number,
    overdue: number,
    state: RobotState | undefined,
  ): HoldReason | undefined {
    if (this.#paused) return 'paused';
    if (!plan) return 'no_chunk';
    const lacking = this.needsState && this.#lackingOf(state);
    if (lacking) return lacking;
    const index = this.#indexOf(plan.chunk, now);
    if (index < 0) return 'not_yet';
    if (index >= plan.horizon) return 'horizon';
    // The step that begins just when the deadline ends still belongs to it.
    return overdue > this.#settings.deadline + CLOCK_SLACK * plan.chunk.period ? 'deadline' : undefined;
  }

  #lackingOf(state: RobotState | undefined): 'no_state' | 'stale_state' | undefined {
    if (state?.lacking) return state.lacking;
    const measured = this.#settings.dimensions.every(
      (dimension, i) => !isPosition(dimension) || Number.isFinite(state?.values[i]),
    );
    return measured ? undefined : 'no_state';
  }

  /** What a plan says at a time, [dimensions]; its index must lie inside the horizon. */
  #valuesOf(plan: Plan, now: number): Float64Array {
    const { join = 'blend' } = this.#settings;
    if (join !== 'blend') return this.#joinedValues(plan, now, join);
    const values = this.#rowOf(plan, now);
    const { before } = plan;
    if (!before) return values;
    if (this.#fadedIn(plan, now) || (isPlan(before) && this.#isOver(before, now))) {
      plan.before = undefined;
      return values;
    }
    return this.#faded(values, isPlan(before) ? this.#valuesOf(before, now) : before, plan, now);
  }

  /** What all chunks that still have an action say together; motion from rest fades in. */
  #joinedValues(plan: Plan, now: number, join: Exclude<Join, 'blend'>): Float64Array {
    const rows: Float64Array[] = [];
    let oldest = plan;
    for (let next: Plan | Start | undefined = plan; isPlan(next); next = next.before) {
      oldest = next;
      rows.push(this.#rowOf(next, now));
      if (isPlan(next.before) && this.#isOver(next.before, now)) next.before = undefined;
    }
    const takesNewest = this.#settings.dimensions.map(({ gripper }) => gripper);
    const values = joined(join, rows, takesNewest);
    const { before: start } = oldest;
    if (start === undefined || isPlan(start)) return values;
    if (!this.#fadedIn(oldest, now)) return this.#faded(values, start, oldest, now);
    oldest.before = undefined;
    return values;
  }

  /** The action of one chunk alone, [dimensions]. */
  #rowOf({ chunk }: Plan, now: number): Float64Array {
    const { length } = this.#settings.dimensions;
    const row = this.#indexOf(chunk, now) * length;
    return Float64Array.from(chunk.actions.subarray(row, row + length));
  }

  /** Whether a chunk has no action left. */
  #isOver({ chunk, horizon }: Plan, now: number): boolean {
    return this.#indexOf(chunk, now) >= horizon;
  }

  /** Steps since the first command of a plan. */
  #stepsOf({ joined: first }: Plan, now: number): number {
    return first === undefined ? 0 : Math.floor((now - first) / this.#settings.period + CLOCK_SLACK);
  }

  #fadedIn(plan: Plan, now: number): boolean {
    return this.#stepsOf(plan, now) >= this.#settings.blendSteps;
  }

  /** `values` as far as its plan has faded in over `old`; grippers do not fade. */
  #faded(values: Float64Array, old: Float64Array, plan: Plan, now: number): Float64Array {
    const { dimensions, blendSteps } = this.#settings;
    // With B blend steps the weights are 1/(B+1), ..., B/(B+1): neither end repeats a pure chunk.
    const weight = (this.#stepsOf(plan, now) + 1) / (blendSteps + 1);
    return values.map((value, i) =>
      dimensions[i]?.gripper ? value : weight * value + (1 - weight) * (known(old[i]) ?? value),
    );
  }

  #hold(reason: HoldReason, overdue: number | undefined, limited: readonly number[] = []): Command {
    this.#counts.heldCommands[reason]++;
    this.#atRest = true;
    const values = this.standstill;
    if (values) this.#last = values;
    return { values: values?.slice(), state: 'holding', reason, index: undefined, overdue, limited };
  }
}

function checkSettings({ dimensions, period, blendSteps, deadline }: ExecutorSettings): void {
  if (dimensions.length === 0) throw new InputError('executor: expected at least one command dimension');
  if (!(period > 0 && period < Infinity)) {
    throw new InputError(`executor: period is ${period}; expected seconds above 0`);
  }
  if (!Number.isInteger(blendSteps) || blendSteps < 0) {
    throw new InputError(`executor: blend steps are ${blendSteps}; expected an integer from 0`);
  }
  if (!(deadline >= 0)) throw new InputError(`executor: deadline is ${deadline}; expected seconds from 0`);
  for (const { name, min = -Infinity, max = Infinity, maxStep = 0, maxVelocity = 0 } of dimensions) {
    if (!(min <= max && maxStep >= 0 && maxVelocity >= 0 && maxVelocity < Infinity)) {
      throw new InputError(
        `executor: limits of ${name}: expected min <= max, and finite steps and velocities from 0; leave out what has no limit`,
      );
    }
  }
}

/** Not a number stands for what nobody knows. */
function known(value: number | undefined): number | undefined {
  return value === undefined || Number.isNaN(value) ? undefined : value;
}

/** Leaves the newest plans of those that a chunk joins. */
function forgetBeyond(before: Plan | Start | undefined, most: number): void {
  let last = before;
  for (let count = 1; isPlan(last) && count < most; count++) last = last.before;
  if (isPlan(last)) last.before = undefined;
}

function isPlan(source: Plan | Start | undefined): source is Plan {
  return source !== undefined && 'chunk' in source;
}
