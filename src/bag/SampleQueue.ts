import type { BagSample } from './types';
import type { RecordedCommands } from './RecordedCommands';

/** A sample in its place; an observation waits for the commands that follow it. */
interface Waiting {
  readonly sample: BagSample;
  readonly stamp: bigint;
  readonly until: bigint;
}

/** Samples of a recording in their order, each held back until the commands that belong to it have been read. */
export class SampleQueue {
  readonly #waiting: Waiting[] = [];
  readonly #commands: RecordedCommands | undefined;

  /** @param commands those of the recording; without them nothing waits for longer than its own time */
  constructor(commands: RecordedCommands | undefined) {
    this.#commands = commands;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /**
   * @param stamp of the observation, nanoseconds
   * @param time when the sample was due, nanoseconds
   */
  add(sample: BagSample, stamp: bigint, time: bigint): void {
    const until = sample.kind === 'observation' ? this.#commands?.lastTime(stamp) : undefined;
    this.#waiting.push({ sample, stamp, until: until ?? time });
  }

  /**
   * Takes out the samples whose commands have all been read, with those commands.
   *
   * @param time up to which the recording has been read; all samples without it
   * @param end commands from here on belong to another episode
   */
  *released(time?: bigint, end?: bigint): Generator<BagSample, void, void> {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (time !== undefined && first.until >= time) return;
      this.#waiting.shift();
      const { sample, stamp } = first;
      const recordedAction = sample.kind === 'observation' ? this.#commands?.at(stamp, end) : undefined;
      this.#commands?.forgetBefore(stamp);
      yield sample.kind === 'observation' && recordedAction ? { ...sample, recordedAction } : sample;
    }
  }
}
