import { decodeFrames } from '../bag/observations';
import type { BagObservation, BagSample } from '../bag/types';
import { InputError, messageOf } from '../errors';
import { PictureWatch } from '../observation/PictureWatch';
import type { StillPicture } from '../observation/PictureWatch';
import { toSeconds } from '../observation/stamp';
import type { RgbImage } from '../observation/types';
import type { Refusal } from '../observation/Refusal';
import type { Observation } from '../policy/types';
import type { ReplayObservation } from './replay';
import type { Warning, WarningKind } from './types';

/** What says whether a task can be run. */
export interface KnownTasks {
  knows(task: string): boolean;
  /** the sentence for a task that it does not know, with what it knows */
  unknownTask(task: string): string;
}

export interface RecordedOptions {
  /** bare task text, in place of the recording's */
  readonly instruction?: string;
  /** the tasks of the bundle; samples of others are left out */
  readonly tasks: KnownTasks;
  /** stop after so many observations */
  readonly limit?: number;
  /** actions of a chunk and values of one: recorded actions of another width cannot be compared */
  readonly horizon: number;
  readonly actionDim: number;
  /** how long a camera may repeat a picture, as the node's `observation.max_frozen`; default 0, as long as it likes */
  readonly maxFrozen?: number;
  /** told of every sample that is used, in their order */
  readonly onUsed?: (sample: BagObservation) => void;
  /** told of every sample that was not fit to act on, and of recorded actions that do not fit */
  readonly onWarning: (warning: Warning) => void;
}

const KINDS: Readonly<Partial<Record<Refusal['kind'], WarningKind>>> = { stale: 'stale', skewed: 'skew' };

const NO_TASK =
  'the recording does not say the task up to here; if it never does, set `instruction` in the params file, or give --instruction';

/**
 * The samples of a recording as a replay takes them. A sample that the node would refuse (too old, a picture that
 * cannot be read, a task that the bundle has no context for) is left out, with a warning at its time: nothing is
 * dropped silently, and the rest is used. Chunks are numbered as they are computed, so that the chunk after a gap
 * follows the one before it, as it does in the node.
 *
 * @throws InputError for a task given in `options` that the bundle does not know
 */
export async function* recordedObservations(
  samples: AsyncIterable<BagSample>,
  options: RecordedOptions,
): AsyncGenerator<ReplayObservation<Observation>, void, void> {
  const given = options.instruction === undefined ? undefined : known(options.tasks, options.instruction);
  const { maxFrozen = 0 } = options;
  const watch = new PictureWatch();
  let count = 0;
  let start: bigint | undefined;
  let mismatch = false;
  let episode: { readonly number: number; chunks: number } | undefined;
  for await (const sample of samples) {
    const leaveOut = (kind: WarningKind, message: string): void => {
      options.onWarning({ kind, time: sample.time, message: `no chunk: ${message}` });
    };
    if (sample.kind === 'skipped') {
      for (const { kind, message } of sample.refusals) leaveOut(KINDS[kind] ?? 'dropped', message);
      continue;
    }
    if (options.limit !== undefined && count >= options.limit) return;
    const instruction = given ?? taskOf(sample, options.tasks);
    if (instruction === undefined) {
      const { instruction: task } = sample;
      leaveOut('dropped', task === undefined ? NO_TASK : options.tasks.unknownTask(task.trim()));
      continue;
    }
    // Seconds of the epoch as a double resolve 0.2 µs; relative to the first stamp they resolve all of it.
    start ??= sample.stamp;
    const stamp = toSeconds(sample.stamp - start);
    const pictures = await decoded(sample);
    const problem = typeof pictures === 'string' ? pictures : undefined;
    const still =
      typeof pictures === 'string' ? [] : stillPictures(watch, pictures, sample, stamp, maxFrozen);
    const unfit = problem ?? still.find(({ refused }) => refused)?.message;
    if (unfit !== undefined) {
      leaveOut('dropped', unfit);
      continue;
    }
    count += 1;
    options.onUsed?.(sample);
    for (const message of [...still.map((one) => one.message), ...sample.doubts])
      options.onWarning({ kind: 'other', time: sample.time, message });
    if (episode?.number !== sample.episode) episode = { number: sample.episode, chunks: 0 };
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
        chunk: episode.chunks++,
        time: sample.time,
        instruction,
        sources: sample.ages,
        skew: sample.skew,
        ...(fits && { recorded: recordedAction }),
      },
      observation: {
        cameras: new Map([...sample.frames].map(([name, frame]) => [name, frame.value])),
        proprio: sample.proprio,
        stamp,
        instruction,
      },
    };
  }
}

/** The task of a sample as the bundle knows it; white space around it does not matter. */
function taskOf({ instruction }: BagObservation, tasks: KnownTasks): string | undefined {
  return [instruction, instruction?.trim()].find((task) => task !== undefined && tasks.knows(task));
}

function known(tasks: KnownTasks, task: string): string {
  const found = [task, task.trim()].find((one) => tasks.knows(one));
  if (found === undefined) throw new InputError(tasks.unknownTask(task));
  return found;
}

/** The cameras of a sample that have shown the same for so long that one should know, as the node would find them. */
function stillPictures(
  watch: PictureWatch,
  pictures: ReadonlyMap<string, RgbImage>,
  { proprio }: BagObservation,
  stamp: number,
  maxFrozen: number,
): readonly StillPicture[] {
  return [...pictures].flatMap(
    ([camera, picture]) => watch.see(camera, picture, stamp, proprio, maxFrozen) ?? [],
  );
}

/** The pictures of a sample, or why one cannot be used. The engine decodes them anew, and is timed. */
async function decoded(sample: BagObservation): Promise<ReadonlyMap<string, RgbImage> | string> {
  try {
    return await decodeFrames(sample);
  } catch (error) {
    if (error instanceof InputError) return messageOf(error);
    throw error;
  }
}
