import type { PolicySettings } from '../cache/choice';
import type { EpisodeHandle } from '../policy/PolicyClient';
import type { InferOptions } from '../policy/types';
import type { ChunkSource } from './closedLoop';

/**
 * The policy as a source of chunks, the same code that drives a robot. `settings` are read anew for each chunk, so that
 * they may be changed while an episode runs.
 */
export function policySource(
  episode: Pick<EpisodeHandle, 'infer' | 'reset'>,
  settings: () => PolicySettings,
  options: InferOptions = {},
): ChunkSource {
  return {
    reset: () => episode.reset(),
    infer: async (observation) => {
      const { actions, report, times } = await episode.infer(observation, settings(), options);
      const { refreshed, reason, fullSteps, reusedSteps, stackEvaluations } = report;
      return {
        actions,
        cost: { refreshed, reason, fullSteps, reusedSteps, stackEvaluations, seconds: times.total },
      };
    },
  };
}
