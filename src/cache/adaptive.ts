import { alignField, misaligned, shiftFor, shiftedTokens, shiftedValues } from './alignment';
import { gripperSwitched, observationDrift, residualDrift } from './driftMeasures';
import type { ObservedState, ResidualDrift } from './driftMeasures';
import { coverageWarning, rangeText, refuseSingleStep } from './pathCoverage';
import { RefreshMemory } from './RefreshMemory';
import type { CommittedRefresh } from './refresh';
import { maxAgeField, rangeField, refreshIntervalField } from './sharedFields';
import { checkNoise, joinRuns, outcomeOf, runInFull } from './StepRun';
import { bytesOf, inRange, runWithReuse, stepValuesOf, unfitSteps } from './stepValues';
import type { StepValues } from './stepValues';
import type { FieldTable, FieldValues } from './fields';
import type {
  CachePolicy,
  CacheState,
  ChunkContext,
  ChunkOutcome,
  Expert,
  ExpertShape,
  StepRun,
} from './types';

/** A threshold that is never reached. */
const OFF = 1e9;

const fields = {
  refresh_interval: {
    ...refreshIntervalField,
    description:
      'a chunk refreshes at the latest when this many chunks have passed since the last refresh; 0 = no such limit, 1 = every chunk',
  },
  range: rangeField,
  max_age: maxAgeField,
  align: alignField,
  tolerance: {
    type: 'number',
    description:
      'a chunk refreshes when the first full step after the range predicts that reuse shifts the actions by this much (root mean square); 0 = every chunk',
    unit: 'normalised action',
    default: 0.05,
    min: 0,
    max: OFF,
    source:
      'this project: on recorded episodes of the table-top model no reused chunk was further off than the 0.05 asked for',
  },
  drift_threshold: {
    type: 'number',
    description:
      'theta: a chunk refreshes when the residual of that step has changed by this share since the refresh; 0 = every chunk',
    default: OFF,
    min: 0,
    max: OFF,
    source: 'this project, after the future work of arXiv 2606.08962; off, because tolerance has a unit',
  },
  on_drift: {
    type: 'enum',
    values: ['this_chunk', 'next_chunk'],
    default: 'this_chunk',
    description:
      'what drift leads to: this_chunk looks before the tail runs and computes the chunk anew, at the price of one step; next_chunk costs nothing and comes a chunk late',
    source: 'this project',
  },
  latent_threshold: {
    type: 'number',
    description:
      'a chunk refreshes at once when the image latent has changed by this share since the refresh; 0 = every chunk',
    default: 0.7,
    min: 0,
    max: OFF,
    source:
      'this project: above it the table-top model nearly always drifts too far, so the look at a step is saved',
  },
  proprio_threshold: {
    type: 'number',
    description:
      'a chunk refreshes at once when proprioception has moved by this much since the refresh (root mean square); 0 = every chunk',
    unit: 'normalised proprioception',
    default: 1,
    min: 0,
    max: OFF,
    source: 'this project, as latent_threshold',
  },
  gripper_switch: {
    type: 'boolean',
    default: true,
    description: 'refresh at once when the last chunk commands a gripper the other way than the refresh did',
    source: 'this project, after the events of arXiv 2610.08777',
  },
} as const satisfies FieldTable;

type AdaptiveSettings = FieldValues<typeof fields>;

/** Settings under which nothing that it sees leads to a refresh: C3ache at the price of the looks. */
export const UNMOVED: Partial<AdaptiveSettings> = {
  tolerance: OFF,
  drift_threshold: OFF,
  latent_threshold: OFF,
  proprio_threshold: OFF,
  gripper_switch: false,
};

/** C3ache whose refresh is decided by what the robot sees and by what the first full step after the range shows. */
export const adaptive: CachePolicy<typeof fields> = {
  name: 'adaptive',
  title: 'adaptive: C3ache that refreshes when reuse would move the actions too far',
  source: 'this project; named as future work in arXiv 2606.08962',
  fields,
  grain: () => 'stack',
  refuse: (_settings, shape) => refuseSingleStep('adaptive', shape),
  warn: ({ range, refresh_interval }, { steps }, schedule) => {
    if (refresh_interval === 1) return undefined;
    return range[1] === steps - 1
      ? `adaptive cannot see drift with range ${rangeText(range)}: no step after it runs in full, so only the observation decides`
      : coverageWarning(schedule, range);
  },
  createState: (shape) => new AdaptiveState(shape),
  threshold: { settings: (looseness) => ({ tolerance: looseness }), start: 0.05, says: 'tolerance' },
};

interface StoredRefresh extends CommittedRefresh, ObservedState {
  readonly values: StepValues;
  readonly actions: Float32Array;
}

/** What a chunk leaves for the next one, refreshed or not. */
interface LastChunk {
  readonly actions: Float32Array;
  /** drift was too large and the next chunk has to act on it */
  readonly drifted: boolean;
}

type Signals = Record<string, number>;

class AdaptiveState implements CacheState<AdaptiveSettings> {
  readonly #shape: ExpertShape;
  readonly #memory = new RefreshMemory<StoredRefresh>();
  #last: LastChunk | undefined;
  #staged: LastChunk | undefined;

  constructor(shape: ExpertShape) {
    this.#shape = shape;
  }

  async run(chunk: ChunkContext, settings: AdaptiveSettings, expert: Expert): Promise<ChunkOutcome> {
    checkNoise(chunk, this.#shape);
    this.discard();
    const stored = this.#memory.committed;
    const signals: Signals = {};
    const reason = this.#reason(chunk, settings, signals);
    if (reason !== '' || stored === undefined) {
      const unfit =
        stored !== undefined && reason === 'fallback' ? unfitSteps(stored.values, settings.range) : 0;
      return this.#refresh(chunk, settings, expert, { reason, signals, fallbacks: unfit });
    }

    const { range } = settings;
    const later = shiftFor(settings.align, stored, chunk);
    const plan = {
      reused: inRange(range),
      values: shiftedValues(stored.values, later, this.#shape),
      mode: 'affine' as const,
      recordResiduals: true,
    };
    const looked = range[1] + 1;
    const look = settings.on_drift === 'this_chunk' && looked < this.#shape.steps;
    const until = look ? looked + 1 : this.#shape.steps;
    const first = await runWithReuse(expert, chunk.noise, { ...plan, from: 0, to: until });
    const drift = this.#drift(expert, range, first, stored, later);
    record(signals, drift);
    const drifted = exceeds(drift, settings);
    if (look && drifted) {
      return this.#refresh(chunk, settings, expert, { reason: 'drift', signals, fallbacks: 0 }, first);
    }
    const run =
      until < this.#shape.steps
        ? joinRuns(
            first,
            await runWithReuse(expert, first.x, { ...plan, from: until, to: this.#shape.steps }),
          )
        : first;
    this.#staged = { actions: run.x, drifted: drifted && !look };
    return outcomeOf(run, { reason: '', signals }, this.#shape, chunk);
  }

  commit(): void {
    this.#memory.commit();
    this.#last = this.#staged ?? this.#last;
    this.#staged = undefined;
  }

  discard(): void {
    this.#memory.discard();
    this.#staged = undefined;
  }

  clear(reason: string): void {
    this.#memory.clear(reason);
    this.#last = undefined;
    this.#staged = undefined;
  }

  get bytes(): number {
    return [this.#memory.committed, this.#memory.staged].reduce(
      (sum, refresh) =>
        refresh === undefined
          ? sum
          : sum + bytesOf(refresh.values) + refresh.proprio.byteLength + refresh.latents.byteLength,
      0,
    );
  }

  /** Why the chunk refreshes before anything is computed; empty if it may reuse. Fills in the signals. */
  #reason(chunk: ChunkContext, settings: AdaptiveSettings, signals: Signals): string {
    const rule = this.#memory.reason(chunk, settings.refresh_interval, settings.max_age);
    const stored = this.#memory.committed;
    if (stored === undefined) return rule;
    const { proprioJump, latentChange } = observationDrift(chunk, stored);
    const grippers = chunk.grippers ?? [];
    const actions = this.#last?.actions ?? stored.actions;
    const switched = gripperSwitched(this.#shape, grippers, actions, stored.actions);
    Object.assign(signals, {
      proprio_jump: proprioJump,
      latent_change: latentChange,
      gripper_switch: switched ? 1 : 0,
    });
    if (rule !== '') return rule;
    const unaligned = misaligned(shiftFor(settings.align, stored, chunk), this.#shape.horizon);
    if (unaligned !== '') return unaligned;
    if (unfitSteps(stored.values, settings.range) > 0) return 'fallback';
    if (this.#last?.drifted === true) return 'drift';
    // Nothing is below a threshold of 0, so no look is needed; a look comes a chunk late by definition in next_chunk.
    const never = settings.tolerance === 0 || settings.drift_threshold === 0;
    if (never && settings.on_drift === 'this_chunk') return 'drift';
    if (proprioJump >= settings.proprio_threshold) return 'proprio_jump';
    if (latentChange >= settings.latent_threshold) return 'latent_change';
    return switched && settings.gripper_switch ? 'gripper_switch' : '';
  }

  /** All N steps in full. `wasted` is what ran before the drift was seen. */
  async #refresh(
    chunk: ChunkContext,
    settings: AdaptiveSettings,
    expert: Expert,
    verdict: { readonly reason: string; readonly signals: Signals; readonly fallbacks: number },
    wasted?: StepRun,
  ): Promise<ChunkOutcome> {
    const run = await runInFull(expert, chunk.noise, 0, true);
    const refresh: StoredRefresh = {
      chunk: chunk.chunk,
      time: chunk.time,
      values: stepValuesOf(run.full, expert),
      proprio: chunk.proprio.slice(),
      latents: chunk.latents.slice(),
      actions: run.x,
    };
    this.#memory.stage(refresh);
    const before = this.#memory.committed;
    let drifted = false;
    if (settings.on_drift === 'next_chunk' && before !== undefined) {
      // The drift of one chunk, had the old values been kept: if that is too much, the next chunk cannot reuse.
      const later = shiftFor(settings.align, before, chunk);
      const drift = this.#drift(expert, settings.range, run, before, later);
      record(verdict.signals, drift);
      drifted = exceeds(drift, settings, Math.max(1, chunk.chunk - before.chunk));
    }
    this.#staged = { actions: run.x, drifted };
    return outcomeOf(
      {
        ...run,
        computedSubBlocks: run.computedSubBlocks + (wasted?.computedSubBlocks ?? 0),
        gateSeconds: wasted?.gateSeconds ?? 0,
      },
      verdict,
      this.#shape,
      chunk,
    );
  }

  /**
   * The drift of the step after the range since the refresh, `later` control steps ago; undefined if that step did not
   * run in full, or nothing of what is stored reaches this chunk.
   */
  #drift(
    expert: Expert,
    range: readonly [number, number],
    run: StepRun,
    stored: StoredRefresh,
    later: number,
  ): ResidualDrift | undefined {
    const step = range[1] + 1;
    const now = run.residuals.get(step);
    const size = this.#shape.horizon * this.#shape.hidden;
    const before = stored.values.residuals?.subarray(step * size, (step + 1) * size);
    const { horizon } = this.#shape;
    if (now === undefined || before === undefined || misaligned(later, horizon) !== '') return undefined;
    return residualDrift(expert, range, now, shiftedTokens(before, later, horizon));
  }
}

/** Whether drift, spread over so many chunks, reaches a threshold. */
function exceeds(
  drift: ResidualDrift | undefined,
  { tolerance, drift_threshold }: AdaptiveSettings,
  chunks = 1,
): boolean {
  if (drift === undefined) return false;
  return drift.predictedDeviation / chunks >= tolerance || drift.relative / chunks >= drift_threshold;
}

function record(signals: Signals, drift: ResidualDrift | undefined): void {
  if (drift === undefined) return;
  signals.residual_drift = drift.relative;
  signals.predicted_deviation = drift.predictedDeviation;
}
