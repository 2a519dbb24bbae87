import { InputError } from '../errors';
import { UNCACHED_POLICY } from './none';
import { rangeText } from './pathCoverage';
import type { Companions, CacheResources, Expert, ExpertShape, RefusalContext, StepRun } from './types';
import type { Schedule } from '../sampler/types';

/**
 * The steps that a cross-chunk cache leaves, taken over by a policy that caches within a chunk: the C3ache paper says
 * that the two compose. That policy's settings are its own, `cache.<policy>.<name>`.
 */
export interface BoundTail {
  readonly name: string;
  /** fewest steps of which it could skip one */
  readonly fewestSteps: number;
  readonly refusal: (shape: ExpertShape, schedule: Schedule, context: RefusalContext) => string | undefined;
  readonly run: (
    expert: Expert,
    x: Float32Array,
    first: number,
    recordResiduals: boolean,
  ) => Promise<StepRun>;
}

/**
 * The tail of that name with its settings; undefined for `none`.
 * @throws InputError if it is not among the companions, or caches across chunks
 */
export function boundTail(
  name: string,
  companions: Companions = {},
  resources?: CacheResources,
): BoundTail | undefined {
  if (name === UNCACHED_POLICY) return undefined;
  const { policy, values } = companions[name] ?? {};
  const tail = policy?.tail;
  if (!policy || !tail || !values) throw new InputError(`${name} cannot take over the tail of a chunk`);
  return {
    name,
    fewestSteps: tail.fewestSteps(values),
    refusal: (shape, schedule, context) => policy.refuse(values, shape, schedule, context),
    run: (expert, x, first, recordResiduals) =>
      tail.run(expert, x, first, values, recordResiduals, resources),
  };
}

/** Why a tail does not fit behind a range; undefined if it does. */
export function refuseTail(
  tail: BoundTail,
  range: readonly [number, number],
  shape: ExpertShape,
  schedule: Schedule,
  context: RefusalContext,
): string | undefined {
  const left = shape.steps - 1 - range[1];
  if (left >= tail.fewestSteps) return tail.refusal(shape, schedule, context);
  const latest = shape.steps - 1 - tail.fewestSteps;
  const advice =
    latest < 0
      ? `a model of ${shape.steps} steps is too short for it`
      : `end the range at step ${latest} or before`;
  return `tail ${tail.name} needs at least ${tail.fewestSteps} steps after the range to skip one, range ${rangeText(range)} leaves ${left}: ${advice}`;
}
