import type { ModelDimensions } from '../bundle/layout';
import type { Dimension, TypedShape } from '../onnx/types';
import { SUB_BLOCKS } from '../bundle/layout';
import type { SubBlock } from '../bundle/layout';

/** What of the sizes an expert's inputs and outputs have. T horizon, a action dimensions, d hidden, L layers. */
export type ExpertSizes = Pick<ModelDimensions, 'horizon' | 'actionDim' | 'actionHidden' | 'layers'>;

const float32 = (...shape: Dimension[]): TypedShape => ({ type: 'float32', shape });
const int64 = (...shape: Dimension[]): TypedShape => ({ type: 'int64', shape });
const bool = (...shape: Dimension[]): TypedShape => ({ type: 'bool', shape });

/** Inputs of the Loop over full steps; M is the number of steps of one call. */
export const stackInputs = ({ horizon: t, actionDim: a }: ExpertSizes) => ({
  /** M */
  count: int64(),
  x: float32(t, a),
  /** denoising step indices */
  index: int64('M'),
  /** x <- x P + q before each step, with one P for all rows or one for each */
  before_scale: float32('M', 'maps', a, a),
  before_shift: float32('M', t, a),
  /** x <- x keep + v gain + pull after the stack: for all rows the same, or for each its own (`EulerStep`) */
  keep: float32('M', 'rows', 1),
  gain: float32('M', 'rows', 1),
  pull: float32('M', 'rows', 'pulls'),
});

/** Outputs of the Loop over full steps. */
export const stackOutputs = ({ horizon: t, actionDim: a, actionHidden: d }: ExpertSizes) => ({
  x_out: float32(t, a),
  /** what entered each stack */
  xs: float32('M', t, a),
  vs: float32('M', t, a),
  /** hL - h0 */
  residuals: float32('M', t, d),
});

/**
 * What a gate reads of its cell beside tensors: both of its cosine thresholds, the norm of the fingerprint, and what
 * the largest deviation is divided by.
 */
export const GATE_NUMBERS = ['tauCos', 'conditionCosine', 'norm', 'scale'] as const;

/** Sub-blocks whose term is multiplied by a gate of the modulation, in order. */
export const GATED_PARTS = ['selfAttention', 'feedForward'] as const satisfies readonly SubBlock[];

/** Inputs of the gated Loop besides those of the plain one. */
export const gateInputs = ({ horizon: t, actionHidden: d, layers: l }: ExpertSizes) => ({
  /** sub-blocks to compute; the others add once more what they computed last (zero at first) */
  sub_blocks: bool('M', l, SUB_BLOCKS.length),
  /**
   * Rows of the modulation, seen as [N L 6, d], that gate the terms of this step. Terms are held before their gate, so
   * this says whether a held one keeps the gate under which it was computed or takes that of the step.
   */
  gate_rows: int64('M', l * GATED_PARTS.length),
  /** start from `hidden` instead of encode(x); for resuming after a probe */
  resume: bool(),
  hidden: float32(t, d),
  /** blocks whose gate may skip them */
  gate_allowed: bool('M', l),
  /** tokens that the spatial entry compares */
  gate_tokens: int64('tokens'),
  /**
   * What the cells keep, (step, block) by (step, block); no rows where nothing is allowed. Block inputs token by
   * token [M L T, d], their means at length 1 [M L, d], residuals [M L, T, d], and the numbers of `GATE_NUMBERS`.
   */
  gate_fingerprints: float32('rows', d),
  gate_unit_means: float32('cells', d),
  gate_residuals: float32('cells', t, d),
  gate_numbers: float32('cells', GATE_NUMBERS.length),
  gate_tau_dev: float32(),
  /** what to write out */
  record_hidden: bool(),
  record_parts: bool(),
});

/** Outputs of the gated Loop besides those of the plain one. */
export const gateOutputs = ({ horizon: t, actionHidden: d, layers: l }: ExpertSizes) => ({
  /** block inputs of every step and hL last, L + 1 states; 0 where not recorded */
  hidden_states: float32('M', 'states', t, d),
  /** contributions of the 3 L sub-blocks; 0 where not recorded */
  parts: float32('M', 'slots', t, d),
  /** whether a gate skipped the block, and what it measured (NaN where none ran) */
  skipped: bool('M', l),
  similarity: float32('M', l),
  deviation: float32('M', l),
});

export type StackInput = keyof ReturnType<typeof stackInputs>;
export type StackOutput = keyof ReturnType<typeof stackOutputs>;
export type GateInput = keyof ReturnType<typeof gateInputs>;
export type GateOutput = keyof ReturnType<typeof gateOutputs>;
