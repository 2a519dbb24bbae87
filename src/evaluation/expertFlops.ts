import type { ModelDimensions } from '../bundle/layout';

/**
 * Floating-point operations of one full denoising step of the action expert as the CPU's graph does it (a multiply and
 * an add are two): context keys and outputs are computed beforehand. Norms, activations and rotations are left out.
 * @param textRows distinct rows of the instruction's context
 */
export function expertStepFlops(dims: ModelDimensions, textRows: number): number {
  const { horizon: t, actionHidden: d, actionFfn: f, layers } = dims;
  const inner = dims.heads * dims.headDim;
  const cell = dims.vaeSpatialFactor * 2;
  const video = (dims.height / cell) * (dims.width / cell);
  const context = textRows + (dims.proprioDim > 0 ? 1 : 0);
  const projections = 5 * t * d * inner; // q, k, v, o of self-attention, q of cross-attention
  const selfAttention = 2 * t * (video + t) * inner;
  const crossAttention = t * context * (inner + dims.heads * d);
  const feedForward = 2 * t * d * f;
  const ends = 2 * t * d * dims.actionDim;
  return 2 * (layers * (projections + selfAttention + crossAttention + feedForward) + ends);
}
