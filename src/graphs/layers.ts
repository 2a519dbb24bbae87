import type { GraphBuilder } from '../onnx/GraphBuilder';
import { float, int, text } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import type { Linears } from './Linears';

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

/** gelu with the tanh approximation. */
export function geluTanh(g: GraphBuilder, x: Value): Value {
  return g.op('Gelu', [x], { attributes: { approximate: text('tanh') } });
}

/** `text_embedding`: Linear, gelu-tanh, Linear. */
export function textEmbedding(g: GraphBuilder, linears: Linears, expert: string, context: Value): Value {
  const inner = linears.apply(g, context, `${expert}.text_embedding.0`);
  return linears.apply(g, geluTanh(g, inner), `${expert}.text_embedding.2`);
}

export function concat(g: GraphBuilder, values: readonly Value[], axis: number): Value {
  return g.op('Concat', values, { attributes: { axis: int(axis) } });
}
