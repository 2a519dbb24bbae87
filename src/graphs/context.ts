import type { ModelDimensions } from '../bundle/layout';
import { GraphBuilder } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import { contextKeyValue, textEmbedding } from './layers';
import { FloatLinears } from './Linears';
import { cast } from './Weights';
import type { Weights } from './Weights';

/** The two experts that read the context. */
export const EXPERTS = [
  { stem: 'video', prefix: 'mixtures.video' },
  { stem: 'action', prefix: 'mixtures.action' },
] as const;

/** Keys and values of context tokens in one block's cross-attention, each [n, inner]. */
export interface ContextKeyValue {
  readonly key: Value;
  readonly value: Value;
}

/** Names of the context's keys and values on their way from graph to graph; `tokens` says whose they are. */
export const contextName = (
  tokens: 'token' | 'text' | 'proprio',
  stem: string,
  kind: 'key' | 'value',
  layer: number,
): string => `${tokens}_${stem}_${kind}_${layer}`;

/**
 * Context tokens [n, textDim] -> their cross-attention keys and values in every block of both experts, each
 * [n, inner]. They are maps of single tokens, so those of a text are computed once for each instruction, and the
 * proprio token's once for each chunk.
 */
export function contextGraph(dims: ModelDimensions, weights: Weights): GraphBuilder {
  const g = GraphBuilder.create('context');
  const tokens = g.input('tokens', 'float32', ['n', dims.textDim]);
  const inner = dims.heads * dims.headDim;
  const context = contextKeyValues(g, dims, weights, tokens);
  for (const { stem } of EXPERTS) {
    context[stem].forEach(({ key, value }, l) => {
      g.output(cast(g, key, 'float32'), contextName('token', stem, 'key', l), ['n', inner]);
      g.output(cast(g, value, 'float32'), contextName('token', stem, 'value', l), ['n', inner]);
    });
  }
  return g;
}

/** Emits the context keys and values of both experts for tokens [n, textDim]. */
export function contextKeyValues(
  g: GraphBuilder,
  dims: ModelDimensions,
  weights: Weights,
  tokens: Value,
): Record<'video' | 'action', ContextKeyValue[]> {
  const linears = new FloatLinears(weights);
  const typed = cast(g, tokens, weights.compute);
  const [video, action] = EXPERTS.map(({ prefix }) => {
    const embedded = textEmbedding(g, linears, prefix, typed);
    return Array.from({ length: dims.layers }, (_, l) =>
      contextKeyValue(g, weights, linears, `${prefix}.blocks.${l}`, embedded, dims.eps),
    );
  });
  return { video: video ?? [], action: action ?? [] };
}
