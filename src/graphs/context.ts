import type { ModelDimensions } from '../bundle/layout';
import { GraphBuilder } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import { contextKeyValue, textEmbedding } from './layers';
import { FloatLinears } from './Linears';
import { cast } from './Weights';
import type { Weights } from './Weights';

/** The two experts that read the context, with the stem of their inputs and outputs. */
export const EXPERTS = [
  { stem: 'video', prefix: 'mixtures.video' },
  { stem: 'action', prefix: 'mixtures.action' },
] as const;

/** Names of the per-layer context keys and values that travel between graphs. */
export const contextName = (stem: string, kind: 'key' | 'value', layer: number): string =>
  `${stem}_text_${kind}_${layer}`;

/**
 * What an instruction alone decides, computed once for each instruction: `text` [n, textDim] -> the cross-attention
 * keys and values of every block of both experts, each [n, inner]. Keys and values are maps of single tokens, so
 * the proprio token joins them later.
 */
export function contextGraph(dims: ModelDimensions, weights: Weights): GraphBuilder {
  const g = GraphBuilder.create('context');
  const text = g.input('text', 'float32', ['n', dims.textDim]);
  const inner = dims.heads * dims.headDim;
  for (const { stem, pairs } of contextKeyValues(g, dims, weights, text)) {
    pairs.forEach(({ key, value }, l) => {
      g.output(cast(g, key, 'float32'), contextName(stem, 'key', l), ['n', inner]);
      g.output(cast(g, value, 'float32'), contextName(stem, 'value', l), ['n', inner]);
    });
  }
  return g;
}

/** Emits the context keys and values of both experts for rows [n, textDim]. */
export function contextKeyValues(
  g: GraphBuilder,
  dims: ModelDimensions,
  weights: Weights,
  rows: Value,
): { stem: 'video' | 'action'; pairs: { key: Value; value: Value }[] }[] {
  const linears = new FloatLinears(weights);
  const typed = cast(g, rows, weights.compute);
  return EXPERTS.map(({ stem, prefix }) => {
    const embedded = textEmbedding(g, linears, prefix, typed);
    const pairs = Array.from({ length: dims.layers }, (_, l) =>
      contextKeyValue(g, weights, linears, `${prefix}.blocks.${l}`, embedded, dims.eps),
    );
    return { stem, pairs };
  });
}
