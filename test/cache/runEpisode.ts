import { resolveSettings } from '../../src/cache/fieldValues';
import { policyNamed } from '../../src/cache/registry';
import type { DefaultContext } from '../../src/cache/fields';
import type {
  CachePolicy,
  CacheResources,
  CacheState,
  ChunkContext,
  ChunkOutcome,
  Companions,
} from '../../src/cache/types';
import { matrix, randomNumbers } from './ToyExpert';
import type { ToyExpert } from './ToyExpert';

/** Observation and noise of a chunk in tests: all derived from small integers, so that equal numbers mean equal input. */
export interface ToyChunk {
  readonly chunk: number;
  readonly observation?: number;
  readonly strength?: number;
  readonly noise?: number;
  readonly time?: number;
  readonly period?: number;
  readonly replanSteps?: number;
  readonly gripperSides?: ChunkContext['gripperSides'];
  readonly recordResiduals?: boolean;
  readonly companions?: ChunkContext['companions'];
  readonly grippers?: readonly number[];
  /** seed of proprioception and latents where they are not to follow the observation */
  readonly seen?: number;
}

/** What a policy sees of a toy chunk; proprioception and latents follow the observation. */
export function contextOf(expert: ToyExpert, toy: ToyChunk): ChunkContext {
  const { horizon, actionDim } = expert.shape;
  const seen = toy.seen ?? toy.observation ?? toy.chunk;
  return {
    chunk: toy.chunk,
    time: toy.time ?? toy.chunk,
    period: toy.period ?? 1,
    replanSteps: toy.replanSteps ?? 1,
    ...(toy.gripperSides === undefined ? {} : { gripperSides: toy.gripperSides }),
    noise: matrix(randomNumbers(500 + (toy.noise ?? 0)), horizon * actionDim),
    proprio: matrix(randomNumbers(700 + seen), 4),
    latents: matrix(randomNumbers(900 + seen), 2 * 4 * 4),
    latentShape: [2, 4, 4],
    ...(toy.recordResiduals === undefined ? {} : { recordResiduals: toy.recordResiduals }),
    ...(toy.grippers === undefined ? {} : { grippers: toy.grippers }),
    ...(toy.companions === undefined ? {} : { companions: toy.companions }),
  };
}

/** What was learnt beforehand, as it would lie beside a bundle. */
export function learntBefore(...records: readonly unknown[]): CacheResources {
  return { learnt: (calibration) => records.map((one) => calibration.parse(one, 'a test')) };
}

/** A policy that another one hands work to, with given settings and the defaults of a model. */
export function companion(
  name: string,
  given: Readonly<Record<string, unknown>>,
  model: DefaultContext,
): Companions {
  const policy = policyNamed(name);
  return { [name]: { policy, values: resolveSettings(name, policy.fields, given, model) } };
}

/** One episode of one policy on a toy expert. */
export class ToyEpisode {
  readonly policy: CachePolicy;
  readonly state: CacheState<never>;

  constructor(
    readonly expert: ToyExpert,
    named: string | CachePolicy,
    public given: Readonly<Record<string, unknown>> = {},
    resources?: CacheResources,
  ) {
    this.policy = typeof named === 'string' ? policyNamed(named) : named;
    this.state = this.policy.createState(expert.shape, expert.schedule, resources);
  }

  /** Runs a chunk without committing it. */
  async attempt(toy: ToyChunk): Promise<ChunkOutcome> {
    const { shape, schedule } = this.expert;
    const settings = resolveSettings(this.policy.name, this.policy.fields, this.given, { shape, schedule });
    this.expert.observe(toy.observation ?? toy.chunk, toy.strength);
    const context = contextOf(this.expert, toy);
    const early = this.state.beforePerception?.(context, settings as never);
    return early ?? this.state.run(context, settings as never, this.expert);
  }

  async chunk(toy: ToyChunk): Promise<ChunkOutcome> {
    const outcome = await this.attempt(toy);
    this.state.commit();
    return outcome;
  }

  /** `count` chunks from 0; each has its own observation, and all the same noise unless `toy` says otherwise. */
  async chunks(
    count: number,
    toy: (chunk: number) => Partial<ToyChunk> = () => ({}),
  ): Promise<ChunkOutcome[]> {
    const outcomes: ChunkOutcome[] = [];
    for (let chunk = 0; chunk < count; chunk++) outcomes.push(await this.chunk({ chunk, ...toy(chunk) }));
    return outcomes;
  }
}

/** |left - right|_2 / |right|_2 */
export function relativeError(left: ArrayLike<number>, right: ArrayLike<number>): number {
  let [difference, reference] = [0, 0];
  for (let i = 0; i < right.length; i++) {
    difference += (left[i]! - right[i]!) ** 2;
    reference += right[i]! ** 2;
  }
  return Math.sqrt(difference / reference);
}
