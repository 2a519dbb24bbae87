import { FileFormatError, InputError } from '../errors';
import type { SourceAge } from '../observation/guards';
import { fromSeconds, headerStamp } from '../observation/stamp';
import { openBag } from './openBag';

/** A chunk as a node published it, fast_wam_msgs/msg/ActionChunk. */
export interface LiveChunk {
  readonly episode: number;
  readonly chunk: number;
  readonly instruction: string;
  /** stamp of the observation, nanoseconds */
  readonly stamp: bigint;
  /** when the observation was taken, nanoseconds of the node's clock */
  readonly time: bigint;
  /** cameras, then proprioception, seconds */
  readonly sources: readonly SourceAge[];
  readonly actionNames: readonly string[];
  /** row-major, units of the bundle */
  readonly actions: Float32Array;
  readonly cache: {
    readonly policy: string;
    readonly refresh_interval: number;
    readonly range_start: number;
    readonly range_end: number;
    readonly refreshed: boolean;
    readonly reason: string;
    readonly full_steps: number;
    readonly reused_steps: number;
    readonly stack_evaluations: number;
    readonly computed_blocks: number;
    readonly total_blocks: number;
    readonly bytes: bigint;
  };
  readonly times: Readonly<Record<'decode' | 'vae' | 'prefill' | 'expert' | 'total', number>>;
}

const TYPE = 'fast_wam_msgs/msg/ActionChunk';

interface Message {
  readonly episode: number;
  readonly chunk: number;
  readonly instruction: string;
  readonly sources: readonly SourceAge[];
  readonly action_names: readonly string[];
  readonly actions: Float32Array;
  readonly cache: LiveChunk['cache'];
  readonly times: LiveChunk['times'];
}

/**
 * The chunks of a recording that `fastwam record` or `ros2 bag` made of a policy node, in the order of their receipt.
 * @param cameras names of the cameras among the sources
 * @throws FileFormatError where there are none, or those of several nodes
 */
export async function readLiveChunks(
  path: string,
  cameras: readonly string[],
): Promise<readonly LiveChunk[]> {
  const bag = await openBag(path);
  try {
    const topics = bag.topics.filter(({ type }) => type === TYPE).map(({ name }) => name);
    if (topics.length !== 1) {
      const found = topics.length === 0 ? 'none' : `those of ${topics.join(', ')}`;
      throw new FileFormatError(path, `expected the action chunks of one policy node, it has ${found}`);
    }
    const chunks: LiveChunk[] = [];
    for await (const message of bag.messages({ topics })) {
      const decoded = bag.decode(message) as Message;
      const stamp = headerStamp(decoded);
      if (stamp === undefined) throw new InputError(`${path}: chunk ${decoded.chunk} has no stamp`);
      const { episode, chunk, instruction, sources, actions, cache, times } = decoded;
      // The stamp is that of the newest frame.
      const ages = sources.filter(({ name }) => cameras.includes(name)).map(({ age }) => age);
      const youngest = Math.min(...(ages.length > 0 ? ages : sources.map(({ age }) => age)));
      chunks.push({
        ...{ episode, chunk, instruction, sources, actions, cache, times, stamp },
        time: stamp + fromSeconds(Number.isFinite(youngest) ? youngest : 0),
        actionNames: decoded.action_names,
      });
    }
    if (chunks.length === 0) throw new FileFormatError(path, `holds no chunk on ${topics.join()}`);
    return chunks;
  } finally {
    await bag.close();
  }
}
