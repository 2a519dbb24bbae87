import { messageOf } from '../../errors';
import { LEVEL } from '../node/Diagnostics';
import type { Status } from '../node/Diagnostics';
import { decodeMessage } from '../client/decodeMessage';

export const COMMAND_TYPE = 'std_msgs/msg/Float64MultiArray';

/** Control steps for which a command counts: one that comes a little late leaves no gap. */
const LIFE = 2;

/** Why a command does not move the robot. */
export type CommandRefusal = 'unreadable' | 'size' | 'not_finite';

export interface RobotCommandsOptions {
  /** what a command holds, in this order */
  readonly names: readonly string[];
  /** told of each command that is refused */
  readonly onRefused: (kind: CommandRefusal, sentence: string) => void;
}

/** The commands of a robot: what is not one is refused, counted and explained, and moves nothing. */
export class RobotCommands {
  readonly #options: RobotCommandsOptions;
  readonly #refused: Record<CommandRefusal, number> = { unreadable: 0, size: 0, not_finite: 0 };
  #accepted = 0;
  #withoutCommand = 0;
  #problem = '';
  /** counts at the last status */
  #reported = 0;
  #current: { readonly values: Float64Array; steps: number } | undefined;

  constructor(options: RobotCommandsOptions) {
    this.#options = options;
  }

  /** Commands that were good. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Takes a message's bytes, whatever they are. */
  take(message: Uint8Array): void {
    const { names } = this.#options;
    let values: Float64Array;
    try {
      ({ data: values } = decodeMessage.vector(COMMAND_TYPE, message) as { data: Float64Array });
    } catch (error) {
      this.#refuse('unreadable', `is not a ${COMMAND_TYPE}: ${messageOf(error)}`);
      return;
    }
    const wrong = values.findIndex((value) => !Number.isFinite(value));
    if (values.length !== names.length) {
      this.#refuse('size', `has ${values.length} numbers, expected ${names.length} (${names.join(', ')})`);
    } else if (wrong >= 0) {
      this.#refuse('not_finite', `has ${values[wrong]} as ${names[wrong]}`);
    } else {
      this.#accepted += 1;
      this.#current = { values, steps: LIFE };
    }
  }

  /** What is commanded in the control step that begins now; undefined if the last command is too old. */
  next(): Float64Array | undefined {
    const current = this.#current;
    if (current === undefined || current.steps === 0) {
      if (this.#accepted > 0) this.#withoutCommand += 1;
      return undefined;
    }
    current.steps -= 1;
    return current.values;
  }

  /** What was commanded no longer counts: another episode has begun. */
  forget(): void {
    this.#current = undefined;
  }

  /**
   * @param others types that the topic is published with and that never arrive here
   * @param publishers of commands of the right type
   */
  status(topic: string, others: readonly string[], publishers: number): Status {
    const refused = Object.values(this.#refused).reduce((total, count) => total + count, 0);
    const news = refused > this.#reported;
    this.#reported = refused;
    const [other] = others;
    const wrongType =
      other === undefined
        ? undefined
        : `${topic} is published as ${other}, which never arrives: expected ${COMMAND_TYPE}`;
    const problem = news ? this.#problem : wrongType;
    return {
      name: 'Commands',
      level: problem === undefined ? LEVEL.ok : LEVEL.warn,
      message: problem ?? (this.#accepted > 0 ? 'commands are followed' : 'no command has come yet'),
      values: {
        accepted: this.#accepted,
        'control steps without a command': this.#withoutCommand,
        ...Object.fromEntries(Object.entries(this.#refused).map(([kind, n]) => [`refused, ${kind}`, n])),
        'last refused': this.#problem,
        publishers,
      },
    };
  }

  #refuse(kind: CommandRefusal, sentence: string): void {
    this.#refused[kind] += 1;
    this.#problem = `a command ${sentence}; it was not followed`;
    this.#options.onRefused(kind, this.#problem);
  }
}
