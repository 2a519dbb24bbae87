import { BlockCells } from './BlockCells';
import { cosineThreshold, spreadTokens } from './blockGate';
import type { GateRule } from './blockGate';
import { addScaled } from './matrix';
import { observationCondition } from './observationCondition';
import type { ObservationCondition } from './observationCondition';
import { RefreshMemory } from './RefreshMemory';
import type { CommittedRefresh } from './refresh';
import { maxAgeField, refreshIntervalField } from './sharedFields';
import { checkNoise, subBlocksOfStack, timed } from './StepRun';
import type { FieldTable, FieldValues } from './fields';
import type {
  BlockGate,
  CachePolicy,
  CacheState,
  ChunkContext,
  ChunkOutcome,
  Expert,
  ExpertShape,
  GatedRun,
} from './types';
import { SUB_BLOCKS } from '../bundle/layout';

const PAPER = 'arXiv 2604.20289, table 1';
const EPSILON = 1e-6;

const fields = {
  refresh_interval: {
    ...refreshIntervalField,
    shared: false,
    description:
      'every so many chunks all blocks are computed (the KV-update chunk of the paper); 0 = only the first, 1 = every chunk',
    source:
      'arXiv 2604.20289: a reuse window of 4 chunks; its KV-update protection becomes a periodic refresh here',
  },
  max_age: maxAgeField,
  tau_floor: {
    type: 'number',
    description:
      'smallest cosine with the stored fingerprint at which a block may be skipped; above 1 = never',
    default: 0.97,
    min: -1,
    max: 2,
    source: PAPER,
  },
  margin: {
    type: 'number',
    description: 'm: how far the cosine may fall below its own running mean',
    default: 0.02,
    min: 0,
    max: 4,
    source: PAPER,
  },
  ema_alpha: {
    type: 'number',
    description: 'weight of the newest cosine in the running mean',
    default: 0.3,
    min: 0,
    max: 1,
    source: PAPER,
  },
  tau_dev: {
    type: 'number',
    description:
      'a block may be skipped while no element deviates from the fingerprint by this many times its mean magnitude; 0 = never',
    default: 2,
    min: 0,
    max: 1e12,
    source: PAPER,
  },
  warmup_chunks: {
    type: 'integer',
    description: 'chunks at the start of an episode that are computed in full',
    unit: 'chunks',
    default: 1,
    min: 0,
    max: 1_000_000,
    source: PAPER,
  },
  front_anchors: {
    type: 'integer',
    description:
      'first blocks that are always computed; with fixed noise they alone bring in the new observation',
    unit: 'blocks',
    default: 1,
    min: 0,
    max: 10_000,
    source: PAPER,
  },
  back_anchors: {
    type: 'integer',
    description: 'last blocks that are always computed',
    unit: 'blocks',
    default: 0,
    min: 0,
    max: 10_000,
    source: PAPER,
  },
  max_consecutive_skips: {
    type: 'integer',
    description: 'chunks in a row in which the same block of the same step may be skipped; 0 = any number',
    unit: 'chunks',
    default: 0,
    min: 0,
    max: 1_000_000,
    source: PAPER,
  },
  protect_first_step: {
    type: 'boolean',
    default: false,
    description: 'compute all blocks of the first denoising step',
    source: PAPER,
  },
  first_step_threshold: {
    type: 'number',
    description: 'a stricter smallest cosine for the first denoising step; -1 = the same as for the others',
    default: -1,
    min: -1,
    max: 2,
    source: 'arXiv 2604.20289: 0.999 in its relaxed protection of step 0',
  },
  fp_tokens: {
    type: 'integer',
    description:
      'tokens of a block input that are compared, spread evenly over the horizon; fewer make the gate cheaper',
    unit: 'tokens',
    default: 32,
    min: 1,
    max: 100_000,
    source: 'arXiv 2604.20289: 32, all where there are no more',
  },
} as const satisfies FieldTable;

type XCacheSettings = FieldValues<typeof fields>;

/** X-Cache: residuals of single blocks reused across chunks behind a gate on their inputs (arXiv 2604.20289). */
export const xCache: CachePolicy<typeof fields> = {
  name: 'x_cache',
  title: 'X-Cache: single blocks reused across chunks where their inputs look alike',
  source: 'arXiv 2604.20289',
  fields,
  grain: () => 'block',
  refuse: () => undefined,
  warn: ({ front_anchors, back_anchors }, { layers }) => {
    if (front_anchors + back_anchors >= layers) {
      return `x_cache skips nothing: ${front_anchors} + ${back_anchors} anchors cover all ${layers} blocks`;
    }
    return front_anchors === 0
      ? 'x_cache without front anchors: with fixed noise the first block looks alike in every chunk, so the observation can be missed'
      : undefined;
  },
  createState: (shape) => new XCacheState(shape),
  threshold: {
    // The margin follows, so that the running mean never asks for more than the floor; the cosine alone decides.
    settings: (looseness) => ({
      tau_floor: Math.max(-1, 1 - looseness),
      margin: Math.min(4, looseness),
      tau_dev: 1e9,
    }),
    start: 0.03,
    says: 'tau_floor = 1 - u with margin = u and tau_dev off',
  },
};

/** What a chunk would leave behind. */
interface StagedRun {
  readonly run: GatedRun;
  readonly evaluated: Uint8Array;
  readonly condition: ObservationCondition;
  readonly rule: GateRule;
}

class XCacheState implements CacheState<XCacheSettings> {
  readonly #shape: ExpertShape;
  /** when the next periodic refresh is due; the tensors are in the cells */
  readonly #memory = new RefreshMemory<CommittedRefresh>();
  #cells: BlockCells | undefined;
  #staged: StagedRun | undefined;

  constructor(shape: ExpertShape) {
    this.#shape = shape;
  }

  async run(chunk: ChunkContext, settings: XCacheSettings, expert: Expert): Promise<ChunkOutcome> {
    checkNoise(chunk, this.#shape);
    this.discard();
    const { warmup_chunks, refresh_interval, max_age } = settings;
    const due = this.#memory.reason(chunk, refresh_interval, max_age);
    // A warm-up chunk is full, but does not move the rhythm of the periodic ones: chunk mod R.
    const reason = due === '' && chunk.chunk < warmup_chunks ? 'warmup' : due;
    const rule = { floor: settings.tau_floor, margin: settings.margin, alpha: settings.ema_alpha };
    const { result, seconds } = timed(() => {
      const cells = (this.#cells ??= new BlockCells(this.#shape));
      const condition = observationCondition(chunk);
      return { cells, condition, gate: this.#gate(cells, condition, settings, rule, reason !== '') };
    });

    const run = await expert.gatedSteps(chunk.noise, result.gate);
    this.#staged = { run, evaluated: result.gate.allowed, condition: result.condition, rule };
    if (due !== '') this.#memory.stage({ chunk: chunk.chunk, time: chunk.time });
    return this.#outcome(run, result.gate, reason, reason === '' ? result.cells.unfit : 0, seconds, chunk);
  }

  commit(): void {
    if (this.#staged === undefined) return;
    const { run, evaluated, condition, rule } = this.#staged;
    this.#cells?.update(run, evaluated, condition, rule);
    this.#memory.commit();
    this.#staged = undefined;
  }

  discard(): void {
    this.#staged = undefined;
    this.#memory.discard();
  }

  clear(reason: string): void {
    this.#cells = undefined;
    this.#staged = undefined;
    this.#memory.clear(reason);
  }

  get bytes(): number {
    return (this.#cells?.bytes ?? 0) + (this.#staged?.run.hidden.byteLength ?? 0);
  }

  #gate(
    cells: BlockCells,
    condition: ObservationCondition,
    settings: XCacheSettings,
    rule: GateRule,
    forced: boolean,
  ): BlockGate {
    const { steps, layers, horizon } = this.#shape;
    const tauCos = new Float32Array(steps * layers);
    const allowed = new Uint8Array(steps * layers);
    for (let cell = 0; cell < steps * layers; cell++) {
      const step = Math.floor(cell / layers);
      const layer = cell % layers;
      const usual = cosineThreshold(cells.similarityMean(cell), rule);
      tauCos[cell] = step === 0 ? Math.max(usual, settings.first_step_threshold) : usual;
      const anchor = layer < settings.front_anchors || layer >= layers - settings.back_anchors;
      const protectedStep = step === 0 && settings.protect_first_step;
      const free = !forced && !anchor && !protectedStep;
      allowed[cell] = free && cells.reusable(cell, settings.max_consecutive_skips) ? 1 : 0;
    }
    cells.fingerprints.compareAt(spreadTokens(horizon, settings.fp_tokens));
    return {
      fingerprints: cells.fingerprints,
      residuals: cells.residuals,
      tauCos,
      conditionCosine: cells.conditionCosine(condition),
      allowed,
      tauDev: settings.tau_dev,
      epsilon: EPSILON,
    };
  }

  #outcome(
    run: GatedRun,
    gate: BlockGate,
    reason: string,
    fallbacks: number,
    gateSeconds: number,
    chunk: ChunkContext,
  ): ChunkOutcome {
    const { steps, layers } = this.#shape;
    const computed = run.skipped.map((flag) => 1 - flag);
    const computedBlocks = computed.reduce((sum, flag) => sum + flag, 0);
    const fullSteps = Array.from({ length: steps }, (_, k) => k).filter((k) =>
      computed.subarray(k * layers, (k + 1) * layers).every((flag) => flag === 1),
    );
    const evaluated = run.similarity.filter((_, cell) => gate.allowed[cell] === 1);
    return {
      x: run.x,
      velocity: run.vs,
      computed,
      computedShape: 'blocks',
      refreshed: reason !== '',
      reason,
      fullSteps: fullSteps.length,
      reusedSteps: steps - fullSteps.length,
      stackEvaluations: (computedBlocks * SUB_BLOCKS.length) / subBlocksOfStack(this.#shape),
      computedSubBlocks: computedBlocks * SUB_BLOCKS.length,
      gateSeconds,
      signals:
        evaluated.length === 0
          ? {}
          : {
              gates: evaluated.length,
              smallest_cosine: evaluated.reduce((least, value) => Math.min(least, value), Infinity),
              mean_cosine: evaluated.reduce((sum, value) => sum + value, 0) / evaluated.length,
            },
      fallbacks,
      ...(chunk.recordResiduals === true ? { residuals: this.#residuals(run, fullSteps) } : {}),
    };
  }

  /** hL - h0 of the steps in which every block ran. */
  #residuals(run: GatedRun, steps: readonly number[]): ReadonlyMap<number, Float32Array> {
    const { layers, horizon, hidden } = this.#shape;
    const size = horizon * hidden;
    const state = (row: number) => run.hidden.subarray(row * size, (row + 1) * size);
    return new Map(
      steps.map((k) => {
        const first = k * (layers + 1);
        return [k, Float32Array.from(addScaled(state(first + layers), state(first), -1))];
      }),
    );
  }
}
