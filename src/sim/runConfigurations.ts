import type { Configuration, PolicySettings } from '../cache/choice';
import type { ExecutionOptions } from '../model/execution';
import { PolicyClient, type EpisodeHandle } from '../policy/PolicyClient';
import type { Sampler } from '../sampler/types';
import { REFERENCE_LOOP, runEpisode, type LoopOptions } from './closedLoop';
import { startWorld, type EpisodePlan } from './episodes';
import { recordOf, type EpisodeRecord } from './episodeRecord';
import { policySource } from './policySource';
import { colourise, renderIndices } from './renderer';

export interface SimulationOptions {
  /** folder of a bundle */
  readonly bundle: string;
  readonly execution: Partial<ExecutionOptions>;
  readonly configurations: readonly Configuration[];
  readonly plans: readonly EpisodePlan[];
  readonly sampler: Sampler;
  readonly replanSteps: number;
  /** copies of the model that work side by side */
  readonly jobs: number;
  /** whether an episode of a configuration is known already */
  readonly isDone?: (configuration: string, episode: number) => boolean;
  /** called as each episode ends */
  readonly onRecord: (record: EpisodeRecord) => void;
  /** what the engine has to say when it is loaded */
  readonly onNotice?: (notice: string) => void;
  /** stops after the episodes in progress */
  readonly signal?: AbortSignal;
}

/**
 * Runs every configuration on the same episodes. An episode is run by one copy of the model with all its
 * configurations one after the other, each time another one first, so that what slows the machine slows all of them,
 * and a run that is broken off has the same episodes of each. Warm-up is in no figure: each copy first computes two
 * chunks with each configuration and throws them away.
 *
 * @throws whatever the engine throws; the first error stops all copies
 */
export async function runConfigurations(options: SimulationOptions): Promise<void> {
  const { configurations, isDone } = options;
  const missing = (plan: EpisodePlan): Configuration[] => {
    const turn = plan.index % configurations.length;
    return [...configurations.slice(turn), ...configurations.slice(0, turn)].filter(
      ({ name }) => isDone?.(name, plan.index) !== true,
    );
  };
  const queue = options.plans
    .map((plan) => ({ plan, configurations: missing(plan) }))
    .filter((job) => job.configurations.length > 0);
  const [first] = queue;
  if (!first) return;

  const failed = new AbortController();
  const work = async (copy: number): Promise<void> => {
    const client = await PolicyClient.load(options.bundle, { execution: options.execution });
    try {
      if (copy === 0) client.loaded.notices.forEach((notice) => options.onNotice?.(notice));
      const model = await ModelCopy.open(client, options);
      await model.warmUp(first.plan);
      for (let job = queue.shift(); job; job = queue.shift()) {
        for (const configuration of job.configurations) {
          if (failed.signal.aborted || options.signal?.aborted) return;
          options.onRecord(await model.run(job.plan, configuration));
        }
      }
    } catch (error) {
      failed.abort();
      throw error;
    } finally {
      await client.close();
    }
  };
  const copies = Array.from({ length: Math.min(options.jobs, queue.length) }, (_, copy) => work(copy));
  for (const outcome of await Promise.allSettled(copies)) {
    if (outcome.status === 'rejected') throw outcome.reason;
  }
}

/**
 * The noise of one episode of a plan. Which episode is an engine's how manieth depends on how many copies share the work,
 * so `episode` goes by the number in the plan.
 */
export function samplerOf({ noise, seed }: Sampler, { index }: EpisodePlan): Sampler {
  return noise === 'episode' ? { noise: 'fixed', seed: seed + index } : { noise, seed };
}

/** One copy of the model, with an episode handle (and so a cache) for each configuration. */
export class ModelCopy {
  private constructor(
    private readonly handles: ReadonlyMap<string, EpisodeHandle>,
    private readonly options: Pick<SimulationOptions, 'configurations' | 'sampler' | 'replanSteps'>,
  ) {}

  static async open(
    client: PolicyClient,
    options: Pick<SimulationOptions, 'configurations' | 'sampler' | 'replanSteps'>,
  ): Promise<ModelCopy> {
    const handles = new Map<string, EpisodeHandle>();
    for (const { name } of options.configurations) handles.set(name, await client.createEpisode());
    return new ModelCopy(handles, options);
  }

  /** A refreshing and a re-using chunk of each configuration, thrown away. */
  async warmUp(plan: EpisodePlan): Promise<void> {
    const world = startWorld(plan);
    const observation = {
      image: colourise(renderIndices(world)),
      proprio: world.proprio(),
      instruction: plan.task.instruction,
    };
    for (const configuration of this.options.configurations) {
      const handle = this.#handle(configuration);
      for (const stamp of [0, 1]) {
        await handle.infer({ ...observation, stamp }, this.#settings(configuration));
      }
      await handle.reset();
    }
  }

  /** One episode, and what is kept of it. */
  async run(
    plan: EpisodePlan,
    configuration: Configuration,
    loop: Partial<LoopOptions> = {},
  ): Promise<EpisodeRecord> {
    const { replanSteps = this.options.replanSteps } = configuration;
    const settings = { ...configuration, ...samplerOf(this.options.sampler, plan) };
    const source = policySource(this.#handle(configuration), () => settings, { replanSteps });
    const options = { ...REFERENCE_LOOP, replanSteps, ...loop };
    return recordOf(configuration.name, await runEpisode(plan, source, options));
  }

  #handle({ name }: Configuration): EpisodeHandle {
    const handle = this.handles.get(name);
    if (!handle) throw new Error(`no configuration ${name}`);
    return handle;
  }

  #settings(configuration: Configuration): PolicySettings {
    return { ...configuration, ...this.options.sampler };
  }
}
