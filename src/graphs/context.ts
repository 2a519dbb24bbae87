import type { ModelDimensions } from '../bundle/layout';
import { GraphBuilder } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import { splitHeads } from './attention';
import type { KeyValue } from './attention';
import { throughOutputMap } from './crossAttention';
import { rmsNorm, textEmbedding } from './layers';
import { FloatLinears } from './Linears';
import { cast } from './Weights';
import type { Weights } from './Weights';

/** The two experts that read the context. */
export const EXPERTS = [
  { stem: 'video', prefix: 'mixtures.video' },
  { stem: 'action', prefix: 'mixtures.action' },
] as const;

/** What becomes of context tokens in one block: see `RowContext`. */
export const CONTEXT_PARTS = ['key', 'output'] as const;
export type ContextPart = (typeof CONTEXT_PARTS)[number];

/** Names of what becomes of context tokens on its way from graph to graph; `tokens` says whose it is. */
export const contextName = (
  tokens: 'token' | 'text' | 'proprio',
  stem: string,
  part: ContextPart,
  layer: number,
): string => `${tokens}_${stem}_${part}_${layer}`;

/** Input of the prefill: logarithm of how many tokens each row of the text stands for, [n]. */
export const TEXT_LOG_COUNT = 'text_log_count';

/** The last dimension of a part, in which it is [heads, n, width]. */
export function contextWidth(dims: ModelDimensions, stem: string, part: ContextPart): number {
  if (part === 'key') return dims.headDim;
  return stem === 'video' ? dims.videoDim : dims.actionHidden;
}

/**
 * Context tokens [n, textDim] -> their keys [heads, n, headDim] in every block of both experts, and their values
 * after the output map [heads, n, d]. They are maps of single tokens, so those of a text are computed once for each
 * instruction, and the proprio token's once for each chunk.
 */
export function contextGraph(dims: ModelDimensions, weights: Weights): GraphBuilder {
  const g = GraphBuilder.create('context');
  const tokens = g.input('tokens', 'float32', ['n', dims.textDim]);
  const typed = cast(g, tokens, weights.compute);
  for (const { stem, prefix } of EXPERTS) {
    contextKeyValues(g, { dims, weights }, prefix, typed).forEach(({ key, value }, l) => {
      const block = `${prefix}.blocks.${l}`;
      const output = throughOutputMap(g, splitHeads(g, value, dims), block, { dims, weights });
      for (const [part, content] of [
        ['key', splitHeads(g, key, dims)],
        ['output', output],
      ] as const) {
        const shape = [dims.heads, 'n', contextWidth(dims, stem, part)];
        g.output(cast(g, content, 'float32'), contextName('token', stem, part, l), shape);
      }
    });
  }
  return g;
}

/** Emits keys and values, [n, inner] each, of context tokens [n, textDim] in every block of one expert. */
export function contextKeyValues(
  g: GraphBuilder,
  { dims, weights }: { readonly dims: ModelDimensions; readonly weights: Weights },
  expert: string,
  tokens: Value,
): KeyValue[] {
  const linears = new FloatLinears(weights);
  const embedded = textEmbedding(g, linears, expert, tokens);
  return Array.from({ length: dims.layers }, (_, l) => {
    const attention = `${expert}.blocks.${l}.cross_attn`;
    const linear = linears.apply(g, embedded, `${attention}.k`);
    const key = rmsNorm(g, linear, weights.use(g, `${attention}.norm_k.weight`), dims.eps);
    return { key, value: linears.apply(g, embedded, `${attention}.v`) };
  });
}
