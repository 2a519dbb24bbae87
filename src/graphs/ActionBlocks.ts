import type { ModelDimensions } from '../bundle/layout';
import type { GraphBuilder } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import {
  addBatch,
  attention,
  attentionAfter,
  concat,
  dropBatch,
  geluTanh,
  layerNorm,
  rmsNorm,
  rotate,
  splitHeads,
} from './layers';
import type { RotaryValues } from './layers';
import { FloatLinears } from './Linears';
import type { Linears } from './Linears';
import type { ChunkKeyValue } from './prefill';
import type { Weights } from './Weights';

const EXPERT = 'mixtures.action';

/** shift, 1 + scale and gate of self-attention, then of the FFN; each [d]. */
export type BlockModulation = readonly [Value, Value, Value, Value, Value, Value];

/** The three additions that a block makes to the residual stream, in order. */
export const SUB_BLOCKS = ['selfAttention', 'crossAttention', 'feedForward'] as const;
export type SubBlock = (typeof SUB_BLOCKS)[number];

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
    private readonly reads: 'key_values' | 'observation',
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
    switch (part) {
      case 'selfAttention':
        return this.#selfAttention(g, h, layer, modulation, kv);
      case 'crossAttention':
        return this.#crossAttention(g, h, layer, kv);
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
    const own = { key: project('k'), value: addBatch(g, linears.apply(g, normed, `${block}.v`)) };
    const mixed = dropBatch(g, this.#mixedAttention(g, project('q'), own, kv));
    return linears.apply(g, mixed, `${block}.o`);
  }

  /** Attention over the video tokens and the action's own; q and own [1, T, inner]. */
  #mixedAttention(
    g: GraphBuilder,
    q: Value,
    own: { readonly key: Value; readonly value: Value },
    kv: ChunkKeyValue,
  ): Value {
    const { dims } = this;
    if (this.reads === 'key_values') return attentionAfter(g, q, own, kv.videoKey, kv.videoValue, dims);
    // Attention with past keys was seen to give wrong numbers on another device provider, so it stays on the CPU.
    const key = concat(g, [kv.videoKey, splitHeads(g, own.key, dims)], 2);
    const value = concat(g, [kv.videoValue, splitHeads(g, own.value, dims)], 2);
    return attention(g, q, key, value, dims);
  }

  #crossAttention(g: GraphBuilder, h: Value, layer: number, kv: ChunkKeyValue): Value {
    const { dims, weights, linears } = this;
    const block = `${EXPERT}.blocks.${layer}`;
    const norm = (part: string): Value => weights.use(g, `${block}.norm3.${part}`);
    const normed = layerNorm(g, h, norm('weight'), norm('bias'), dims.eps);
    const linear = linears.apply(g, normed, `${block}.cross_attn.q`);
    const q = rmsNorm(g, linear, weights.use(g, `${block}.cross_attn.norm_q.weight`), dims.eps);
    const mixed = attention(g, addBatch(g, q), kv.contextKey, kv.contextValue, dims);
    return linears.apply(g, dropBatch(g, mixed), `${block}.cross_attn.o`);
  }

  #feedForward(g: GraphBuilder, h: Value, layer: number, modulation: BlockModulation): Value {
    const { dims, linears } = this;
    const block = `${EXPERT}.blocks.${layer}`;
    const normed = layerNorm(g, h, modulation[4], modulation[3], dims.eps);
    const inner = linears.apply(g, normed, `${block}.ffn.0`);
    return linears.apply(g, geluTanh(g, inner), `${block}.ffn.2`);
  }
}
