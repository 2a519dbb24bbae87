import type { Expert, ExpertShape, FullRun, FullStep, LinearMap } from '../cache/types';
import { InputError } from '../errors';
import type { StackInput, StackOutput } from '../graphs/expertSignature';
import { NOTHING, isGuided, plainStep } from '../sampler/eulerStep';
import type { EulerStep } from '../sampler/eulerStep';
import { guidedStep } from '../sampler/guidance';
import type { GuidanceTarget } from '../sampler/guidance';
import type { Schedule } from '../sampler/types';
import type { Feeds, Session, Tensor } from './Session';

/** What is constant about an expert over all chunks. */
export interface ExpertFacts {
  readonly shape: ExpertShape;
  readonly schedule: Schedule;
  readonly encoder: LinearMap;
  readonly head: LinearMap;
  readonly A: Float64Array;
}

/** What both experts of one chunk share: the chunk's K/V bound to a session, and the Loop over full steps. */
export abstract class LoopExpert<Output extends string = StackOutput> implements Expert {
  /** by index, as the schedule has them: each is asked for several times in a chunk */
  readonly #steps: EulerStep[] = [];

  constructor(
    private readonly facts: ExpertFacts,
    protected readonly session: Session,
    /** K/V of the chunk, or what the graph computes them from */
    private readonly binding: Feeds,
    /** what the chunk is pulled towards */
    private readonly target?: GuidanceTarget,
  ) {}

  get shape(): ExpertShape {
    return this.facts.shape;
  }
  get schedule(): Schedule {
    return this.facts.schedule;
  }
  get encoder(): LinearMap {
    return this.facts.encoder;
  }
  get head(): LinearMap {
    return this.facts.head;
  }
  get A(): Float64Array {
    return this.facts.A;
  }

  step(index: number, delta?: number): EulerStep {
    return delta === undefined ? (this.#steps[index] ??= this.#stepOf(index)) : this.#stepOf(index, delta);
  }

  #stepOf(index: number, delta?: number): EulerStep {
    const { schedule, target } = this;
    return target ? guidedStep(schedule, index, target, delta) : plainStep(schedule, index, delta);
  }

  abstract fullSteps(...args: Parameters<Expert['fullSteps']>): Promise<FullRun>;
  abstract probe(...args: Parameters<Expert['probe']>): ReturnType<Expert['probe']>;
  abstract resume(...args: Parameters<Expert['resume']>): ReturnType<Expert['resume']>;
  abstract scheduledSteps(
    ...args: Parameters<Expert['scheduledSteps']>
  ): ReturnType<Expert['scheduledSteps']>;
  abstract gatedSteps(...args: Parameters<Expert['gatedSteps']>): ReturnType<Expert['gatedSteps']>;

  /** Feeds of the Loop over full steps. */
  protected stepFeeds(x: Float32Array, steps: readonly FullStep[]): Record<StackInput, Tensor> {
    const { horizon: t, actionDim: a } = this.shape;
    const count = steps.length;
    const eulers = steps.map(({ index, delta }) => this.step(index, delta));
    const guided = eulers.some(isGuided);
    const perRow = steps.some(({ before }) => before !== undefined && before.P.length > a * a);
    const maps = perRow ? t : 1;
    const scale = new Float32Array(count * maps * a * a);
    const shift = new Float32Array(count * t * a);
    steps.forEach(({ before }, i) => {
      for (let map = 0; map < maps; map++) {
        const start = (i * maps + map) * a * a;
        const from = before && before.P.length > a * a ? map * a * a : 0;
        if (before) scale.set(before.P.subarray(from, from + a * a), start);
        else for (let j = 0; j < a; j++) scale[start + j * a + j] = 1;
      }
      if (before) shift.set(before.q, i * t * a);
    });
    const index = BigInt64Array.from(steps, (s) => BigInt(s.index));
    const [rows, pulls] = guided ? [t, a] : [1, 1];
    const table = (width: number, row: (euler: EulerStep) => Float64Array | undefined): Tensor => {
      const values = new Float32Array(count * rows * width).fill(NOTHING);
      eulers.forEach((euler, i) => {
        const own = row(euler);
        const part = values.subarray(i * rows * width, (i + 1) * rows * width);
        if (own?.length === 1) part.fill(own[0] ?? Number.NaN);
        else if (own) part.set(own);
      });
      return this.session.tensor('float32', values, [count, rows, width]);
    };
    const make = this.session;
    return {
      count: make.tensor('int64', BigInt64Array.of(BigInt(count)), []),
      x: make.tensor('float32', x, [t, a]),
      index: make.tensor('int64', index, [count]),
      before_scale: make.tensor('float32', scale, [count, maps, a, a]),
      before_shift: make.tensor('float32', shift, [count, t, a]),
      keep: table(1, ({ keep }) => keep),
      gain: table(1, ({ gain }) => gain),
      pull: table(pulls, ({ pull }) => pull),
    };
  }

  protected run<K extends Output>(feeds: Feeds, fetches: readonly K[]): Promise<Readonly<Record<K, Tensor>>> {
    return this.session.run({ ...this.binding, ...feeds }, fetches);
  }
}

/** The float32 data of an output. */
export function floats(tensor: Tensor): Float32Array {
  if (tensor.data instanceof Float32Array) return tensor.data;
  throw new InputError(`the expert graph gave ${tensor.type}, expected float32`);
}

/** What a call computed, from the outputs that were fetched. */
export function fullRun(
  out: Readonly<Record<'x_out' | 'xs' | 'vs', Tensor> & Partial<Record<'residuals' | 'parts', Tensor>>>,
): FullRun {
  return {
    x: floats(out.x_out),
    xs: floats(out.xs),
    vs: floats(out.vs),
    ...(out.residuals ? { residuals: floats(out.residuals) } : {}),
    ...(out.parts ? { parts: floats(out.parts) } : {}),
  };
}

/** What a call gives for no steps at all. */
export function noSteps(x: Float32Array): FullRun {
  return { x: x.slice(), xs: new Float32Array(0), vs: new Float32Array(0) };
}
