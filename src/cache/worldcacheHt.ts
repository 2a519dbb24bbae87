import { FastWamError } from '../errors';
import { applyLinear } from './linearMap';
import { addScaled, at } from './matrix';
import { chaoticError, forecastFrom, forecastOutput } from './hermiteForecast';
import type { Forecast, ForecastMoment, TimedOutput, Token } from './hermiteForecast';
import { residualsByStep, stepElements, subBlocksOfStack } from './StepRun';
import { WithinChunkState } from './WithinChunkState';
import { advance } from '../sampler/eulerStep';
import type { FieldTable, FieldValues } from './fields';
import type { CachePolicy, Expert, ExpertShape, StepRun } from './types';

const PAPER = "arXiv 2603.06331, authors' code";

const fields = {
  warmup_steps: {
    type: 'integer',
    description: 'steps at the start of a chunk that always run in full; a forecast needs three',
    unit: 'steps',
    default: 3,
    min: 1,
    max: 10_000,
    source: `${PAPER}: 5 and 10 of 50; 3 of 10 is the schedule measured on FastWAM-Joint`,
  },
  max_predicted: {
    type: 'integer',
    description: 'most steps in a row that are predicted; 0 = none',
    unit: 'steps',
    default: 6,
    min: 0,
    max: 10_000,
    source: `${PAPER}: 2 (Aether), 6 (Voyager)`,
  },
  error_budget: {
    type: 'number',
    description:
      'eta: the next step runs in full when the accumulated motion of chaotic tokens reaches this; 0 = every step',
    default: 1,
    min: 0,
    max: 1e12,
    source: `${PAPER}: 0.2 (Aether), 1.0 (Voyager); calibrate`,
  },
  stable_quantile: {
    type: 'number',
    description: 'tokens with a curvature below this quantile are stable and keep their last output',
    default: 0.3,
    min: 0,
    max: 1,
    source: `${PAPER}: 0.2 (Aether), 0.3 (Voyager)`,
  },
  chaotic_quantile: {
    type: 'number',
    description: 'tokens with a curvature at or above this quantile are chaotic and are damped',
    default: 0.7,
    min: 0,
    max: 1,
    source: `${PAPER}: 0.8 (Aether), 0.7 (Voyager)`,
  },
  clock: {
    type: 'enum',
    values: ['index', 'sigma'],
    default: 'index',
    description:
      'time in which outputs are extrapolated: the step index, or sigma, whose steps grow 16-fold at shift 5',
    source: `index: ${PAPER}; sigma: this project`,
  },
  space: {
    type: 'enum',
    values: ['output', 'hidden'],
    default: 'output',
    description:
      'what is predicted: the velocity, or the output of the last block, to which the head is applied',
    source: `output: ${PAPER}; hidden: this project`,
  },
  error_mean: {
    type: 'enum',
    values: ['all', 'chaotic'],
    default: 'all',
    description: 'tokens over which the motion of the chaotic ones is averaged',
    source: `all: ${PAPER}; chaotic: this project`,
  },
  modality_split: {
    type: 'boolean',
    default: false,
    description:
      'treat translation, rotation and gripper (7 action dimensions), or the joints and the gripper of each arm (14), as tokens of their own',
    source: `${PAPER} splits colour, depth and ray maps; the split of actions is this project's`,
  },
} as const satisfies FieldTable;

type WorldcacheHtSettings = FieldValues<typeof fields>;

/** Sizes of the groups of one action, by its number of dimensions. */
const MODALITIES = new Map<number, readonly number[]>([
  [7, [3, 3, 1]],
  [14, [6, 1, 6, 1]],
]);

/** WorldCache for heterogeneous tokens: outputs predicted within a chunk by curvature groups (arXiv 2603.06331). */
export const worldcacheHt: CachePolicy<typeof fields> = {
  name: 'worldcache_ht',
  title: 'WorldCache (heterogeneous): outputs predicted within a chunk',
  source: 'arXiv 2603.06331',
  fields,
  grain: () => 'stack',
  refuse: ({ stable_quantile, chaotic_quantile, modality_split, space }, shape) => {
    if (stable_quantile > chaotic_quantile) {
      return `stable_quantile ${stable_quantile} must not be above chaotic_quantile ${chaotic_quantile}`;
    }
    if (!modality_split) return undefined;
    if (space === 'hidden') return 'modality_split needs space output: the hidden state has no modalities';
    return MODALITIES.has(shape.actionDim)
      ? undefined
      : `modality_split knows actions of 7 (3 + 3 + 1) and 14 (6 + 1 + 6 + 1) dimensions, this model has ${shape.actionDim}`;
  },
  warn: (settings, shape) =>
    shortestPrediction(settings) > shape.steps
      ? `worldcache_ht predicts nothing: ${shape.steps} steps are fewer than the ${shortestPrediction(settings)} that warm-up, one prediction and the last step take`
      : undefined,
  createState: (shape) => new WithinChunkState(shape, runWorldcacheHt),
  tail: { run: runWorldcacheHt, fewestSteps: shortestPrediction },
  threshold: {
    settings: (looseness) => ({ error_budget: looseness }),
    start: 0.2,
    says: 'error_budget',
  },
};

/** Fewest steps of which one is predicted: the warm-up, that one, and the last step, which is always full. */
function shortestPrediction({ warmup_steps }: Pick<WorldcacheHtSettings, 'warmup_steps'>): number {
  return Math.max(warmup_steps, HISTORY) + 2;
}

/** Full outputs that a curvature needs. */
const HISTORY = 3;

/** Steps `first`..N-1 of a chunk; the warm-up counts from `first`. */
async function runWorldcacheHt(
  expert: Expert,
  start: Float32Array,
  first: number,
  settings: WorldcacheHtSettings,
  recordResiduals: boolean,
): Promise<StepRun> {
  const chunk = new ForecastingChunk(expert, start, first, settings, recordResiduals);
  while (chunk.step < expert.shape.steps) {
    const full = chunk.fullStepsAhead();
    if (full > 0) await chunk.runFull(full);
    else chunk.predict();
  }
  return chunk.result();
}

/** One chunk on its way: what ran, what was seen, and where x stands. */
class ForecastingChunk {
  /** the step that comes next */
  step: number;

  readonly #expert: Expert;
  readonly #first: number;
  readonly #settings: WorldcacheHtSettings;
  readonly #recordResiduals: boolean;
  readonly #tokens: readonly Token[];
  readonly #velocity: Float32Array;
  readonly #computed: Uint8Array;
  readonly #residuals = new Map<number, Float32Array>();
  #x: Float32Array;
  #history: readonly TimedOutput[] = [];
  #forecast: Forecast | undefined;
  #latestFull = -1;
  #error = 0;
  #largestError = 0;
  #gateSeconds = 0;

  constructor(
    expert: Expert,
    start: Float32Array,
    first: number,
    settings: WorldcacheHtSettings,
    recordResiduals: boolean,
  ) {
    const { shape } = expert;
    this.#expert = expert;
    this.#x = start;
    this.#first = first;
    this.step = first;
    this.#settings = settings;
    this.#recordResiduals = recordResiduals;
    this.#tokens = tokensOf(shape, settings);
    this.#velocity = new Float32Array((shape.steps - first) * stepElements(shape));
    this.#computed = new Uint8Array(shape.steps - first);
  }

  /** How many steps from here on run in full for certain: after a full step the accumulated error is 0. */
  fullStepsAhead(): number {
    const { steps } = this.#expert.shape;
    let count = 0;
    while (
      this.step + count < steps &&
      this.#mustRun(
        this.step + count,
        this.#history.length + count,
        count === 0 ? this.#latestFull : this.step + count - 1,
        count === 0 ? this.#error : 0,
      )
    ) {
      count++;
    }
    return count;
  }

  /** Whether step k runs in full if `outputs` full steps lie before it, the latest of them at `latest`. */
  #mustRun(k: number, outputs: number, latest: number, error: number): boolean {
    const { warmup_steps, error_budget, max_predicted } = this.#settings;
    return (
      k - this.#first < warmup_steps ||
      k === this.#expert.shape.steps - 1 ||
      outputs < HISTORY ||
      error >= error_budget ||
      k - latest > max_predicted
    );
  }

  /** Runs the next `count` steps in full, in one call, and learns from their outputs. */
  async runFull(count: number): Promise<void> {
    const { shape } = this.#expert;
    const hidden = this.#settings.space === 'hidden';
    const indices = Array.from({ length: count }, (_, i) => this.step + i);
    const run = await this.#expert.fullSteps(
      this.#x,
      indices.map((index) => ({ index })),
      { residuals: hidden || this.#recordResiduals },
    );
    const began = performance.now();
    const size = stepElements(shape);
    const residuals = residualsByStep(run, indices, shape);
    indices.forEach((index, i) => {
      const residual = residuals.get(index);
      const values =
        hidden && residual !== undefined
          ? addScaled(applyLinear(this.#expert.encoder, slice(run.xs, i, size), shape.horizon), residual, 1)
          : slice(run.vs, i, size);
      this.#history = [...this.#history, { time: this.#timeOf(index), values }].slice(-HISTORY);
      if (residual !== undefined && this.#recordResiduals) this.#residuals.set(index, residual);
    });
    const [oldest, middle, latest] = this.#history;
    if (oldest !== undefined && middle !== undefined && latest !== undefined) {
      const { stable_quantile: stable, chaotic_quantile: chaotic } = this.#settings;
      this.#forecast = forecastFrom([oldest, middle, latest], this.#tokens, { stable, chaotic });
    }
    this.#velocity.set(run.vs, (this.step - this.#first) * size);
    this.#computed.fill(1, this.step - this.#first, this.step - this.#first + count);
    this.#x = run.x;
    this.step += count;
    this.#latestFull = this.step - 1;
    this.#error = 0;
    this.#gateSeconds += (performance.now() - began) / 1000;
  }

  /** Predicts the velocity of the next step: neither encoder, stack nor, in the output space, head runs. */
  predict(): void {
    const forecast = this.#forecast;
    if (forecast === undefined) throw new FastWamError(`no forecast at denoising step ${this.step}`);
    const began = performance.now();
    const { shape, head } = this.#expert;
    const output = forecastOutput(forecast, this.#tokens, this.#moment(this.step));
    const v =
      this.#settings.space === 'hidden'
        ? applyLinear(head, output, shape.horizon)
        : Float32Array.from(output);
    this.#error += chaoticError(
      forecast,
      this.#tokens,
      this.#moment(this.step - 1),
      this.#moment(this.step),
      this.#settings.error_mean,
    );
    this.#largestError = Math.max(this.#largestError, this.#error);
    this.#velocity.set(v, (this.step - this.#first) * stepElements(shape));
    this.#x = Float32Array.from(advance(this.#x, v, this.#expert.step(this.step)));
    this.step++;
    this.#gateSeconds += (performance.now() - began) / 1000;
  }

  result(): StepRun {
    const full = this.#computed.reduce((sum, flag) => sum + flag, 0);
    const values = this.#tokens.reduce((sum, token) => sum + token.length, 0);
    return {
      x: this.#x,
      velocity: this.#velocity,
      computed: this.#computed,
      computedSubBlocks: full * subBlocksOfStack(this.#expert.shape),
      residuals: this.#residuals,
      gateSeconds: this.#gateSeconds,
      // Three float32 outputs and two float64 velocities.
      bytes: full < this.#computed.length ? values * (HISTORY * 4 + 2 * 8) : 0,
      signals: { accumulated_error: this.#largestError },
    };
  }

  #timeOf(step: number): number {
    return this.#settings.clock === 'index' ? step : at(this.#expert.schedule.sigma, step);
  }

  #moment(step: number): ForecastMoment {
    return {
      time: this.#timeOf(step),
      predicted: step - this.#latestFull,
      maxPredicted: this.#settings.max_predicted,
    };
  }
}

/** The tokens of an output: one for each horizon position, or one for each modality of it. */
function tokensOf(shape: ExpertShape, settings: WorldcacheHtSettings): readonly Token[] {
  const width = settings.space === 'hidden' ? shape.hidden : shape.actionDim;
  const lengths = (settings.modality_split ? MODALITIES.get(width) : undefined) ?? [width];
  return Array.from({ length: shape.horizon }, (_, position) => {
    let offset = position * width;
    return lengths.map((length) => {
      offset += length;
      return { offset: offset - length, length };
    });
  }).flat();
}

function slice(values: Float32Array, row: number, size: number): Float32Array {
  return values.subarray(row * size, (row + 1) * size);
}
