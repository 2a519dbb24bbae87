import type { BundleManifest } from '../bundle/schema';
import { messageOf } from '../errors';
import { ChunkExecutor } from './ChunkExecutor';
import type {
  ChunkRefusal,
  Command,
  ExecutableChunk,
  ExecutorCounts,
  ExecutorSettings,
  HoldReason,
} from './ChunkExecutor';
import { commandDimensions, isPosition } from './dimensions';
import type { Join } from '../settings/executorParameters';
import { MeasuredState } from './MeasuredState';
import type { JointPositions, StateRefusal, StateReport } from './MeasuredState';
import { SOURCE_SILENCE, SourceBinding } from './SourceBinding';
import { StepTimes } from './StepTimes';
import type { Jitter, TimerShift } from './StepTimes';

/** What is done with commands outside the bundle's limits, from lax to strict. */
export const LIMIT_POLICIES = ['none', 'clamp', 'refuse'] as const;
export type LimitPolicy = (typeof LIMIT_POLICIES)[number];

/** What may change while commands are sent. */
export interface SessionSettings {
  /** seconds between commands */
  readonly period: number;
  readonly join: Join;
  readonly blendSteps: number;
  /** seconds */
  readonly deadline: number;
  readonly limits: LimitPolicy;
  /** seconds that the measured state may be old */
  readonly stateMaxAge: number;
}

export interface SessionOptions {
  readonly actions: BundleManifest['actions'];
  readonly settings: SessionSettings;
  /** where joint states come from, for sentences */
  readonly stateTopic: string;
  /** whether a publisher of chunks still exists */
  readonly alive: (source: string) => boolean;
  /** how a publisher is called in sentences */
  readonly nameOf: (source: string) => string;
}

/** A chunk as it has come. */
export interface ReceivedChunk extends ExecutableChunk {
  readonly episode: number;
  readonly chunk: number;
  readonly names: readonly string[];
  /** its publisher; empty where that is not known */
  readonly source: string;
}

/** Why a chunk that came was not followed. */
export type SessionRefusal = ChunkRefusal | 'names' | 'source';

export interface Refused {
  readonly reason: SessionRefusal;
  /** for a person */
  readonly sentence: string;
}

export type Mode = 'inactive' | 'waiting' | 'executing' | 'holding' | 'paused';

/** What is going on. */
export interface SessionState {
  readonly mode: Mode;
  /** why no motion is commanded; undefined while executing or inactive */
  readonly hold: HoldReason | undefined;
  /** the same for a person; empty while executing or inactive */
  readonly reason: string;
  /** the chunk that is being executed, or was last */
  readonly episode: number;
  readonly chunk: number;
  /** the action that was commanded last, and how many the chunk has */
  readonly step: number;
  readonly horizon: number;
  /** largest difference between the last two chunks where one took over from the other, before blending */
  readonly seamJump: number;
  /** seconds since the next chunk was due; 0 before */
  readonly overdue: number;
  /** the publisher whose chunks are followed; empty if none is, or it is not known */
  readonly source: string;
}

/** Why holding moves nothing, for a person; what is known of the robot's state is said by the state itself. */
const HOLD_TEXT: Readonly<Record<Exclude<HoldReason, 'no_state' | 'stale_state'>, string>> = {
  no_chunk: 'no chunk has come yet',
  not_yet: 'the chunk lies in the future; do the clocks agree?',
  deadline: 'no chunk has come in time (deadline)',
  horizon: 'the chunk has no action left',
  limits: 'the command lies outside the limits (safety.limits: refuse)',
  paused: 'paused on request',
};

const REFUSAL_TEXT: Readonly<Record<ChunkRefusal, string>> = {
  shape: 'its actions are not [horizon, action_names]',
  period: 'it was made for another control rate; set control.rate of policy and executor to the same',
  not_finite: 'it holds a number that is not finite',
  outdated: 'it was made from an older observation than the one being executed',
  expired: 'all its actions are in the past; inference takes longer than the horizon, or the clocks differ',
  future: 'it begins more than a step from now; the clocks differ',
  paused: 'the executor is paused',
};

/**
 * All that the action executor decides, without ROS: which chunks it follows, what it commands in each control step,
 * when it holds and what it says about it. Times are seconds of the clock that stamps are in.
 */
export class ExecutorSession {
  readonly #options: SessionOptions;
  readonly #names: readonly string[];
  readonly #executor: ChunkExecutor;
  readonly #measured: MeasuredState;
  readonly #binding = new SourceBinding();
  readonly #times: StepTimes;
  #settings: SessionSettings;
  #active = false;
  #taken: ReceivedChunk | undefined;
  #last: Command | undefined;
  #seamJump = 0;
  readonly #refused: Record<'names' | 'source', number> = { names: 0, source: 0 };

  /** @throws InputError if the bundle states no limits, or a setting makes no sense */
  constructor(options: SessionOptions) {
    const { actions, settings, stateTopic } = options;
    this.#options = options;
    this.#settings = settings;
    this.#names = actions.items.map(({ name }) => name);
    this.#executor = new ChunkExecutor(executorSettings(actions, settings));
    const needed = this.#executor.settings.dimensions.map(isPosition);
    this.#measured = new MeasuredState(this.#names, needed, stateTopic);
    this.#times = new StepTimes(settings.period);
  }

  /** Whether commands are being sent. */
  get active(): boolean {
    return this.#active;
  }

  /** Whether some actions are positions, so that nothing moves without joint states. */
  get needsState(): boolean {
    return this.#executor.needsState;
  }

  get paused(): boolean {
    return this.#executor.paused;
  }

  get settings(): SessionSettings {
    return this.#settings;
  }

  /** Counted since the session began, whatever was set or paused meanwhile. */
  get counts(): Omit<ExecutorCounts, 'chunksRefused'> & {
    readonly chunksRefused: Readonly<Record<SessionRefusal, number>>;
  } {
    const { chunksRefused, ...counts } = this.#executor.counts;
    return { ...counts, chunksRefused: { ...chunksRefused, ...this.#refused } };
  }

  /** Messages about the state that have come, and what was refused of them. */
  get stateCounts(): {
    readonly messages: number;
    readonly refused: Readonly<Record<StateRefusal, number>>;
  } {
    return { messages: this.#measured.messages, refused: this.#measured.refused };
  }

  /** How well steps come in time. */
  get jitter(): Jitter {
    return this.#times.jitter;
  }

  /** Begins to follow chunks, from where the robot is then. Nothing is sent before the first. */
  activate(): void {
    this.#executor.start();
    this.#measured.clear();
    this.#binding.release();
    this.#times.restart();
    this.#taken = undefined;
    this.#last = undefined;
    this.#active = true;
  }

  /**
   * Follows no chunk any more.
   * @returns what is to be sent once more: a displacement goes on until told otherwise; undefined if nothing is
   */
  deactivate(): Float64Array | undefined {
    const { dimensions } = this.#executor.settings;
    const still = dimensions.some(({ mode }) => mode === 'delta') ? this.#executor.standstill : undefined;
    const moved = this.#active ? still : undefined;
    this.#executor.start();
    this.#active = false;
    this.#last = undefined;
    return moved;
  }

  /** Holds from the next step on, and follows no chunk. */
  pause(): void {
    this.#executor.pause();
  }

  /** Follows the next chunk, from where the robot is then. */
  resume(): void {
    this.#executor.resume();
  }

  /** The clock has jumped back: chunks and states of the time before are forgotten. */
  timeJumped(): void {
    this.#executor.reset();
    this.#measured.clear();
    this.#binding.release();
    this.#times.restart();
    this.#taken = undefined;
  }

  /**
   * Why settings may not take effect: while the robot is being moved, limits only become stricter.
   * @returns a sentence, else undefined
   */
  problemWith(settings: SessionSettings): string | undefined {
    try {
      executorSettings(this.#options.actions, settings);
    } catch (error) {
      return messageOf(error);
    }
    const strictness = ({ limits }: SessionSettings): number => LIMIT_POLICIES.indexOf(limits);
    if (!this.#active || strictness(settings) >= strictness(this.#settings)) return undefined;
    return `safety.limits may only become stricter while the node is active (none, clamp, refuse): it is ${this.#settings.limits}; deactivate the node to set it to ${settings.limits}`;
  }

  /** Settings that hold from the next step on; counts and motion go on. @throws InputError as the constructor */
  apply(settings: SessionSettings): void {
    this.#executor.settings = executorSettings(this.#options.actions, settings);
    if (settings.period !== this.#times.period) this.#times.restart(settings.period);
    this.#settings = settings;
  }

  /**
   * Follows a chunk from now on, or says why not.
   * @returns the refusal, else how the timer of steps is to be set; `shift` is undefined if it is in phase
   */
  take(
    chunk: ReceivedChunk,
    now: number,
  ): { readonly refused: Refused } | { readonly shift: TimerShift | undefined } {
    if (chunk.names.join('\0') !== this.#names.join('\0')) {
      return this.#refuse(
        'names',
        `its actions are ${chunk.names.join(', ')}, the bundle's ${this.#names.join(', ')}`,
      );
    }
    const before = this.#taken;
    const heard = this.#binding.judge(chunk.source, now, this.#options.alive);
    if (heard === 'other') {
      const { nameOf } = this.#options;
      return this.#refuse(
        'source',
        `it is from ${nameOf(chunk.source)}, and those of ${nameOf(this.#binding.bound ?? '')} are followed; another is followed when that one is gone or silent for ${SOURCE_SILENCE} s`,
      );
    }
    const anew = heard === 'new' || (before !== undefined && before.episode !== chunk.episode);
    const reason = this.#executor.accept(chunk, now, anew);
    if (reason !== undefined) return { refused: { reason, sentence: sentence(chunk, REFUSAL_TEXT[reason]) } };
    this.#binding.follow(chunk.source, now);
    this.#seamJump = anew || !before ? 0 : seamJump(before, chunk, this.#names.length, now);
    this.#taken = chunk;
    return { shift: this.#times.follow(chunk.stamp, now) };
  }

  /** Hears where joints are. @param received seconds */
  hearJoints(joints: JointPositions, received: number): void {
    this.#measured.take(joints, received, this.#settings.stateMaxAge);
  }

  /** A message came in place of joints that cannot be read. */
  hearUnreadable(): void {
    this.#measured.refuseUnreadable();
  }

  /** The control step that the timer has come for at `now`. Call it once for each. */
  step(now: number): Command {
    const state = this.needsState ? this.stateAt(now) : undefined;
    this.#last = this.#executor.command(this.#times.step(now), state);
    return this.#last;
  }

  /** Where the robot is, as far as joint states say. */
  stateAt(now: number): StateReport {
    return this.#measured.at(now, this.#settings.stateMaxAge);
  }

  /** Publishers that send chunks too and are not followed. */
  otherSources(now: number): readonly string[] {
    return this.#binding.others(now);
  }

  stateOf(now: number): SessionState {
    const last = this.#last;
    const hold = this.#active
      ? this.paused
        ? 'paused'
        : (last?.reason ?? (last ? undefined : 'no_chunk'))
      : undefined;
    const taken = this.#taken;
    return {
      mode: this.#modeFor(hold),
      hold,
      reason: hold === undefined ? '' : this.holdText(hold, now),
      episode: taken?.episode ?? 0,
      chunk: taken?.chunk ?? 0,
      step: last?.index ?? 0,
      horizon: taken ? taken.actions.length / this.#names.length : 0,
      seamJump: this.#seamJump,
      overdue: Math.max(0, last?.overdue ?? 0),
      source: this.#binding.bound ?? '',
    };
  }

  /** Why nothing moves, for a person. */
  holdText(reason: HoldReason, now: number): string {
    return reason === 'no_state' || reason === 'stale_state'
      ? this.stateAt(now).problem || 'where the robot is was not known'
      : HOLD_TEXT[reason];
  }

  #modeFor(hold: HoldReason | undefined): Mode {
    if (!this.#active) return 'inactive';
    if (hold === undefined) return 'executing';
    if (hold === 'paused') return 'paused';
    return hold === 'no_chunk' ? 'waiting' : 'holding';
  }

  #refuse(reason: 'names' | 'source', why: string): { readonly refused: Refused } {
    this.#refused[reason] += 1;
    return { refused: { reason, sentence: `a chunk was refused: ${why}` } };
  }
}

function executorSettings(
  actions: BundleManifest['actions'],
  { period, join, blendSteps, deadline, limits }: SessionSettings,
): ExecutorSettings {
  return {
    dimensions: commandDimensions(limits === 'none' ? { ...actions, limits: 'none' } : actions),
    period,
    join,
    blendSteps,
    deadline,
    limitPolicy: limits === 'refuse' ? 'refuse' : 'clamp',
  };
}

function sentence({ chunk }: ReceivedChunk, why: string): string {
  return `chunk ${chunk} was refused: ${why}`;
}

/** The largest difference of the action due at `time` between two chunks; 0 where one has none. */
function seamJump(old: ExecutableChunk, next: ExecutableChunk, width: number, time: number): number {
  const row = ({ stamp, period, actions }: ExecutableChunk): Float32Array => {
    const k = Math.max(0, Math.floor((time - stamp) / period));
    return actions.subarray(k * width, (k + 1) * width);
  };
  const [a, b] = [row(old), row(next)];
  return a.length === b.length
    ? a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? value))), 0)
    : 0;
}
