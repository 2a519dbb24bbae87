import type { BagSample } from '../bag/observations';
import { InputError } from '../errors';
import { toSeconds } from '../observation/stamp';
import type { Refusal } from '../observation/Refusal';
import type { Observation } from '../policy/types';
import type { ReplayObservation } from './replay';
import type { Warning, WarningKind } from './types';

export interface RecordedOptions {
  /** bare task text, where the recording has none */
  readonly instruction?: string;
  /** stop after so many observations */
  readonly limit?: number;
  /** actions of a chunk and values of one: recorded actions of another width cannot be compared */
  readonly horizon: number;
  readonly actionDim: number;
  /** told of every sample that was not fit to act on, and of recorded actions that do not fit */
  readonly onWarning: (warning: Warning) => void;
}

const KINDS: Readonly<Partial<Record<Refusal['kind'], WarningKind>>> = { stale: 'stale', skewed: 'skew' };

/**
 * The samples of a recording as a replay takes them. A sample that the node would refuse is left out, with a warning
 * at its time: nothing is dropped silently. Chunks are numbered as they are computed, so that the chunk after a gap
 * follows the one before it, as it does in the node.
 *
 * @throws InputError where nothing says what the task is
 */
export async function* recordedObservations(
  samples: AsyncIterable<BagSample>,
  options: RecordedOptions,
): AsyncGenerator<ReplayObservation<Observation>, void, void> {
  let count = 0;
  let start: bigint | undefined;
  let mismatch = false;
  for await (const sample of samples) {
    if (sample.kind === 'skipped') {
      for (const { kind, message } of sample.refusals) {
        options.onWarning({
          kind: KINDS[kind] ?? 'dropped',
          time: sample.time,
          message: `no chunk: ${message}`,
        });
      }
      continue;
    }
    if (options.limit !== undefined && count >= options.limit) return;
    count += 1;
    const instruction = options.instruction ?? sample.instruction;
    if (instruction === undefined) {
      throw new InputError(
        'the recording does not say the task; set `instruction` in the params file, or give --instruction',
      );
    }
    // Seconds of the epoch as a double resolve 0.2 µs; relative to the first stamp they resolve all of it.
    start ??= sample.stamp;
    const { recordedAction } = sample;
    const fits = recordedAction?.length === options.horizon * options.actionDim;
    if (recordedAction && !fits && !mismatch) {
      mismatch = true;
      options.onWarning({
        kind: 'recording',
        message: `the recorded commands are not ${options.actionDim} values each, as the actions of the bundle are; they are not compared (commands.joints in the params file)`,
      });
    }
    yield {
      facts: {
        episode: sample.episode,
        chunk: sample.chunk,
        time: sample.time,
        instruction,
        sources: sample.ages,
        skew: sample.skew,
        ...(fits && { recorded: recordedAction }),
      },
      observation: {
        cameras: new Map([...sample.frames].map(([name, frame]) => [name, frame.value])),
        proprio: sample.proprio,
        stamp: toSeconds(sample.stamp - start),
        instruction,
      },
    };
  }
}
