import { checkNoise, outcomeOf } from './StepRun';
import type { FieldTable, FieldValues } from './fields';
import type {
  CacheResources,
  CacheState,
  ChunkContext,
  ChunkOutcome,
  Expert,
  ExpertShape,
  Tail,
} from './types';

/**
 * The episode state of a policy that caches within a chunk only: there is none, so nothing can leak from one chunk
 * into the next. `bytes` is what the last chunk held while it ran. As it starts at any step, the policy can be the tail
 * of another one.
 */
export class WithinChunkState<F extends FieldTable> implements CacheState<FieldValues<F>> {
  readonly #shape: ExpertShape;
  readonly #steps: Tail<F>['run'];
  readonly #resources: CacheResources | undefined;
  #bytes = 0;
  #stagedBytes = 0;

  constructor(shape: ExpertShape, steps: Tail<F>['run'], resources?: CacheResources) {
    this.#shape = shape;
    this.#steps = steps;
    this.#resources = resources;
  }

  async run(chunk: ChunkContext, settings: FieldValues<F>, expert: Expert): Promise<ChunkOutcome> {
    checkNoise(chunk, this.#shape);
    const recordResiduals = chunk.recordResiduals ?? false;
    const run = await this.#steps(expert, chunk.noise, 0, settings, recordResiduals, this.#resources);
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
