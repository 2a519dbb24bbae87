import { horizonFlow, warpTokens } from './horizonWarp';
import { applyLinear } from './linearMap';
import { addScaled } from './matrix';
import {
  inputMotion,
  probeDrift,
  probeProgress,
  quadraticRelaxation,
  residualAlong,
  skipThreshold,
} from './probeDrift';
import { residualsByStep, runInFull, stepElements, subBlocksOfStack } from './StepRun';
import { WithinChunkState } from './WithinChunkState';
import { advance } from '../sampler/eulerStep';
import type { FieldTable, FieldValues } from './fields';
import type { CachePolicy, Expert, ExpertShape, StepRun } from './types';
import { SUB_BLOCKS } from '../bundle/layout';

const PAPER = 'arXiv 2603.22286';

const fields = {
  threshold: {
    type: 'number',
    description:
      'tau_0: a step is skipped while the accumulated drift of the probe stays below this; 0 = never',
    default: 0.08,
    min: 0,
    max: 1e12,
    source: PAPER,
  },
  motion_sensitivity: {
    type: 'number',
    description: 'alpha: how much a moving input lowers the threshold; 0 = not at all (DiCache)',
    default: 2,
    min: 0,
    max: 1e6,
    source: PAPER,
  },
  saliency_weight: {
    type: 'number',
    description:
      'beta_s: how much more the drift of salient horizon positions counts; 0 = all alike (DiCache)',
    default: 0.12,
    min: 0,
    max: 1e6,
    source: PAPER,
  },
  step_relaxation: {
    type: 'number',
    description: 'beta_d: how much later steps raise the threshold; 0 = not at all (DiCache)',
    default: 4,
    min: 0,
    max: 1e6,
    source: PAPER,
  },
  relaxation_mode: {
    type: 'enum',
    values: ['constant', 'quadratic'],
    default: 'constant',
    description:
      'constant: step_relaxation as given; quadratic: from the number of steps N, u^2/6 + u/2 + 10/3 with u = N/35',
    source: `constant: ${PAPER}; quadratic: its code for Cosmos`,
  },
  always_full_share: {
    type: 'number',
    description: 'rho: share of the steps, from the start of a chunk, that are never skipped; 1 = all',
    default: 0.2,
    min: 0,
    max: 1,
    source: `${PAPER}, code`,
  },
  probe_depth: {
    type: 'integer',
    description: 'q: blocks that run at every step to decide about the rest; 0 decides on the embedding',
    unit: 'blocks',
    default: ({ shape }) => Math.min(2, shape.layers - 1),
    min: 0,
    max: 10_000,
    source: `${PAPER}, code for Cosmos: 2`,
  },
  gamma: {
    type: 'enum',
    values: ['osi', 'dicache'],
    default: 'osi',
    description:
      'how far a skipped step goes beyond the last two full ones: by projection of the probe in [0.2, 1.8], or by the ratio of its distances in [1, 2]',
    source: `osi: ${PAPER}; dicache: arXiv 2508.17356`,
  },
  warp: {
    type: 'enum',
    values: ['none', 'lk1d'],
    default: 'none',
    description:
      'lk1d: move the stored residual along the horizon by the flow between successive inputs (experimental)',
    source: `this project, after the 2-D flow of ${PAPER}, which has no meaning for action tokens`,
  },
  slots: {
    type: 'integer',
    description:
      'histories used in turn; 2 reproduces the call parity of the code, which serves two guidance branches',
    default: 1,
    min: 1,
    max: 2,
    source: '1: this project (no guidance branches here); 2: code',
  },
} as const satisfies FieldTable;

type WorldcacheCaSettings = FieldValues<typeof fields>;

/** Content-aware WorldCache: a probe of the first blocks decides at each step about the rest (arXiv 2603.22286). */
export const worldcacheCa: CachePolicy<typeof fields> = {
  name: 'worldcache_ca',
  title: 'WorldCache (content-aware): a probe of the first blocks decides about the rest',
  source: PAPER,
  fields,
  grain: () => 'block',
  refuse: ({ probe_depth }, { layers }) =>
    probe_depth < layers
      ? undefined
      : `probe_depth ${probe_depth}: must be at most ${layers - 1}, the model has ${layers} ${layers === 1 ? 'block' : 'blocks'}`,
  createState: (shape) => new WithinChunkState(shape, runWorldcacheCa),
  // The first step of a chunk has nothing to compare with, so it runs.
  tail: { run: runWorldcacheCa, fewestSteps: () => 2 },
  threshold: { settings: (looseness) => ({ threshold: looseness }), start: 0.08, says: 'threshold' },
};

/** Steps `first`..N-1 of a chunk. */
async function runWorldcacheCa(
  expert: Expert,
  start: Float32Array,
  first: number,
  settings: WorldcacheCaSettings,
  recordResiduals: boolean,
): Promise<StepRun> {
  const { steps } = expert.shape;
  const alwaysFull = Math.max(first, Math.floor(settings.always_full_share * steps));
  // With threshold 0 no drift is below it, so no probe is worth its cost.
  if (alwaysFull >= steps || settings.threshold === 0) {
    return runInFull(expert, start, first, recordResiduals);
  }
  const chunk = new ProbedChunk(expert, start, first, settings, recordResiduals);
  // Decisions look back at two full steps of each history; what lies before them needs no probe.
  await chunk.runUnprobed(alwaysFull - first - 2 * settings.slots);
  while (chunk.step < steps) await chunk.runProbed(chunk.step >= alwaysFull);
  return chunk.result();
}

/** Probe residual y - h0 and stack residual hL - h0 of a full step, [T, d] each. */
interface FullRecord {
  readonly probe: Float32Array;
  readonly stack: Float32Array;
}

/** What one history remembers of the steps before. */
interface History {
  previous?: { readonly input: Float32Array; readonly probe: Float32Array };
  older?: FullRecord;
  newer?: FullRecord;
  /** E: drift since the last full step */
  drift: number;
}

/** One chunk on its way. */
class ProbedChunk {
  /** the step that comes next */
  step: number;

  readonly #expert: Expert;
  readonly #first: number;
  readonly #settings: WorldcacheCaSettings;
  readonly #recordResiduals: boolean;
  readonly #histories: readonly History[];
  readonly #velocity: Float32Array;
  readonly #computed: Uint8Array;
  readonly #residuals = new Map<number, Float32Array>();
  #x: Float32Array;
  #probes = 0;
  #largestDrift = 0;
  #gateSeconds = 0;

  constructor(
    expert: Expert,
    start: Float32Array,
    first: number,
    settings: WorldcacheCaSettings,
    recordResiduals: boolean,
  ) {
    const { shape } = expert;
    this.#expert = expert;
    this.#first = first;
    this.step = first;
    this.#x = start;
    this.#settings = settings;
    this.#recordResiduals = recordResiduals;
    this.#histories = Array.from({ length: settings.slots }, () => ({ drift: 0 }));
    this.#velocity = new Float32Array((shape.steps - first) * stepElements(shape));
    this.#computed = new Uint8Array(shape.steps - first);
  }

  /** Runs the next `count` steps in full and in one call, without a probe. */
  async runUnprobed(count: number): Promise<void> {
    if (count <= 0) return;
    const indices = Array.from({ length: count }, (_, i) => this.step + i);
    const run = await this.#expert.fullSteps(
      this.#x,
      indices.map((index) => ({ index })),
      { residuals: this.#recordResiduals },
    );
    for (const [index, residual] of residualsByStep(run, indices, this.#expert.shape)) {
      this.#residuals.set(index, residual);
    }
    this.#velocity.set(run.vs, (this.step - this.#first) * stepElements(this.#expert.shape));
    this.#computed.fill(1, this.step - this.#first, this.step - this.#first + count);
    this.#x = run.x;
    this.step += count;
  }

  /** Runs the probe of the next step, and the rest of it unless it may be skipped. */
  async runProbed(maySkip: boolean): Promise<void> {
    const { shape, head } = this.#expert;
    const history = this.#histories[this.step % this.#histories.length];
    if (history === undefined) return;
    const { h0, y } = await this.#expert.probe(this.#x, this.step, this.#settings.probe_depth);
    this.#probes++;
    const before = performance.now();
    const hidden =
      maySkip && this.#staysBelow(history, h0, y) ? this.#approximate(history, h0, y) : undefined;
    if (hidden !== undefined) {
      const v = applyLinear(head, hidden, shape.horizon);
      this.#store(v);
      this.#x = Float32Array.from(advance(this.#x, v, this.#expert.step(this.step)));
      this.#gateSeconds += (performance.now() - before) / 1000;
    } else {
      this.#gateSeconds += (performance.now() - before) / 1000;
      const { x, v, hL } = await this.#expert.resume(this.#x, y, this.step, this.#settings.probe_depth);
      history.drift = 0;
      if (history.newer !== undefined) history.older = history.newer;
      history.newer = {
        probe: Float32Array.from(addScaled(y, h0, -1)),
        stack: Float32Array.from(addScaled(hL, h0, -1)),
      };
      if (this.#recordResiduals) this.#residuals.set(this.step, history.newer.stack);
      this.#store(v);
      this.#computed[this.step - this.#first] = 1;
      this.#x = x;
    }
    history.previous = { input: h0, probe: y };
    this.step++;
  }

  /** Adds the drift of this step and says whether it stays below the threshold. */
  #staysBelow(history: History, h0: Float32Array, y: Float32Array): boolean {
    const { previous } = history;
    if (previous === undefined || history.newer === undefined) return false;
    const { shape } = this.#expert;
    const { threshold, motion_sensitivity, step_relaxation, relaxation_mode, saliency_weight } =
      this.#settings;
    history.drift += probeDrift(y, previous.probe, shape.hidden, saliency_weight);
    this.#largestDrift = Math.max(this.#largestDrift, history.drift);
    const limit = skipThreshold(
      {
        threshold,
        motionSensitivity: motion_sensitivity,
        stepRelaxation: relaxation_mode === 'quadratic' ? quadraticRelaxation(shape.steps) : step_relaxation,
      },
      inputMotion(h0, previous.input),
      this.step,
      shape.steps,
    );
    return history.drift < limit;
  }

  /** hL from the last one or two full steps: h0 + R_a + gamma (R_b - R_a), warped if asked for. */
  #approximate(history: History, h0: Float32Array, y: Float32Array): Float64Array | undefined {
    const { older, newer, previous } = history;
    if (newer === undefined || previous === undefined) return undefined;
    const stack =
      older === undefined
        ? newer.stack
        : residualAlong(
            probeProgress(this.#settings.gamma, addScaled(y, h0, -1), older.probe, newer.probe),
            older.stack,
            newer.stack,
          );
    const hidden = addScaled(h0, stack, 1);
    const { steps, hidden: channels } = this.#expert.shape;
    if (this.#settings.warp === 'none' || this.step < Math.ceil((5 / 35) * steps)) return hidden;
    const flow = horizonFlow(previous.input, h0, channels);
    const moved = addScaled(warpTokens(newer.stack, flow, channels), newer.stack, -1);
    return addScaled(hidden, moved, 1);
  }

  #store(velocity: Float32Array): void {
    this.#velocity.set(velocity, (this.step - this.#first) * stepElements(this.#expert.shape));
  }

  result(): StepRun {
    const { shape } = this.#expert;
    const full = this.#computed.reduce((sum, flag) => sum + flag, 0);
    const skipped = this.#computed.length - full;
    return {
      x: this.#x,
      velocity: this.#velocity,
      computed: this.#computed,
      computedSubBlocks:
        full * subBlocksOfStack(shape) + skipped * SUB_BLOCKS.length * this.#settings.probe_depth,
      residuals: this.#residuals,
      gateSeconds: this.#gateSeconds,
      bytes: this.#histories.reduce((sum, history) => sum + bytesOf(history, shape), 0),
      signals: { probes: this.#probes, accumulated_drift: this.#largestDrift },
    };
  }
}

/** Two states for the step before, two for each full step on record; float32. */
function bytesOf(history: History, { horizon, hidden }: ExpertShape): number {
  const kept = [history.previous, history.older, history.newer].filter((entry) => entry !== undefined);
  return kept.length * 2 * 4 * horizon * hidden;
}
