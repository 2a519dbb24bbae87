import type { Configuration } from '../../cache/choice';
import type { EpisodeRecord } from '../../sim/episodeRecord';

/** A configuration's result for programs: what `fastwam simulate --json` prints. */
export interface SimulationLine {
  readonly policy: string;
  /** NaN (null in JSON) without episodes */
  readonly success_rate: number;
  /** over all episodes, full-stack equivalents */
  readonly stack_evaluations: number;
  /** in the order of their numbers */
  readonly episodes: readonly {
    readonly success: boolean;
    readonly steps: number;
    readonly chunks: number;
  }[];
}

/** @param records of any configurations, each one's episodes in order */
export function simulationLine(
  { name, policy }: Configuration,
  records: readonly EpisodeRecord[],
): SimulationLine {
  const own = records.filter(({ configuration }) => configuration === name);
  return {
    policy,
    success_rate: own.filter(({ success }) => success).length / own.length,
    stack_evaluations: own.reduce((sum, { stacks }) => sum + stacks.reduce((a, b) => a + b, 0), 0),
    episodes: own.map(({ success, steps, stacks }) => ({ success, steps, chunks: stacks.length })),
  };
}
