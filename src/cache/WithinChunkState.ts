import { checkNoise, outcomeOf } from './StepRun';
import type { StepRun } from './StepRun';
import type { CacheState, ChunkContext, ChunkOutcome, Expert, ExpertShape } from './types';

/** Runs the steps `first`..N-1 of a chunk from x, with a cache that lives no longer than the chunk. */
export type WithinChunk<S> = (
  expert: Expert,
  x: Float32Array,
  first: number,
  settings: S,
  recordResiduals: boolean,
) => Promise<StepRun>;

/**
 * The episode state of a policy that caches within a chunk only: there is none, so nothing can leak from one chunk
 * into the next. `bytes` is what the last chunk held while it ran.
 */
export class WithinChunkState<S> implements CacheState<S> {
  readonly #shape: ExpertShape;
  readonly #steps: WithinChunk<S>;
  #bytes = 0;
  #stagedBytes = 0;

  constructor(shape: ExpertShape, steps: WithinChunk<S>) {
    this.#shape = shape;
    this.#steps = steps;
  }

  async run(chunk: ChunkContext, settings: S, expert: Expert): Promise<ChunkOutcome> {
    checkNoise(chunk, this.#shape);
    const run = await this.#steps(expert, chunk.noise, 0, settings, chunk.recordResiduals ?? false);
    this.#stagedBytes = run.bytes;
    return outcomeOf(run, { reason: '' }, this.#shape, chunk);
  }

  commit(): void {
    this.#bytes = this.#stagedBytes;
  }

  discard(): void {
    this.#stagedBytes = this.#bytes;
  }

  clear(): void {
    this.#bytes = 0;
    this.#stagedBytes = 0;
  }

  get bytes(): number {
    return this.#bytes;
  }
}
