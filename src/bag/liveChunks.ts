import { FileFormatError, InputError } from '../errors';
import { fromSeconds } from '../observation/stamp';
import { ACTION_CHUNK_TYPE, readActionChunk } from '../policy/actionChunkMessage';
import type { PublishedChunk } from '../policy/actionChunkMessage';
import { openBag } from './openBag';

/** A chunk as a node published it, and when. */
export interface LiveChunk extends PublishedChunk {
  /** when the observation was taken, nanoseconds of the node's clock */
  readonly time: bigint;
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
    const topics = bag.topics.filter(({ type }) => type === ACTION_CHUNK_TYPE).map(({ name }) => name);
    if (topics.length !== 1) {
      const found = topics.length === 0 ? 'none' : `those of ${topics.join(', ')}`;
      throw new FileFormatError(path, `expected the action chunks of one policy node, it has ${found}`);
    }
    const chunks: LiveChunk[] = [];
    for await (const message of bag.messages({ topics })) {
      const chunk = publishedChunk(path, bag.decode(message));
      if (chunk.stamp === 0n) throw new InputError(`${path}: chunk ${chunk.chunk} has no stamp`);
      // The stamp is that of the newest frame.
      const { sources, stamp } = chunk;
      const ages = sources.filter(({ name }) => cameras.includes(name)).map(({ age }) => age);
      const youngest = Math.min(...(ages.length > 0 ? ages : sources.map(({ age }) => age)));
      chunks.push({ ...chunk, time: stamp + fromSeconds(Number.isFinite(youngest) ? youngest : 0) });
    }
    if (chunks.length === 0) throw new FileFormatError(path, `holds no chunk on ${topics.join()}`);
    return chunks;
  } finally {
    await bag.close();
  }
}

function publishedChunk(path: string, message: unknown): PublishedChunk {
  try {
    return readActionChunk(message);
  } catch (error) {
    throw error instanceof InputError ? new FileFormatError(path, error.message) : error;
  }
}
