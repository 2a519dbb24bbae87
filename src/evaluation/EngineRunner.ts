import { UNCACHED } from '../cache/choice';
import type { Configuration } from '../cache/choice';
import type { BundleManifest } from '../bundle/schema';
import type { Bundle } from '../bundle/Bundle';
import type { EpisodeHandle, PolicyClient } from '../policy/PolicyClient';
import type { ActionChunk, InferOptions, Observation } from '../policy/types';
import type { Sampler } from '../sampler/types';
import type { ActionLayout, ChunkResult } from './types';
import type { Runner } from './replay';
import type { ResidualsByStep } from './residualCosine';

/** How chunks are executed, where it is otherwise than the bundle says. */
export type Pace = Pick<InferOptions, 'period' | 'replanSteps'>;

/** The engine as a replay sees it: one loaded model, an episode with its own cache for each configuration. */
export class EngineRunner implements Runner<Observation> {
  readonly #newest: ActionChunk[] = [];

  private constructor(
    private readonly episodes: readonly EpisodeHandle[],
    private readonly reference: EpisodeHandle,
    private readonly configurations: readonly Configuration[],
    private readonly sampler: Sampler,
    private readonly pace: Pace,
  ) {}

  static async create(
    client: PolicyClient,
    configurations: readonly Configuration[],
    sampler: Sampler,
    pace: Pace = {},
  ): Promise<EngineRunner> {
    const episodes: EpisodeHandle[] = [];
    for (let i = 0; i < configurations.length; i++) episodes.push(await client.createEpisode());
    return new EngineRunner(episodes, await client.createEpisode(), configurations, sampler, pace);
  }

  async infer(configuration: number, observation: Observation): Promise<ChunkResult> {
    const episode = this.episodes[configuration];
    const chosen = this.configurations[configuration];
    if (!episode || !chosen) throw new Error(`no configuration ${configuration}`);
    const chunk = await episode.infer(observation, { ...chosen, ...this.sampler }, this.pace);
    this.#newest[configuration] = chunk;
    return chunkResult(chunk);
  }

  /** The newest chunk of each configuration, whole. */
  get newest(): readonly ActionChunk[] {
    return this.#newest;
  }

  async resetEpisode(): Promise<void> {
    for (const episode of [...this.episodes, this.reference]) await episode.reset();
  }

  async residuals(observation: Observation): Promise<ResidualsByStep> {
    const settings = { ...UNCACHED, ...this.sampler };
    const chunk = await this.reference.infer(observation, settings, { recordResiduals: true });
    return chunk.residuals ?? new Map<number, Float32Array>();
  }
}

/** What evaluation keeps of a chunk. */
export function chunkResult(chunk: ActionChunk): ChunkResult {
  return {
    actions: chunk.actions,
    normalised: chunk.normalised,
    times: chunk.times,
    report: chunk.report,
    clamped: chunk.clamped,
  };
}

/** What the numbers of a bundle's actions mean. */
export function actionLayout(bundle: Bundle): ActionLayout {
  const { actions, control } = bundle.manifest;
  return {
    names: actions.items.map((item) => item.name),
    units: actions.items.map((item) => item.unit),
    groups: groupsOf(actions),
    grippers: actions.gripper.map(({ index, threshold }) => ({ index, threshold })),
    horizon: bundle.dimensions.horizon,
    replanSteps: control.replan_steps,
    controlRate: control.rate,
    steps: bundle.schedule.steps,
  };
}

/** Columns with the same group and unit, in the order of their first one. */
function groupsOf(actions: BundleManifest['actions']): ActionLayout['groups'] {
  const groups = new Map<string, { name: string; unit: string; indices: number[] }>();
  actions.items.forEach(({ group, unit }, index) => {
    const key = `${group}\n${unit}`;
    const known = groups.get(key) ?? { name: group, unit, indices: [] };
    known.indices.push(index);
    groups.set(key, known);
  });
  const grippers = new Set(actions.gripper.map(({ index }) => index));
  return [...groups.values()].map((group) => {
    const moves = actions.kind === 'delta_pose' && !group.indices.every((index) => grippers.has(index));
    return { ...group, kind: moves ? ('delta' as const) : ('absolute' as const) };
  });
}
