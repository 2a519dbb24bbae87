import type { ModelDimensions } from '../bundle/layout';
import type { GraphBuilder } from '../onnx/GraphBuilder';
import { ints } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import { addBatch, attention, dropBatch, joinHeads, scores, softmax, splitHeads } from './attention';
import type { KeyValue } from './attention';
import { layerNorm, rmsNorm } from './layers';
import type { Linears } from './Linears';
import type { Weights } from './Weights';

/** The context as a block reads it token by token, [1, m, inner], for a device's attention kernel. */
export interface TokenContext extends KeyValue {
  readonly form: 'tokens';
}

/**
 * The context as a block reads it on the CPU, with what is known before the queries taken out of them. Both are exact:
 *
 * * The rows that pad a text are equal, so their keys and values are. A row that stands for n tokens has n equal terms
 *   e^s in the softmax's sum, which are the one term e^(s + log n).
 * * The output map is linear: sum over heads h of P_h V_h, joined and mapped by O, is the sum of P_h (V_h O_h).
 */
export interface RowContext {
  readonly form: 'rows';
  /** [heads, m, headDim] */
  readonly key: Value;
  /** V_h O_h of every head, [heads * m, d] */
  readonly output: Value;
  /** log n of each row, [m] */
  readonly logCount: Value;
}

export type BlockContext = TokenContext | RowContext;

/** What cross-attention is emitted with; `linears` are those of the block. */
export interface CrossAttentionOptions {
  readonly dims: ModelDimensions;
  readonly weights: Weights;
  readonly linears: Linears;
}

/**
 * What cross-attention adds to h [S, d] in `block`, the name of a block in the checkpoint.
 * Source: `DiTBlock.norm3` and `CrossAttention` in `wan_video_dit.py`.
 */
export function crossAttention(
  g: GraphBuilder,
  h: Value,
  block: string,
  context: BlockContext,
  options: CrossAttentionOptions,
): Value {
  const { dims, weights, linears } = options;
  const norm = (part: string): Value => weights.use(g, `${block}.norm3.${part}`);
  const normed = layerNorm(g, h, norm('weight'), norm('bias'), dims.eps);
  const linear = linears.apply(g, normed, `${block}.cross_attn.q`);
  const q = rmsNorm(g, linear, weights.use(g, `${block}.cross_attn.norm_q.weight`), dims.eps);
  if (context.form === 'rows') return attentionToRows(g, q, block, context, options);
  const mixed = attention(g, addBatch(g, q), context.key, context.value, dims);
  return linears.apply(g, dropBatch(g, mixed), `${block}.cross_attn.o`);
}

function attentionToRows(
  g: GraphBuilder,
  q: Value,
  block: string,
  context: RowContext,
  { dims, weights }: CrossAttentionOptions,
): Value {
  const score = g.op('Add', [scores(g, splitHeads(g, q, dims), context.key, dims), context.logCount]);
  const shares = joinHeads(g, softmax(g, score));
  return g.op('Gemm', [shares, context.output, weights.use(g, `${block}.cross_attn.o.bias`)]);
}

/** V_h O_h of every head for values [heads, n, headDim] of context tokens, [heads, n, d]. */
export function throughOutputMap(
  g: GraphBuilder,
  value: Value,
  block: string,
  { dims, weights }: Pick<CrossAttentionOptions, 'dims' | 'weights'>,
): Value {
  const name = `${block}.cross_attn.o.weight`;
  const [d = 0] = weights.stored(name).shape;
  const byHead = weights.use(g, name, [d, dims.heads, dims.headDim]);
  const map = g.op('Transpose', [byHead], { attributes: { perm: ints([1, 2, 0]) } });
  return g.op('MatMul', [value, map]);
}
