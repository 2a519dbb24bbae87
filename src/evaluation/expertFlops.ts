import type { ModelDimensions } from '../bundle/layout';

/**
 * Floating-point operations of one full denoising step of the action expert (a multiply and an add are two), with
 * context keys and values computed beforehand. Norms, activations and rotations are left out.
 */
export function expertStepFlops(dims: ModelDimensions): number {
  const { horizon: t, actionHidden: d, actionFfn: f, layers } = dims;
  const inner = dims.heads * dims.headDim;
  const cell = dims.vaeSpatialFactor * 2;
  const video = (dims.height / cell) * (dims.width / cell);
  const context = dims.contextLength + (dims.proprioDim > 0 ? 1 : 0);
  const projections = 6 * t * d * inner; // q, k, v, o of self-attention, q and o of cross-attention
  const attention = 2 * t * (video + t + context) * inner;
  const feedForward = 2 * t * d * f;
  const ends = 2 * t * d * dims.actionDim;
  return 2 * (layers * (projections + attention + feedForward) + ends);
}
