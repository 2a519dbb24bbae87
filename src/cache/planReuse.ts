import { misaligned, shiftedTokens, stepsSince } from './alignment';
import { UNCACHED_POLICY, none } from './none';
import { at } from './matrix';
import { checkNoise } from './StepRun';
import type { FieldTable, FieldValues } from './fields';
import type {
  CachePolicy,
  CacheResources,
  CacheState,
  ChunkContext,
  ChunkOutcome,
  Companion,
  Companions,
  ComputedShape,
  EarlyContext,
  Expert,
  ExpertShape,
} from './types';
import type { Schedule } from '../sampler/types';

const NAME = 'plan_reuse';

const fields = {
  base: {
    type: 'policy',
    except: NAME,
    default: UNCACHED_POLICY,
    description: 'what computes the chunks that are computed, with its own settings; it counts every chunk',
    source: 'this project',
  },
  max_consecutive: {
    type: 'integer',
    description: 'most chunks in a row that go on with the plan of the last computed one; 0 = none of them',
    unit: 'chunks',
    default: 1,
    min: 0,
    max: 1000,
    source: 'this project, after the guarded reuse of arXiv 2605.13778',
  },
} as const satisfies FieldTable;

type PlanReuseSettings = FieldValues<typeof fields>;

/**
 * The plan of a computed chunk goes on where no gripper switches: the next chunk is what is left of it, decided before
 * anything is seen. Neither images, VAE and prefill nor the action expert run for such a chunk.
 */
export const planReuse: CachePolicy<typeof fields> = {
  name: NAME,
  title: 'plan reuse: a chunk is what is left of the plan before it, while no gripper switches',
  source: 'this project; nearest published: arXiv 2605.13778',
  fields,
  grain: ({ base }, companions = {}) => {
    const { policy, values } = baseOf(base, companions);
    return policy.grain(values, companions);
  },
  refuse: ({ base }, shape, schedule, context = {}) => {
    const { policy, values } = baseOf(base, context.companions);
    return policy.refuse(values, shape, schedule, context);
  },
  createState: (shape, schedule, resources) => new PlanReuseState(shape, schedule, resources),
};

const UNCACHED_BASE: Companion = { policy: none, values: {} };

function baseOf(name: string, companions: Companions = {}): Companion {
  return companions[name] ?? UNCACHED_BASE;
}

interface Plan {
  readonly chunk: number;
  /** stamp of its observation, seconds */
  readonly time: number;
  /** normalised [T, a] */
  readonly x: Float32Array;
  /** control steps from its observation to that of the last chunk made of it */
  readonly begun: number;
  /** chunks in a row that it has served beside its own */
  readonly served: number;
  /** how its chunk said what it computed, which the chunks that go on with it say too */
  readonly computed: { readonly shape: ComputedShape; readonly length: number };
}

interface Base {
  readonly name: string;
  readonly state: CacheState<FieldValues<FieldTable>>;
}

class PlanReuseState implements CacheState<PlanReuseSettings> {
  #plan: Plan | undefined;
  #staged: Plan | undefined;
  #base: Base | undefined;
  #stagedBase: Base | undefined;
  #clearedBecause = 'first_chunk';

  constructor(
    private readonly shape: ExpertShape,
    private readonly schedule: Schedule,
    private readonly resources: CacheResources | undefined,
  ) {}

  beforePerception(chunk: EarlyContext, settings: PlanReuseSettings): ChunkOutcome | undefined {
    this.#staged = undefined;
    this.#stagedBase = undefined;
    const began = performance.now();
    const plan = this.#plan;
    if (plan === undefined || this.#why(chunk, settings) !== '') return undefined;
    const { steps, horizon } = this.shape;
    const later = stepsSince(plan, chunk);
    // At least one step later, so these are values of its own.
    const x = shiftedTokens(plan.x, later, horizon);
    this.#staged = { ...plan, begun: later, served: plan.served + 1 };
    return {
      x,
      // Nothing moved it there.
      velocity: new Float32Array(steps * x.length).fill(Number.NaN),
      computed: new Uint8Array(plan.computed.length),
      computedShape: plan.computed.shape,
      refreshed: false,
      reason: '',
      fullSteps: 0,
      reusedSteps: steps,
      stackEvaluations: 0,
      computedSubBlocks: 0,
      gateSeconds: (performance.now() - began) / 1000,
      signals: { plan_age: later },
      fallbacks: 0,
      ...(chunk.recordResiduals === true ? { residuals: new Map() } : {}),
    };
  }

  async run(chunk: ChunkContext, settings: PlanReuseSettings, expert: Expert): Promise<ChunkOutcome> {
    checkNoise(chunk, this.shape);
    this.#staged = undefined;
    const reason = this.#why(chunk, settings);
    const { policy, values } = baseOf(settings.base, chunk.companions);
    const base = this.#base?.name === policy.name ? this.#base : this.#begin(policy);
    this.#stagedBase = base;
    const outcome = await base.state.run(chunk, values, expert);
    this.#staged = {
      chunk: chunk.chunk,
      time: chunk.time,
      x: outcome.x.slice(),
      begun: 0,
      served: 0,
      computed: { shape: outcome.computedShape, length: outcome.computed.length },
    };
    if (settings.max_consecutive === 0) return outcome;
    const signals = { ...outcome.signals, base_refreshed: Number(outcome.refreshed) };
    return { ...outcome, refreshed: true, reason, signals };
  }

  commit(): void {
    // A plan that goes on has left its base alone.
    this.#stagedBase?.state.commit();
    this.#base = this.#stagedBase ?? this.#base;
    this.#plan = this.#staged ?? this.#plan;
    this.#forget();
  }

  discard(): void {
    this.#stagedBase?.state.discard();
    this.#forget();
  }

  clear(reason: string): void {
    this.#base?.state.clear(reason);
    this.#plan = undefined;
    this.#clearedBecause = reason;
    this.#forget();
  }

  get bytes(): number {
    const base = this.#stagedBase ?? this.#base;
    return (this.#plan?.x.byteLength ?? 0) + (base?.state.bytes ?? 0);
  }

  #forget(): void {
    this.#staged = undefined;
    this.#stagedBase = undefined;
  }

  #begin(policy: CachePolicy): Base {
    const state = policy.createState(this.shape, this.schedule, this.resources);
    if (this.#base !== undefined) state.clear('policy_changed');
    return { name: policy.name, state };
  }

  /** Why the chunk is computed; empty if the plan may go on. */
  #why(chunk: EarlyContext, { base, max_consecutive }: PlanReuseSettings): string {
    const plan = this.#plan;
    const { horizon } = this.shape;
    if (plan === undefined) return this.#clearedBecause;
    if (this.#base?.name !== base) return 'policy_changed';
    if (plan.served >= max_consecutive) return 'max_consecutive';
    const later = stepsSince(plan, chunk);
    const unaligned = misaligned(later - 1, horizon);
    if (unaligned !== '' || later <= plan.begun) return unaligned === 'horizon' ? 'horizon' : 'time_jump';
    // What is to be executed must be in the plan.
    const until = later + chunk.replanSteps;
    if (until > horizon) return 'horizon';
    return this.#switches(chunk, plan, until) ? 'gripper_switch' : '';
  }

  /** Whether a gripper leaves its side of its threshold from the last chunk's first action to action `until`. */
  #switches({ gripperSides = () => [] }: EarlyContext, { x, begun }: Plan, until: number): boolean {
    return gripperSides(x).some((above) => {
      const side = at(above, begun);
      return above.subarray(begun, until).some((one) => one !== side);
    });
  }
}
