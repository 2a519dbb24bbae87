import { UNCACHED } from '../../cache/choice';
import type { Configuration } from '../../cache/choice';
import { cosineByStep, residualCosines, type StepCosine } from '../../evaluation/residualCosine';
import type { ExecutionOptions } from '../../model/execution';
import { PolicyClient } from '../../policy/PolicyClient';
import { REFERENCE_LOOP, runEpisode } from '../../sim/closedLoop';
import type { EpisodePlan } from '../../sim/episodes';
import { policySource } from '../../sim/policySource';
import { samplerOf } from '../../sim/runConfigurations';
import type { Sampler } from '../../sampler/types';
import { Film } from './Film';
import type { Exhibit } from './Simulation';

export interface ExhibitRequest {
  /** folder of a bundle */
  readonly bundle: string;
  readonly execution: Partial<ExecutionOptions>;
  readonly sampler: Sampler;
  readonly replanSteps: number;
  /** denoising steps */
  readonly denoisingSteps: number;
  /** of the run; the first episode of each suite is filmed */
  readonly plans: readonly EpisodePlan[];
  /** the ones to film */
  readonly configurations: readonly Configuration[];
}

/**
 * Runs some episodes once more, to look at: films of the given configurations, and how alike the residuals of adjacent
 * chunks are in uncached episodes of every task. None of it is measured; the same plan is the same episode.
 */
export async function collectExhibits(request: ExhibitRequest): Promise<{
  readonly exhibits: readonly Exhibit[];
  readonly residualCosines: readonly StepCosine[];
}> {
  const { plans, configurations, sampler, replanSteps, denoisingSteps } = request;
  const client = await PolicyClient.load(request.bundle, { execution: request.execution });
  try {
    const handle = await client.createEpisode();
    const exhibits: Exhibit[] = [];
    for (const plan of firstOfEach(plans, ({ task }) => task.suite)) {
      for (const configuration of configurations) {
        const film = new Film();
        const pace = { replanSteps: configuration.replanSteps ?? replanSteps };
        const settings = { ...configuration, ...samplerOf(sampler, plan) };
        const source = policySource(handle, () => settings, pace);
        const result = await runEpisode(plan, source, { ...REFERENCE_LOOP, ...pace, onStep: film.see });
        exhibits.push({
          configuration: configuration.name,
          episode: plan.index,
          suite: plan.task.suite,
          instruction: plan.task.instruction,
          success: result.success,
          steps: result.steps,
          chunks: result.chunks,
          image: await film.webp(),
        });
      }
    }
    const rows: Float64Array[] = [];
    for (const plan of firstOfEach(plans, ({ task }) => task.index)) {
      let previous: ReadonlyMap<number, Float32Array> | undefined;
      const uncached = policySource(
        {
          reset: () => handle.reset(),
          infer: async (observation, settings) => {
            const chunk = await handle.infer(observation, settings, { recordResiduals: true });
            const current = chunk.residuals;
            if (previous && current) rows.push(residualCosines(previous, current, denoisingSteps));
            previous = current;
            return chunk;
          },
        },
        () => ({ ...UNCACHED, ...samplerOf(sampler, plan) }),
      );
      await runEpisode(plan, uncached, { ...REFERENCE_LOOP, replanSteps });
    }
    return { exhibits, residualCosines: cosineByStep(rows, denoisingSteps) };
  } finally {
    await client.close();
  }
}

function firstOfEach(
  plans: readonly EpisodePlan[],
  keyOf: (plan: EpisodePlan) => string | number,
): readonly EpisodePlan[] {
  const first = new Map<string | number, EpisodePlan>();
  for (const plan of plans) if (!first.has(keyOf(plan))) first.set(keyOf(plan), plan);
  return [...first.values()];
}
