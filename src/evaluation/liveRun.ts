import type { LiveChunk } from '../bag/liveChunks';
import type { Bundle } from '../bundle/Bundle';
import { scalingOf } from '../formats/scaling';
import type { ChunkResult, ConfigurationRun } from './types';

/** The name under which a report shows what the node did. */
export const LIVE = 'live';

/** What a node did, as a run among those of a replay. */
export function liveRun(chunks: readonly LiveChunk[], bundle: Bundle): ConfigurationRun {
  return {
    configuration: { name: LIVE, policy: LIVE, values: {}, companions: {} },
    chunks: chunks.map((chunk) => liveResult(chunk, bundle)),
  };
}

function liveResult({ actions, times, report }: LiveChunk, bundle: Bundle): ChunkResult {
  return { actions, normalised: normalised(actions, bundle), times, report };
}

/** As the network saw them, as far as limits and the sign of a gripper have left that in the actions. */
function normalised(actions: Float32Array, { manifest, dimensions }: Bundle): Float32Array {
  const { normaliser, gripper } = manifest.actions;
  const undone = actions.slice();
  for (const { index, rule } of gripper) {
    if (rule !== 'libero') continue;
    for (let i = index; i < undone.length; i += dimensions.actionDim)
      undone[i] = (1 - (undone[i] ?? NaN)) / 2;
  }
  return scalingOf(normaliser).normalise(undone);
}
