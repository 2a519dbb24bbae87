import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../errors';
import { lockFolder } from '../formats/folderLock';
import { makeOutputFolder } from '../formats/outputFolder';
import { writeAtomically } from '../formats/writeAtomically';
import { demonstrate } from './demonstrationEpisode';
import { demonstratorRollout } from './demonstrator';
import { Random } from './Random';
import { StateShard } from './StateShard';
import { CONTROL_RATE, SPEEDS, type SpeedName } from './speeds';
import { SUITES, TASKS, type Suite } from './tasks';

/** Keeps demonstrations apart from the episodes of an evaluation with the same seed. */
const DEMONSTRATION_STREAM = 2;
/** Actions in a label. */
export const LABEL_HORIZON = 32;
export const MANIFEST_NAME = 'demos.json';

export interface DemonstrationOptions {
  /** Episodes, over the tasks of the suites in turn. */
  readonly episodes: number;
  readonly seed: number;
  readonly speed: SpeedName;
  /** all by default */
  readonly suites?: readonly Suite[];
  /** States in a file; 8192 by default, 70 MB. */
  readonly shardStates?: number;
  /** Replace an existing data set. */
  readonly overwrite?: boolean;
  /** Called after each episode. */
  readonly onProgress?: (progress: { readonly episodes: number; readonly states: number }) => void;
}

/** Mean and standard deviation (of the population) of each dimension. */
export interface Moments {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Content of `demos.json`. */
export interface DemonstrationManifest {
  readonly format: 'fast-wam-demonstrations';
  readonly version: 1;
  readonly seed: number;
  readonly speed: SpeedName;
  readonly control_rate: number;
  readonly episodes: number;
  readonly states: number;
  readonly horizon: number;
  /** file names, relative to the folder, with the number of states in each */
  readonly shards: readonly { readonly file: string; readonly states: number }[];
  /** by task number: suite, instruction, and how many states there are of it */
  readonly tasks: readonly {
    readonly suite: Suite;
    readonly instruction: string;
    readonly states: number;
  }[];
  /** over all states: of every action of the labels, and of the proprioception */
  readonly statistics: { readonly actions: Moments; readonly proprio: Moments };
}

/**
 * Writes demonstrations to train a policy on: states that a noisy demonstrator comes through (see demonstrationEpisode), each
 * labelled with the 32 actions that the noise-free demonstrator would do from there.
 *
 * The folder then holds shards `states-00000.safetensors`, `states-00001.safetensors`, ... (layout: see StateShard) and
 * last of all `demos.json` (DemonstrationManifest), whose presence says that the data set is whole. The same options
 * give the same bytes.
 *
 * @param out folder, made if it does not exist
 * @throws UsageError if the options make no sense, the folder already holds a data set, or another process writes into it
 */
export function writeDemonstrations(out: string, options: DemonstrationOptions): DemonstrationManifest {
  const { episodes, suites = SUITES, shardStates = 8192 } = options;
  if (!Number.isInteger(episodes) || episodes < 1) {
    throw new UsageError(`episodes is ${episodes}; expected an integer from 1`);
  }
  if (!Number.isInteger(shardStates) || shardStates < 1) {
    throw new UsageError(`states in a shard are ${shardStates}; expected an integer from 1`);
  }
  const tasks = TASKS.filter(({ suite }) => suites.includes(suite));
  if (tasks.length === 0) throw new UsageError(`no suite chosen; give at least one of ${SUITES.join(', ')}`);
  makeOutputFolder(out);
  const release = lockFolder(out, { blocking: true });
  try {
    return writeDataSet(out, tasks, { ...options, shardStates });
  } finally {
    release();
  }
}

function writeDataSet(
  out: string,
  tasks: typeof TASKS,
  {
    episodes,
    seed,
    speed,
    shardStates,
    overwrite,
    onProgress,
  }: DemonstrationOptions & { readonly shardStates: number },
): DemonstrationManifest {
  const manifestPath = join(out, MANIFEST_NAME);
  if (existsSync(manifestPath)) {
    if (!overwrite) {
      throw new UsageError(
        `${out} already holds demonstrations; replace them with --overwrite, or choose another --out`,
      );
    }
    // Until the new one is whole there is none.
    rmSync(manifestPath);
  }
  const shards: { file: string; states: number }[] = [];
  const statesOfTask = new Array<number>(TASKS.length).fill(0);
  const actionMoments = new MomentSum(3);
  const proprioMoments = new MomentSum(3);
  const shard = new StateShard(shardStates, LABEL_HORIZON);
  let states = 0;
  const flush = (): void => {
    if (shard.count === 0) return;
    const file = `states-${String(shards.length).padStart(5, '0')}.safetensors`;
    shards.push({ file, states: shard.count });
    shard.write(join(out, file), { seed: String(seed), speed, shard: String(shards.length - 1) });
    shard.clear();
  };

  for (let episode = 0; episode < episodes; episode++) {
    const task = tasks[episode % tasks.length];
    if (!task) continue;
    demonstrate(task, SPEEDS[speed], new Random(seed, episode, DEMONSTRATION_STREAM), (world) => {
      const label = demonstratorRollout(world, LABEL_HORIZON);
      actionMoments.add(label);
      proprioMoments.add(world.proprio());
      shard.add(world, label);
      statesOfTask[task.index] = (statesOfTask[task.index] ?? 0) + 1;
      states++;
      if (shard.isFull) flush();
    });
    onProgress?.({ episodes: episode + 1, states });
  }
  flush();

  const manifest: DemonstrationManifest = {
    format: 'fast-wam-demonstrations',
    version: 1,
    seed,
    speed,
    control_rate: CONTROL_RATE,
    episodes,
    states,
    horizon: LABEL_HORIZON,
    shards,
    tasks: TASKS.map(({ suite, instruction, index }) => ({
      suite,
      instruction,
      states: statesOfTask[index] ?? 0,
    })),
    statistics: { actions: actionMoments.moments(), proprio: proprioMoments.moments() },
  };
  writeAtomically(manifestPath, (sink) => sink.write(Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)));
  return manifest;
}

/** Running mean and variance of each dimension of rows (Welford 1962: no cancellation). */
class MomentSum {
  readonly #mean: Float64Array;
  readonly #squares: Float64Array;
  #count = 0;

  constructor(private readonly width: number) {
    this.#mean = new Float64Array(width);
    this.#squares = new Float64Array(width);
  }

  add(rows: Float32Array): void {
    for (let at = 0; at < rows.length; at += this.width) {
      this.#count++;
      for (let i = 0; i < this.width; i++) {
        const value = rows[at + i] ?? 0;
        const off = value - (this.#mean[i] ?? 0);
        this.#mean[i] = (this.#mean[i] ?? 0) + off / this.#count;
        this.#squares[i] = (this.#squares[i] ?? 0) + off * (value - (this.#mean[i] ?? 0));
      }
    }
  }

  moments(): Moments {
    return {
      mean: Array.from(this.#mean),
      std: Array.from(this.#squares, (squares) => Math.sqrt(squares / this.#count)),
    };
  }
}
