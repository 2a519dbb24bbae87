import { alignField, misaligned, shiftFor, shiftedValues } from './alignment';
import { UNCACHED_POLICY } from './none';
import { RefreshMemory } from './RefreshMemory';
import { checkNoise, joinRuns, outcomeOf, runInFull } from './StepRun';
import { coverageWarning, refuseSingleStep } from './pathCoverage';
import { maxAgeField, rangeField, refreshIntervalField } from './sharedFields';
import { bytesOf, inRange, runWithReuse, stepValuesOf, unfitSteps } from './stepValues';
import type { StepValues } from './stepValues';
import { boundTail, refuseTail } from './tail';
import type { FieldTable, FieldValues } from './fields';
import type { CommittedRefresh } from './refresh';
import type {
  CachePolicy,
  CacheResources,
  CacheState,
  ChunkContext,
  ChunkOutcome,
  Expert,
  ExpertShape,
  StepRun,
} from './types';

const fields = {
  refresh_interval: refreshIntervalField,
  range: rangeField,
  max_age: maxAgeField,
  mode: {
    type: 'enum',
    values: ['affine', 'residual'],
    default: 'affine',
    description:
      'affine: reused steps as one small matrix product, exact because encoder and head are linear; residual: encoder, stored residual and head for each step, by definition',
    source: 'residual: eq. 7 of arXiv 2606.08962; affine: this project, equal within rounding',
  },
  align: alignField,
  tail: {
    type: 'policy',
    offers: 'tail',
    default: UNCACHED_POLICY,
    description:
      'a policy that caches within the chunk and takes over the steps after the range, with its own settings; refreshes stay full',
    source: 'arXiv 2606.08962 says that the two compose; this project',
  },
} as const satisfies FieldTable;

type C3acheSettings = FieldValues<typeof fields>;

/** C3ache: the residual of the whole stack, reused across chunks for a range of steps (arXiv 2606.08962). */
export const c3ache: CachePolicy<typeof fields> = {
  name: 'c3ache',
  title: 'C3ache: residuals of the first steps, reused for R chunks',
  source: 'arXiv 2606.08962',
  fields,
  grain: ({ tail }, companions = {}) => {
    const { policy, values } = companions[tail] ?? {};
    return policy && values ? policy.grain(values) : 'stack';
  },
  refuse: ({ tail, range }, shape, schedule, context = {}) => {
    const refusal = refuseSingleStep('c3ache', shape);
    if (refusal !== undefined) return refusal;
    const bound = boundTail(tail, context.companions, context);
    return bound === undefined ? undefined : refuseTail(bound, range, shape, schedule, context);
  },
  warn: ({ range, refresh_interval }, _shape, schedule) =>
    refresh_interval === 1 ? undefined : coverageWarning(schedule, range),
  createState: (shape, _schedule, resources) => new C3acheState(shape, resources),
};

interface StoredRefresh extends CommittedRefresh {
  readonly values: StepValues;
}

class C3acheState implements CacheState<C3acheSettings> {
  readonly #shape: ExpertShape;
  readonly #resources: CacheResources;
  readonly #memory = new RefreshMemory<StoredRefresh>();

  constructor(shape: ExpertShape, resources: CacheResources = {}) {
    this.#shape = shape;
    this.#resources = resources;
  }

  async run(chunk: ChunkContext, settings: C3acheSettings, expert: Expert): Promise<ChunkOutcome> {
    checkNoise(chunk, this.#shape);
    this.#memory.discard();
    const { range, refresh_interval, max_age, align, mode } = settings;
    const refresh = this.#memory.committed;
    const stored = refresh?.values;
    const later = shiftFor(align, refresh, chunk);
    const unfit = stored === undefined ? 0 : unfitSteps(stored, range);
    let reason = this.#memory.reason(chunk, refresh_interval, max_age);
    if (reason === '') reason = misaligned(later, this.#shape.horizon);
    if (reason === '' && unfit > 0) reason = 'fallback';
    // The residuals are kept only where the mode needs them; the constants alone do not bring them back.
    if (reason === '' && mode === 'residual' && stored?.residuals === undefined) reason = 'mode_changed';
    const verdict = { reason, fallbacks: reason === 'fallback' ? unfit : 0 };

    if (reason !== '' || stored === undefined) {
      const run = await runInFull(expert, chunk.noise, 0, mode === 'residual' || chunk.recordResiduals);
      const values = stepValuesOf(run.full, expert);
      this.#memory.stage({ chunk: chunk.chunk, time: chunk.time, values: keepFor(mode, values) });
      return outcomeOf(run, verdict, this.#shape, chunk);
    }
    const run = await this.#reuse(chunk, settings, expert, shiftedValues(stored, later, this.#shape));
    return outcomeOf(run, verdict, this.#shape, chunk);
  }

  async #reuse(
    chunk: ChunkContext,
    { range, mode, tail: tailName }: C3acheSettings,
    expert: Expert,
    values: StepValues,
  ): Promise<StepRun> {
    const recordResiduals = chunk.recordResiduals ?? false;
    const tail = boundTail(tailName, chunk.companions, this.#resources);
    const to = tail === undefined ? this.#shape.steps : range[1] + 1;
    const prefix = await runWithReuse(expert, chunk.noise, {
      from: 0,
      to,
      reused: inRange(range),
      values,
      mode,
      recordResiduals,
    });
    return tail === undefined
      ? prefix
      : joinRuns(prefix, await tail.run(expert, prefix.x, to, recordResiduals));
  }

  commit(): void {
    this.#memory.commit();
  }

  discard(): void {
    this.#memory.discard();
  }

  clear(reason: string): void {
    this.#memory.clear(reason);
  }

  get bytes(): number {
    return bytesOf(this.#memory.committed?.values) + bytesOf(this.#memory.staged?.values);
  }
}

function keepFor(mode: C3acheSettings['mode'], values: StepValues): StepValues {
  return mode === 'residual' ? values : { constants: values.constants, finite: values.finite };
}
