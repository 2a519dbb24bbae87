import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Bundle } from '../bundle/Bundle';
import type { Configuration } from '../cache/choice';
import { InputError, UsageError } from '../errors';
import type { ExecutionOptions } from '../model/execution';
import type { Sampler } from '../sampler/types';
import { planEpisodes, planFromInitialStates, type EpisodePlan, type EpisodeSelection } from './episodes';
import type { EpisodeRecord, RunIdentity, RunPart } from './episodeRecord';
import { RangedFile } from '../formats/RangedFile';
import { EpisodeLog } from './EpisodeLog';
import { readInitialStates } from './initialStates';
import { CAMERA_SIZE, FRAME_WIDTH } from './renderer';
import { runConfigurations } from './runConfigurations';
import { ofShard, type Shard } from './shards';
import { SUITES, TASKS, type Suite } from './tasks';

/** File in the output folder that holds the episodes. */
export const EPISODES_NAME = 'episodes.jsonl';
/** Episodes of a run where nobody says how many. */
export const DEFAULT_EPISODES = 40;

export interface SimulationRequest {
  readonly bundle: Bundle;
  readonly execution: Partial<ExecutionOptions>;
  /** the uncached one first, if speed-up is asked for */
  readonly configurations: readonly Configuration[];
  readonly selection: EpisodeSelection;
  /** default: all whose instructions the bundle knows */
  readonly suites?: readonly Suite[];
  /** default: 40, or all of the initial states */
  readonly episodes?: number;
  /** safetensors file of states to start from */
  readonly initialStates?: string;
  readonly sampler: Sampler;
  /** copies of the model that work side by side */
  readonly jobs: number;
  /** where episodes are kept; nowhere if absent */
  readonly out?: string;
  /** the part of the run to do, and what its file says of who does it */
  readonly shard?: Shard & Pick<RunPart, 'engine' | 'machines'>;
  /** continue what `out` holds */
  readonly resume?: boolean;
  /** begin anew, whatever `out` holds */
  readonly overwrite?: boolean;
  /** told once how many episodes there are in all and how many of them are known already */
  readonly onStart?: (total: number, done: number) => void;
  /** called as each episode ends, with how many have ended */
  readonly onProgress?: (done: number) => void;
  readonly onNotice?: (notice: string) => void;
  readonly signal?: AbortSignal;
}

export interface SimulationOutcome {
  readonly plans: readonly EpisodePlan[];
  readonly configurations: readonly Configuration[];
  /** by configuration, then by episode; fewer than planned if the run was stopped */
  readonly records: readonly EpisodeRecord[];
}

/**
 * Runs episodes of the simulated world through a bundle, all configurations on the same ones.
 *
 * @throws UsageError for what was asked wrongly, InputError for a bundle that is not of this world, before a model is
 * loaded; whatever the engine throws
 */
export async function simulate(request: SimulationRequest): Promise<SimulationOutcome> {
  const { bundle, configurations } = request;
  checkSimulatedBundle(bundle);
  const all = plansOf(request);
  const run = identity(request);
  const { shard } = request;
  const plans = shard ? ofShard(all, run, shard) : all;
  const wanted = new Set(plans.map(({ index }) => index));
  const names = new Set(configurations.map(({ name }) => name));
  const ofThisRun = ({ configuration, episode }: EpisodeRecord): boolean =>
    names.has(configuration) && wanted.has(episode);

  if (request.out !== undefined && request.overwrite)
    rmSync(join(request.out, EPISODES_NAME), { force: true });
  const log =
    request.out === undefined
      ? undefined
      : EpisodeLog.open(
          join(request.out, EPISODES_NAME),
          run,
          configurations,
          request.resume === true,
          shard && {
            shards: [shard.index],
            of: shard.of,
            episodes: all.map(({ index }) => index),
            engine: shard.engine,
            machines: shard.machines,
          },
        );
  const known = log?.records ?? [];
  const records = known.filter(ofThisRun);
  const beyond = known.filter(({ configuration }) => names.has(configuration)).length - records.length;
  if (beyond > 0) {
    request.onNotice?.(
      `${beyond} episodes of this run lie beyond --episodes ${request.episodes ?? plans.length}: they stay in ${EPISODES_NAME}, and the report leaves them out`,
    );
  }
  const others = [...new Set(known.map(({ configuration }) => configuration))].filter(
    (name) => !names.has(name),
  );
  if (others.length > 0) {
    request.onNotice?.(
      `${EPISODES_NAME} also holds episodes of ${others.join(', ')}: they stay there, and the report leaves them out; ask for them too to have them in it`,
    );
  }
  const key = (configuration: string, episode: number): string => `${episode} ${configuration}`;
  const done = new Set(records.map(({ configuration, episode }) => key(configuration, episode)));
  request.onStart?.(plans.length * configurations.length, records.length);
  await runConfigurations({
    bundle: bundle.folder,
    execution: request.execution,
    configurations,
    plans,
    sampler: request.sampler,
    replanSteps: bundle.manifest.control.replan_steps,
    jobs: request.jobs,
    isDone: (configuration, episode) => done.has(key(configuration, episode)),
    onRecord: (record) => {
      log?.append(record);
      records.push(record);
      request.onProgress?.(records.length);
    },
    ...(request.onNotice && { onNotice: request.onNotice }),
    ...(request.signal && { signal: request.signal }),
  });
  const order = configurations.map(({ name }) => name);
  records.sort(
    (a, b) => order.indexOf(a.configuration) - order.indexOf(b.configuration) || a.episode - b.episode,
  );
  return { plans, configurations, records };
}

/** The episodes that are asked for: task by task of the suites in turn, or those of the file. */
export function plansOf({
  bundle,
  suites = knownSuites(bundle),
  episodes,
  initialStates,
  selection,
}: Pick<
  SimulationRequest,
  'bundle' | 'suites' | 'episodes' | 'initialStates' | 'selection'
>): readonly EpisodePlan[] {
  const given =
    initialStates === undefined
      ? planEpisodes(episodes ?? DEFAULT_EPISODES, suites, selection)
      : planFromInitialStates(readInitialStates(initialStates), selection)
          .filter(({ task }) => suites.includes(task.suite))
          .slice(0, episodes);
  if (given.length === 0) {
    throw new UsageError(
      initialStates === undefined
        ? 'no episodes: --episodes must be at least 1'
        : `${initialStates} holds no episode of ${suites.join(', ')}`,
    );
  }
  for (const { instruction } of new Set(given.map(({ task }) => task))) bundle.context(instruction);
  return given;
}

/** The suites whose every instruction the bundle has a text context for. */
export function knownSuites(bundle: Bundle): readonly Suite[] {
  return SUITES.filter((suite) =>
    TASKS.filter((task) => task.suite === suite).every(({ instruction }) => bundle.knows(instruction)),
  );
}

/** @throws InputError if the bundle's model cannot act in this world */
export function checkSimulatedBundle({ folder, dimensions: d }: Bundle): void {
  const fits = d.height === CAMERA_SIZE && d.width === FRAME_WIDTH && d.actionDim === 3 && d.proprioDim === 3;
  if (!fits) {
    throw new InputError(
      `${folder}: a model with images of ${d.height} × ${d.width}, ${d.actionDim} actions and ${d.proprioDim} proprioception values cannot act in the simulated world, ` +
        `which has ${CAMERA_SIZE} × ${FRAME_WIDTH}, 3 and 3; use a bundle trained in it, such as bundles/tabletop`,
    );
  }
}

function identity(request: SimulationRequest): RunIdentity {
  const { bundle, selection, sampler, initialStates } = request;
  return {
    format: 'fast-wam-episodes',
    version: 1,
    model: bundle.manifest.weights.policy.fingerprint,
    seed: selection.seed,
    speed: selection.speed,
    condition: selection.condition,
    suites: [...(request.suites ?? knownSuites(bundle))],
    ...(initialStates !== undefined && { initial_states: sha256(initialStates) }),
    noise: sampler.noise,
    noise_seed: sampler.seed,
    replan_steps: bundle.manifest.control.replan_steps,
  };
}

const sha256 = (path: string): string =>
  createHash('sha256')
    .update(RangedFile.reading(path, (file) => file.read(0, file.size, 'the states')))
    .digest('hex');
