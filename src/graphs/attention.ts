import type { GraphBuilder } from '../onnx/GraphBuilder';
import { float, int, ints } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import { concat } from './layers';

/** Sizes that every attention layer shares. */
export interface AttentionShape {
  readonly heads: number;
  readonly headDim: number;
}

/** Keys and values of the tokens that queries look at, both [heads, S, headDim]. */
export interface KeyValue {
  readonly key: Value;
  readonly value: Value;
}

/** [S, I] -> [1, S, I] */
export function addBatch(g: GraphBuilder, x: Value): Value {
  return g.op('Unsqueeze', [x, g.int64([0])]);
}

/** [1, S, I] -> [S, I] */
export function dropBatch(g: GraphBuilder, x: Value): Value {
  return g.op('Squeeze', [x, g.int64([0])]);
}

/** [S, heads * headDim] or [1, S, heads * headDim] -> [heads, S, headDim] */
export function splitHeads(g: GraphBuilder, x: Value, shape: AttentionShape): Value {
  const split = g.op('Reshape', [x, g.int64([-1, shape.heads, shape.headDim])]);
  return g.op('Transpose', [split], { attributes: { perm: ints([1, 0, 2]) } });
}

/** [heads, S, n] -> [S, heads * n] */
export function joinHeads(g: GraphBuilder, x: Value): Value {
  const moved = g.op('Transpose', [x], { attributes: { perm: ints([1, 0, 2]) } });
  return g.op('Reshape', [moved, g.int64([0, -1])]);
}

/** softmax(q k^T / sqrt(headDim)) v in one kernel; q, k, v [1, S, I], k and v also [1, heads, S, headDim]. */
export function attention(g: GraphBuilder, q: Value, k: Value, v: Value, shape: AttentionShape): Value {
  return g.op('MultiHeadAttention', [q, k, v], {
    domain: 'com.microsoft',
    attributes: { num_heads: int(shape.heads) },
  });
}

/** q k^T / sqrt(headDim); q [heads, S, headDim], k [heads, n, headDim] -> [heads, S, n] */
export function scores(g: GraphBuilder, q: Value, k: Value, shape: AttentionShape): Value {
  return g.op('FusedMatMul', [q, k], {
    domain: 'com.microsoft',
    attributes: { transB: int(1), alpha: float(1 / Math.sqrt(shape.headDim)) },
  });
}

/** softmax over the last axis */
export function softmax(g: GraphBuilder, x: Value): Value {
  return g.op('Softmax', [x], { attributes: { axis: int(-1) } });
}

/**
 * Attention over `past` and `own` tokens as products of each, which share one softmax: putting keys and values one
 * after the other would copy the past in every call. q [heads, S, headDim] -> [S, heads * headDim].
 */
export function attentionOverBoth(
  g: GraphBuilder,
  q: Value,
  past: KeyValue & { readonly tokens: number },
  own: KeyValue & { readonly tokens: number },
  shape: AttentionShape,
): Value {
  const all = concat(g, [scores(g, q, past.key, shape), scores(g, q, own.key, shape)], 2);
  const [ofPast, ofOwn] = g.ops(
    'Split',
    [softmax(g, all), g.int64([past.tokens, own.tokens])],
    [q.type, q.type],
    { attributes: { axis: int(-1) } },
  );
  if (!ofPast || !ofOwn) throw new Error('Split has two outputs');
  const mixed = [g.op('MatMul', [ofPast, past.value]), g.op('MatMul', [ofOwn, own.value])];
  return joinHeads(g, g.op('Add', mixed));
}
