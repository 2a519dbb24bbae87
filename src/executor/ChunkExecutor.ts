import { InputError } from '../errors';
import type { CommandDimension } from './dimensions';
import { allowedInterval, clampTo, exceeds } from './limits';

/** A clock reading that falls this share of a period short of a step's beginning still belongs to that step. */
const CLOCK_SLACK = 1e-3;
/** Chunks that may be fading into each other at once; more come only from a sender gone wild. */
const MOST_FADES = 16;

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
  /** Steps over which an incoming chunk fades in; 0 switches at once. */
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
  | 'paused';

/** What to send to the robot in one control step. */
export interface Command {
  /**
   * [dimensions] in the units of the bundle; undefined where nothing may be sent: before the first command, and
   * while holding if a dimension's meaning is unknown.
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

/** A chunk being followed, and what was followed before it for as long as it fades in. */
interface Plan {
  readonly chunk: ExecutableChunk;
  readonly horizon: number;
  /** Time of the first command that followed it; undefined until then. */
  joined: number | undefined;
  before: Plan | Standstill | undefined;
  /** Plans in `before`, `before.before`, ... when it was accepted. */
  readonly fades: number;
}

/** Values that command no motion, [dimensions]: what a chunk fades in from after a hold. */
type Standstill = Float64Array;

/**
 * Turns chunks that arrive now and then into one command for each control step. Time is an argument: the simulator and
 * the robot's node use the same code.
 *
 * An incoming chunk joins the running one by the time of its observation: at time t its action
 * floor((t - stamp) / period) is due, so the actions that inference took the time of are skipped. Over `blendSteps`
 * steps the two fade into each other (linearly, grippers not); then limits are enforced on what is sent. When chunks
 * stop coming it goes on for as long as `deadline` allows, then holds and says so.
 */
export class ChunkExecutor {
  readonly #settings: ExecutorSettings;
  #plan: Plan | undefined;
  /** Values of the last command, or where the robot is said to be. */
  #last: Float64Array | undefined;
  #lastTime: number | undefined;
  #paused = false;
  #holding = true;
  readonly #counts = {
    chunksAccepted: 0,
    chunksRefused: { shape: 0, period: 0, not_finite: 0, outdated: 0, expired: 0, future: 0, paused: 0 },
    commands: 0,
    overdueCommands: 0,
    heldCommands: { no_chunk: 0, not_yet: 0, deadline: 0, horizon: 0, limits: 0, paused: 0 },
    limited: [] as number[],
  };

  /** @throws InputError if a setting makes no sense */
  constructor(settings: ExecutorSettings) {
    const { dimensions, period, blendSteps, deadline } = settings;
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
    this.#settings = settings;
    this.#counts.limited = dimensions.map(() => 0);
  }

  get counts(): ExecutorCounts {
    return structuredClone(this.#counts);
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Forgets all chunks, as for a new episode. The last command stays, so that the next one is a step from it. */
  reset(): void {
    this.#plan = undefined;
  }

  /**
   * Tells where the robot is, [dimensions]: the first command is limited to a step from there. Without it, the first
   * command is held only to `min` and `max`.
   */
  setCurrent(values: ArrayLike<number>): void {
    const current = Float64Array.from(values);
    if (current.length !== this.#settings.dimensions.length || !current.every(Number.isFinite)) {
      throw new InputError(
        `executor: current values (${current.join(', ')}); expected ${this.#settings.dimensions.length} finite numbers`,
      );
    }
    this.#last = current;
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
   * Takes a chunk over for the commands from now on, or says why not: what others send never throws here.
   * @param now seconds, the clock of the stamps
   */
  accept(chunk: ExecutableChunk, now: number): ChunkRefusal | undefined {
    const refusal = this.#refusalOf(chunk, now);
    if (refusal) {
      this.#counts.chunksRefused[refusal]++;
      return refusal;
    }
    this.#counts.chunksAccepted++;
    const before = this.#fadeFrom();
    const fades = isPlan(before) ? before.fades + 1 : 0;
    if (fades >= MOST_FADES && isPlan(before)) before.before = undefined;
    this.#plan = {
      chunk,
      horizon: chunk.actions.length / this.#settings.dimensions.length,
      joined: undefined,
      before,
      fades: fades % MOST_FADES,
    };
    return undefined;
  }

  /**
   * The command for the control step at time `now`. Call it once for each step with the step's nominal time (a
   * multiple of the period, not a jittering clock), so that no action is skipped or executed twice. A clock that jumps
   * back forgets all chunks.
   */
  command(now: number): Command {
    const { dimensions, period, limitPolicy } = this.#settings;
    if (!Number.isFinite(now)) throw new InputError(`executor: time is ${now}; expected seconds`);
    const elapsed = this.#lastTime === undefined ? period : Math.min(now - this.#lastTime, period);
    if (elapsed < 0) this.reset();
    this.#lastTime = now;
    this.#counts.commands++;

    const plan = this.#duePlan(now);
    const overdue = plan && now - (plan.chunk.stamp + plan.chunk.replanSteps * period);
    const hold = this.#reasonToHold(plan, now, overdue ?? 0);
    if (hold !== undefined || plan === undefined) return this.#hold(hold ?? 'no_chunk', overdue);
    plan.joined ??= now;
    const wanted = this.#valuesOf(plan, now);

    const limited: number[] = [];
    const values = wanted.map((value, i) => {
      const dimension = dimensions[i];
      if (!dimension) return value;
      const interval = allowedInterval(dimension, this.#last?.[i], Math.max(0, elapsed), period);
      if (exceeds(value, interval)) limited.push(i);
      return clampTo(value, interval);
    });
    for (const i of limited) this.#counts.limited[i] = (this.#counts.limited[i] ?? 0) + 1;
    if (limited.length > 0 && limitPolicy === 'refuse') return this.#hold('limits', overdue, limited);

    this.#last = values;
    this.#holding = false;
    if (overdue !== undefined && overdue > -CLOCK_SLACK * period) this.#counts.overdueCommands++;
    const index = this.#indexOf(plan.chunk, now);
    return { values: values.slice(), state: 'executing', reason: undefined, index, overdue, limited };
  }

  /** What a chunk accepted now fades in from. A plan that never moved the robot leaves nothing to fade from. */
  #fadeFrom(): Plan | Standstill | undefined {
    if (this.#holding) return this.#standstill();
    return this.#plan?.joined === undefined ? this.#plan?.before : this.#plan;
  }

  #refusalOf(chunk: ExecutableChunk, now: number): ChunkRefusal | undefined {
    const { dimensions, period } = this.#settings;
    if (this.#paused) return 'paused';
    const horizon = chunk.actions.length / dimensions.length;
    if (!Number.isInteger(horizon) || horizon === 0 || !(chunk.replanSteps >= 1)) return 'shape';
    if (!Number.isFinite(chunk.stamp) || !chunk.actions.every(Number.isFinite)) return 'not_finite';
    if (!(Math.abs(chunk.period - period) <= 1e-6 * period)) return 'period';
    if (this.#plan && chunk.stamp < this.#plan.chunk.stamp) return 'outdated';
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

  #reasonToHold(plan: Plan | undefined, now: number, overdue: number): HoldReason | undefined {
    if (this.#paused) return 'paused';
    if (!plan) return 'no_chunk';
    const index = this.#indexOf(plan.chunk, now);
    if (index < 0) return 'not_yet';
    if (index >= plan.horizon) return 'horizon';
    // The step that begins just when the deadline ends still belongs to it.
    return overdue > this.#settings.deadline + CLOCK_SLACK * plan.chunk.period ? 'deadline' : undefined;
  }

  /** What a plan says at a time, [dimensions]; its index must lie inside the horizon. */
  #valuesOf(plan: Plan, now: number): Float64Array {
    const { dimensions, blendSteps, period } = this.#settings;
    const row = this.#indexOf(plan.chunk, now) * dimensions.length;
    const values = Float64Array.from(plan.chunk.actions.subarray(row, row + dimensions.length));
    const { before, joined = now } = plan;
    if (!before) return values;
    const since = Math.floor((now - joined) / period + CLOCK_SLACK);
    if (since >= blendSteps || (isPlan(before) && this.#indexOf(before.chunk, now) >= before.horizon)) {
      plan.before = undefined;
      return values;
    }
    // With B blend steps the weights are 1/(B+1), ..., B/(B+1): neither end repeats a pure chunk.
    const weight = (since + 1) / (blendSteps + 1);
    const old = isPlan(before) ? this.#valuesOf(before, now) : before;
    return values.map((value, i) =>
      dimensions[i]?.gripper ? value : weight * value + (1 - weight) * (old[i] ?? value),
    );
  }

  #hold(reason: HoldReason, overdue: number | undefined, limited: readonly number[] = []): Command {
    this.#counts.heldCommands[reason]++;
    this.#holding = true;
    const values = this.#standstill();
    if (values) this.#last = values;
    return { values: values?.slice(), state: 'holding', reason, index: undefined, overdue, limited };
  }

  /** What to send to stand still; undefined if nothing was sent yet or a dimension's meaning is unknown. */
  #standstill(): Standstill | undefined {
    const { dimensions } = this.#settings;
    if (dimensions.some(({ mode }) => mode === 'other')) return undefined;
    return this.#last?.map((value, i) => (dimensions[i]?.mode === 'delta' ? 0 : value));
  }
}

function isPlan(source: Plan | Standstill | undefined): source is Plan {
  return source !== undefined && 'chunk' in source;
}
