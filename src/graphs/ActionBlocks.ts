import type { ModelDimensions } from '../bundle/layout';
import type { GraphBuilder } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import type { SubBlock } from '../bundle/layout';
import { addBatch, attention, attentionOverBoth, dropBatch, splitHeads } from './attention';
import type { KeyValue } from './attention';
import { crossAttention } from './crossAttention';
import { concat, geluTanh, layerNorm, rmsNorm } from './layers';
import { FloatLinears } from './Linears';
import type { Linears } from './Linears';
import { videoTokens } from './prefill';
import type { ChunkKeyValue } from './prefill';
import { rotate } from './rotary';
import type { RotaryValues } from './rotary';
import type { Weights } from './Weights';

const EXPERT = 'mixtures.action';

/** shift, 1 + scale and gate of self-attention, then of the FFN; each [d]. */
export type BlockModulation = readonly [Value, Value, Value, Value, Value, Value];

/** Which piece of the modulation multiplies what a sub-block adds. */
export const GATE_PIECE = {
  selfAttention: 2,
  crossAttention: undefined,
  feedForward: 5,
} as const satisfies Record<SubBlock, number | undefined>;

/**
 * Emits the action expert's blocks. Each sub-block returns what is *added* to the residual stream h [T, d]; its
 * weights become initializers of the graph it is emitted into, so that they are pre-packed inside branches too.
 * Source: `DiTBlock` in `wan_video_dit.py`, `forward_action_with_video_cache` in `mot.py`.
 */
export class ActionBlocks {
  /** Encoder and head stay in floating point: they are tiny, and the affine form of reused steps relies on them. */
  readonly #ends: FloatLinears;

  constructor(
    private readonly dims: ModelDimensions,
    private readonly weights: Weights,
    private readonly linears: Linears,
    private readonly rotary: RotaryValues,
  ) {
    this.#ends = new FloatLinears(weights);
  }

  /** h0 = action_encoder(x), [T, a] -> [T, d] */
  encode(g: GraphBuilder, x: Value): Value {
    return this.#ends.apply(g, x, `${EXPERT}.action_encoder`);
  }

  /** v = head(h), [T, d] -> [T, a] */
  head(g: GraphBuilder, h: Value): Value {
    return this.#ends.apply(g, h, `${EXPERT}.head`);
  }

  /** What a sub-block adds to h. */
  contribution(
    g: GraphBuilder,
    part: SubBlock,
    h: Value,
    layer: number,
    modulation: BlockModulation,
    kv: ChunkKeyValue,
  ): Value {
    const gate = GATE_PIECE[part];
    const term = this.ungated(g, part, h, layer, modulation, kv);
    return gate === undefined ? term : g.op('Mul', [term, modulation[gate]]);
  }

  /** The same before its gate; cross-attention has none. */
  ungated(
    g: GraphBuilder,
    part: SubBlock,
    h: Value,
    layer: number,
    modulation: BlockModulation,
    kv: ChunkKeyValue,
  ): Value {
    const { dims, weights, linears } = this;
    switch (part) {
      case 'selfAttention':
        return this.#selfAttention(g, h, layer, modulation, kv);
      case 'crossAttention':
        return crossAttention(g, h, `${EXPERT}.blocks.${layer}`, kv.context, { dims, weights, linears });
      case 'feedForward':
        return this.#feedForward(g, h, layer, modulation);
    }
  }

  /** Mixed attention: action queries see the first frame's tokens and all action tokens. */
  #selfAttention(
    g: GraphBuilder,
    h: Value,
    layer: number,
    modulation: BlockModulation,
    kv: ChunkKeyValue,
  ): Value {
    const { dims, weights, linears } = this;
    const block = `${EXPERT}.blocks.${layer}.self_attn`;
    const normed = layerNorm(g, h, modulation[1], modulation[0], dims.eps);
    const project = (name: 'q' | 'k'): Value => {
      const linear = linears.apply(g, normed, `${block}.${name}`);
      const scaled = rmsNorm(g, linear, weights.use(g, `${block}.norm_${name}.weight`), dims.eps);
      return rotate(g, addBatch(g, scaled), this.rotary, dims);
    };
    const key = splitHeads(g, project('k'), dims);
    const value = splitHeads(g, linears.apply(g, normed, `${block}.v`), dims);
    const mixed = this.#mixedAttention(g, project('q'), { key, value }, kv);
    return linears.apply(g, mixed, `${block}.o`);
  }

  /**
   * Attention over the video tokens and the action's own; q [1, T, inner] -> [T, inner]. As with the context, the CPU
   * takes products and a device its kernel.
   */
  #mixedAttention(g: GraphBuilder, q: Value, own: KeyValue, { video, context }: ChunkKeyValue): Value {
    const { dims } = this;
    if (context.form === 'rows') {
      const past = { ...video, tokens: videoTokens(dims).count };
      return attentionOverBoth(g, splitHeads(g, q, dims), past, { ...own, tokens: dims.horizon }, dims);
    }
    const both = (part: 'key' | 'value'): Value => addBatch(g, concat(g, [video[part], own[part]], 1));
    return dropBatch(g, attention(g, q, both('key'), both('value'), dims));
  }

  #feedForward(g: GraphBuilder, h: Value, layer: number, modulation: BlockModulation): Value {
    const { dims, linears } = this;
    const block = `${EXPERT}.blocks.${layer}`;
    const normed = layerNorm(g, h, modulation[4], modulation[3], dims.eps);
    const inner = linears.apply(g, normed, `${block}.ffn.0`);
    return linears.apply(g, geluTanh(g, inner), `${block}.ffn.2`);
  }
}
