import type { GraphBuilder } from '../onnx/GraphBuilder';
import { float, int, ints, text } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import type { Linears } from './Linears';
import type { RotaryTables } from './rotaryTables';
import type { Weights } from './Weights';

/** Sizes that every attention layer shares. */
export interface AttentionShape {
  readonly heads: number;
  readonly headDim: number;
  readonly eps: number;
}

/** y = LN(x) * scale + bias over the last axis; scale and bias [d] may be computed values (adaLN). */
export function layerNorm(g: GraphBuilder, x: Value, scale: Value, bias: Value, eps: number): Value {
  return g.op('LayerNormalization', [x, scale, bias], { attributes: { axis: int(-1), epsilon: float(eps) } });
}

/** RMSNorm over the last axis (here the whole inner width, before the split into heads). */
export function rmsNorm(g: GraphBuilder, x: Value, weight: Value, eps: number): Value {
  return g.op('SimplifiedLayerNormalization', [x, weight], {
    attributes: { axis: int(-1), epsilon: float(eps) },
  });
}

/** [S, I] -> [1, S, I] */
export function addBatch(g: GraphBuilder, x: Value): Value {
  return g.op('Unsqueeze', [x, g.int64([0])]);
}

/** [1, S, I] -> [S, I] */
export function dropBatch(g: GraphBuilder, x: Value): Value {
  return g.op('Squeeze', [x, g.int64([0])]);
}

/** Rotary tables as initializers of one graph, shared by its layers. */
export interface RotaryValues {
  readonly cos: Value;
  readonly sin: Value;
}

export function rotaryValues(
  g: GraphBuilder,
  name: string,
  rotary: RotaryTables,
  halfHead: number,
): RotaryValues {
  const shape = [rotary.positions, halfHead];
  return {
    cos: g.initializer(`${name}.cos`, 'float32', shape, rotary.cos),
    sin: g.initializer(`${name}.sin`, 'float32', shape, rotary.sin),
  };
}

/** Rotates interleaved pairs of x [1, S, heads * headDim]; positions count from 0. */
export function rotate(g: GraphBuilder, x: Value, rotary: RotaryValues, shape: AttentionShape): Value {
  return g.op('RotaryEmbedding', [x, g.int64([0]), rotary.cos, rotary.sin], {
    domain: 'com.microsoft',
    attributes: { interleaved: int(1), num_heads: int(shape.heads) },
  });
}

/** softmax(q k^T / sqrt(headDim)) v; q [1, S, I]; k and v both [1, Sk, I] or both [1, heads, Sk, headDim]. */
export function attention(g: GraphBuilder, q: Value, k: Value, v: Value, shape: AttentionShape): Value {
  return g.op('MultiHeadAttention', [q, k, v], {
    domain: 'com.microsoft',
    attributes: { num_heads: int(shape.heads) },
  });
}

/**
 * Attention over past keys and values [1, heads, P, headDim] and then own ones [1, S, I]: the past needs no
 * transposition in each call.
 */
export function attentionAfter(
  g: GraphBuilder,
  q: Value,
  own: { readonly key: Value; readonly value: Value },
  pastKey: Value,
  pastValue: Value,
  shape: AttentionShape,
): Value {
  const inputs = [q, own.key, own.value, undefined, undefined, undefined, pastKey, pastValue];
  const [mixed] = g.ops('MultiHeadAttention', inputs, [q.type, q.type, q.type], {
    domain: 'com.microsoft',
    attributes: { num_heads: int(shape.heads) },
  });
  if (!mixed) throw new Error('attention has an output');
  return mixed;
}

/** gelu with the tanh approximation. */
export function geluTanh(g: GraphBuilder, x: Value): Value {
  return g.op('Gelu', [x], { attributes: { approximate: text('tanh') } });
}

/** `text_embedding`: Linear, gelu-tanh, Linear. */
export function textEmbedding(g: GraphBuilder, linears: Linears, expert: string, context: Value): Value {
  const inner = linears.apply(g, context, `${expert}.text_embedding.0`);
  return linears.apply(g, geluTanh(g, inner), `${expert}.text_embedding.2`);
}

/** Keys (normed) and values of embedded context rows for one block's cross-attention, each [S, I]. */
export function contextKeyValue(
  g: GraphBuilder,
  weights: Weights,
  linears: Linears,
  block: string,
  embedded: Value,
  eps: number,
): { key: Value; value: Value } {
  const key = linears.apply(g, embedded, `${block}.cross_attn.k`);
  return {
    key: rmsNorm(g, key, weights.use(g, `${block}.cross_attn.norm_k.weight`), eps),
    value: linears.apply(g, embedded, `${block}.cross_attn.v`),
  };
}

/** [S, heads * headDim] -> [1, heads, S, headDim], the layout that attention uses without another copy. */
export function splitHeads(g: GraphBuilder, x: Value, shape: AttentionShape): Value {
  const split = g.op('Reshape', [x, g.int64([1, -1, shape.heads, shape.headDim])]);
  return g.op('Transpose', [split], { attributes: { perm: ints([0, 2, 1, 3]) } });
}

export function concat(g: GraphBuilder, values: readonly Value[], axis: number): Value {
  return g.op('Concat', values, { attributes: { axis: int(axis) } });
}
