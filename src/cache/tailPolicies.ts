import { bac, bacSteps } from './bac';
import { resolveSettings } from './fieldValues';
import { rangeText } from './pathCoverage';
import { runWorldcacheCa, worldcacheCa } from './worldcacheCa';
import { runWorldcacheHt, shortestPrediction, worldcacheHt } from './worldcacheHt';
import type { StepRun } from './StepRun';
import type { WithinChunk } from './WithinChunkState';
import type { FieldTable, FieldValues } from './fields';
import type { Schedule } from '../sampler/types';
import type { CachePolicy, CacheResources, ChunkContext, Expert, ExpertShape, RefusalContext } from './types';

/**
 * The policies that cache within a chunk only, and may therefore take over the steps that a cross-chunk cache leaves:
 * the C3ache paper says that the two compose. Their settings are their own, `cache.<policy>.<name>`.
 */
export const TAIL_NAMES = ['none', 'worldcache_ht', 'worldcache_ca', 'bac'] as const;
export type TailName = (typeof TAIL_NAMES)[number];

interface TailPolicy<F extends FieldTable> {
  readonly policy: CachePolicy<F>;
  readonly steps: (resources?: CacheResources) => WithinChunk<FieldValues<F>>;
  /** fewest steps of which it could skip one */
  readonly fewestSteps: (settings: FieldValues<F>) => number;
}

/** A tail policy with its settings filled in. */
export interface BoundTail {
  readonly policy: CachePolicy;
  readonly fewestSteps: number;
  readonly refusal: (context: RefusalContext) => string | undefined;
  readonly run: (
    expert: Expert,
    x: Float32Array,
    first: number,
    recordResiduals: boolean,
  ) => Promise<StepRun>;
}

/** The tail policy of that name with its current settings, or its defaults; undefined for `none`. */
export function boundTail(
  name: TailName,
  shape: ExpertShape,
  schedule: Schedule,
  companions: ChunkContext['companions'],
  resources?: CacheResources,
): BoundTail | undefined {
  const bind = <F extends FieldTable>({ policy, steps, fewestSteps }: TailPolicy<F>): BoundTail => {
    const settings = resolveSettings(policy.name, policy.fields, companions?.[policy.name] ?? {}, {
      shape,
      schedule,
    });
    const run = steps(resources);
    return {
      policy,
      fewestSteps: fewestSteps(settings),
      refusal: (context) => policy.refuse(settings, shape, schedule, context),
      run: (expert, x, first, recordResiduals) => run(expert, x, first, settings, recordResiduals),
    };
  };
  switch (name) {
    case 'none':
      return undefined;
    case 'worldcache_ht':
      return bind({ policy: worldcacheHt, steps: () => runWorldcacheHt, fewestSteps: shortestPrediction });
    case 'worldcache_ca':
      // The first step of a chunk has nothing to compare with, so it runs.
      return bind({ policy: worldcacheCa, steps: () => runWorldcacheCa, fewestSteps: () => 2 });
    case 'bac':
      // The first step fills what later ones hold, and the last one is always computed.
      return bind({ policy: bac, steps: bacSteps, fewestSteps: () => 3 });
  }
}

/** Why a tail policy does not fit behind a range; undefined if it does. */
export function refuseTail(
  tail: BoundTail,
  range: readonly [number, number],
  steps: number,
  context: RefusalContext,
): string | undefined {
  const left = steps - 1 - range[1];
  if (left >= tail.fewestSteps) return tail.refusal(context);
  const latest = steps - 1 - tail.fewestSteps;
  const advice =
    latest < 0
      ? `a model of ${steps} steps is too short for it`
      : `end the range at step ${latest} or before`;
  return `tail ${tail.policy.name} needs at least ${tail.fewestSteps} steps after the range to skip one, range ${rangeText(range)} leaves ${left}: ${advice}`;
}
