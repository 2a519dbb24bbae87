import { addScaled, at, identity, multiply, multiplyTransposed, transpose } from './matrix';
import type { Numbers } from './matrix';
import type { LinearMap } from './types';

/**
 * The affine algebra of reused denoising steps. Encoder and head of Fast-WAM are plain linear maps,
 * so a step whose stack residual R is taken from a cache is affine in x: v = x A^T + D, and any run of such Euler steps
 * is one small row map x -> x P + q. Everything is float64; x and D are [T, a], A and P are [a, a], rows are tokens.
 */

/** x -> x P + q with P [a, a] and q [T, a]. */
export interface RowMap {
  readonly P: Float64Array;
  readonly q: Float64Array;
}

/** One reused Euler step: its (negative) step size and its constant D [T, a]. */
export interface ReusedStep {
  readonly delta: number;
  readonly D: Numbers;
}

/** A = W_h W_e, [a, a] row-major (§6.1); depends on the weights only. */
export function stepMatrix(encoder: LinearMap, head: LinearMap): Float64Array {
  return multiply(head.weight, encoder.weight, head.outputs, head.inputs, encoder.inputs);
}

/** D = (R + 1 b_e^T) W_h^T + 1 b_h^T [T, a] of a stack residual R [T, d] (§6.1). */
export function constantOfResidual(encoder: LinearMap, head: LinearMap, residual: Numbers): Float64Array {
  const { inputs: hidden, outputs: actionDim } = head;
  const tokens = residual.length / hidden;
  const shifted = Float64Array.from(
    { length: residual.length },
    (_, i) => at(residual, i) + at(encoder.bias, i % hidden),
  );
  const product = multiplyTransposed(shifted, head.weight, tokens, hidden, actionDim);
  return product.map((value, i) => value + at(head.bias, i % actionDim));
}

/** D = v - x A^T [T, a] of a step that ran in full from x to the velocity v (§6.1): the residual is not needed. */
export function constantOfVelocity(A: Float64Array, x: Numbers, velocity: Numbers): Float64Array {
  return addScaled(velocity, timesTransposed(x, A), -1);
}

/** v = x A^T + D, [T, a]. */
export function reusedVelocity(A: Float64Array, x: Numbers, D: Numbers): Float64Array {
  return addScaled(timesTransposed(x, A), D, 1);
}

/**
 * The row map of consecutive reused Euler steps (§6.2): P' = P (I + delta A)^T, q' = q (I + delta A)^T + delta D.
 * An empty run is the identity with q = 0, for which `elements` (T a) gives the size.
 */
export function composeReusedSteps(A: Float64Array, steps: readonly ReusedStep[], elements: number): RowMap {
  const actionDim = Math.sqrt(A.length);
  const tokens = elements / actionDim;
  const unit = identity(actionDim);
  const rowsOfA = transpose(A, actionDim, actionDim);
  let P: Float64Array = unit;
  let q: Float64Array = new Float64Array(elements);
  for (const { delta, D } of steps) {
    const factor = addScaled(unit, rowsOfA, delta);
    P = multiply(P, factor, actionDim, actionDim, actionDim);
    q = addScaled(multiply(q, factor, tokens, actionDim, actionDim), D, delta);
  }
  return { P, q };
}

/** x P + q, [T, a]. */
export function applyRowMap(x: Numbers, { P, q }: RowMap): Float64Array {
  const actionDim = Math.sqrt(P.length);
  return addScaled(multiply(x, P, x.length / actionDim, actionDim, actionDim), q, 1);
}

/**
 * The end of a run of reused steps from its start, given where the refresh trajectory started and ended the same run
 * (difference form, §6.3): x_end = x_end^r + (x_start - x_start^r) P. Neither D nor q is needed.
 */
export function endByDifference(
  P: Float64Array,
  start: Numbers,
  refreshStart: Numbers,
  refreshEnd: Numbers,
): Float64Array {
  return applyRowMap(addScaled(start, refreshStart, -1), { P, q: Float64Array.from(refreshEnd) });
}

/**
 * How far a run of reused steps ends from where it should, if the velocity constant of each of its steps is off by
 * `errors[i]` [T, a] (§6.4): sum of delta_k e_k prod_{i>k} (I + delta_i A)^T.
 */
export function shiftOfStaleSteps(
  A: Float64Array,
  steps: readonly { readonly delta: number; readonly error: Numbers }[],
  elements: number,
): Float64Array {
  return composeReusedSteps(
    A,
    steps.map(({ delta, error }) => ({ delta, D: error })),
    elements,
  ).q;
}

function timesTransposed(x: Numbers, A: Float64Array): Float64Array {
  const actionDim = Math.sqrt(A.length);
  return multiplyTransposed(x, A, x.length / actionDim, actionDim, actionDim);
}
