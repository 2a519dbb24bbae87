import { addScaled, at, identity, multiply, multiplyTransposed, transpose } from './matrix';
import type { Numbers } from './matrix';
import type { LinearMap } from './types';
import { NOTHING, isGuided } from '../sampler/eulerStep';
import type { EulerStep } from '../sampler/eulerStep';

/**
 * The affine algebra of reused denoising steps. Encoder and head of Fast-WAM are plain linear maps, h0 = x W_e^T + b_e
 * and v = hL W_h^T + b_h. With hL = h0 + R (eq. 7 of arXiv 2606.08962), R from a cache, a step is therefore affine in x:
 * v = x A^T + D with A = W_h W_e and D = (R + 1 b_e^T) W_h^T + 1 b_h^T. An Euler step x' = x + delta v is then
 * x' = x (I + delta A)^T + delta D, and any run of such steps is one small row map x -> x P + q. Everything is float64;
 * x and D are [T, a], A and P are [a, a], rows are tokens.
 */

/** x -> x P + q with q [T, a], and P [a, a] or [T, a, a] where each row has its own. */
export interface RowMap {
  readonly P: Float64Array;
  readonly q: Float64Array;
}

/** One reused Euler step: how x moves in it, and its constant D [T, a]. */
export interface ReusedStep {
  readonly euler: EulerStep;
  readonly D: Numbers;
}

/** A = W_h W_e, [a, a] row-major; depends on the weights only. */
export function stepMatrix(encoder: LinearMap, head: LinearMap): Float64Array {
  return multiply(head.weight, encoder.weight, head.outputs, head.inputs, encoder.inputs);
}

/** D = (R + 1 b_e^T) W_h^T + 1 b_h^T [T, a] of a stack residual R [T, d]. */
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

/** D = v - x A^T [T, a] of a step that ran in full from x to the velocity v: the residual is not needed. */
export function constantOfVelocity(A: Float64Array, x: Numbers, velocity: Numbers): Float64Array {
  return addScaled(velocity, timesTransposed(x, A), -1);
}

/** v = x A^T + D, [T, a]. */
export function reusedVelocity(A: Float64Array, x: Numbers, D: Numbers): Float64Array {
  return addScaled(timesTransposed(x, A), D, 1);
}

/**
 * The row map of consecutive reused Euler steps: P' = P F and q' = q F + gain D + pull with
 * F = keep I + gain A^T, which without guidance is (I + delta A)^T. Guided steps have a P for each row. An empty run is
 * the identity with q = 0, for which `elements` (T a) gives the size.
 */
export function composeReusedSteps(A: Float64Array, steps: readonly ReusedStep[], elements: number): RowMap {
  const actionDim = Math.sqrt(A.length);
  const tokens = elements / actionDim;
  if (!steps.some(({ euler }) => isGuided(euler))) return composeRows(A, steps, 0, tokens);
  const P = new Float64Array(tokens * A.length);
  const q = new Float64Array(elements);
  for (let row = 0; row < tokens; row++) {
    const own = composeRows(A, steps, row, row + 1);
    P.set(own.P, row * A.length);
    q.set(own.q, row * actionDim);
  }
  return { P, q };
}

/** The same for the rows `from` to `to` - 1, which move alike; q has these alone. */
function composeRows(A: Float64Array, steps: readonly ReusedStep[], from: number, to: number): RowMap {
  const actionDim = Math.sqrt(A.length);
  const unit = identity(actionDim);
  const rowsOfA = transpose(A, actionDim, actionDim);
  let P: Float64Array = unit;
  let q: Float64Array = new Float64Array((to - from) * actionDim);
  for (const { euler, D } of steps) {
    const [keep, gain] = [rowOf(euler.keep, from), rowOf(euler.gain, from)];
    const factor = addScaled(
      unit.map((value) => value * keep),
      rowsOfA,
      gain,
    );
    P = multiply(P, factor, actionDim, actionDim, actionDim);
    q = multiply(q, factor, to - from, actionDim, actionDim);
    for (let i = 0; i < q.length; i++) {
      const element = from * actionDim + i;
      const pull = euler.pull === undefined ? NOTHING : at(euler.pull, element);
      q[i] = at(q, i) + gain * at(D, element) + pull;
    }
  }
  return { P, q };
}

/** A coefficient of one row. */
function rowOf(values: Float64Array, row: number): number {
  return at(values, values.length === 1 ? 0 : row);
}

/** x P + q, [T, a], with one P for all rows. */
export function applyRowMap(x: Numbers, { P, q }: RowMap): Float64Array {
  const actionDim = Math.sqrt(P.length);
  return addScaled(multiply(x, P, x.length / actionDim, actionDim, actionDim), q, 1);
}

/**
 * The end of a run of reused steps from its start, given where the refresh trajectory started and ended the same run
 * (difference form): x_end = x_end^r + (x_start - x_start^r) P. Neither D nor q is needed.
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
 * `errors[i]` [T, a]: sum of delta_k e_k prod_{i>k} (I + delta_i A)^T, or of what guidance makes of that. What
 * pulls is the same with and without the error.
 */
export function shiftOfStaleSteps(
  A: Float64Array,
  steps: readonly { readonly euler: EulerStep; readonly error: Numbers }[],
  elements: number,
): Float64Array {
  const without = (pull: Float64Array | undefined) => pull && new Float64Array(pull.length);
  return composeReusedSteps(
    A,
    steps.map(({ euler, error }) => ({ euler: { ...euler, pull: without(euler.pull) }, D: error })),
    elements,
  ).q;
}

function timesTransposed(x: Numbers, A: Float64Array): Float64Array {
  const actionDim = Math.sqrt(A.length);
  return multiplyTransposed(x, A, x.length / actionDim, actionDim, actionDim);
}
