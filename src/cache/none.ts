import { checkNoise, outcomeOf, runInFull } from './StepRun';
import type { CachePolicy, CacheState, ChunkContext, ChunkOutcome, Expert, ExpertShape } from './types';

/** Name of the policy that computes everything. As a setting that names another policy it means that there is none. */
export const UNCACHED_POLICY = 'none';

const fields = {} as const;

/** No cache: every chunk is computed in full. The reference that all others are measured against. */
export const none: CachePolicy<typeof fields> = {
  name: UNCACHED_POLICY,
  title: 'no cache: every step of every chunk in full',
  source: 'Fast-WAM as published',
  fields,
  grain: () => 'stack',
  refuse: () => undefined,
  createState: (shape) => new NoCacheState(shape),
};

class NoCacheState implements CacheState<object> {
  readonly bytes = 0;
  readonly #shape: ExpertShape;

  constructor(shape: ExpertShape) {
    this.#shape = shape;
  }

  async run(chunk: ChunkContext, _settings: object, expert: Expert): Promise<ChunkOutcome> {
    checkNoise(chunk, this.#shape);
    const run = await runInFull(expert, chunk.noise, 0, chunk.recordResiduals);
    return outcomeOf(run, { reason: '' }, this.#shape, chunk);
  }

  commit(): void {
    // Nothing is kept.
  }

  discard(): void {
    // Nothing is kept.
  }

  clear(): void {
    // Nothing is kept.
  }
}
