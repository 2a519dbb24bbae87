import type { ModelDimensions } from '../bundle/layout';
import { GraphBuilder, int, ints } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import { contextName } from './context';
import type { ContextKeyValue } from './context';
import {
  addBatch,
  attention,
  concat,
  dropBatch,
  geluTanh,
  layerNorm,
  rmsNorm,
  rotaryValues,
  rotate,
  splitHeads,
} from './layers';
import type { RotaryValues } from './layers';
import { FloatLinears } from './Linears';
import { videoRotary } from './rotaryTables';
import { MODULATIONS, timeModulations } from './timeModulation';
import { cast } from './Weights';
import type { Weights } from './Weights';

/** What the action expert needs of one block during a chunk; all [1, heads, tokens, headDim]. */
export interface ChunkKeyValue {
  /** V tokens of the first frame */
  readonly videoKey: Value;
  readonly videoValue: Value;
  /** text tokens and the proprio token */
  readonly contextKey: Value;
  readonly contextValue: Value;
}

/** Names of the K/V tensors that go from the prefill to the expert. */
export const keyValueName = (part: keyof ChunkKeyValue, layer: number): string => `${part}_${layer}`;

/** First-frame tokens of the video: one for each 2 x 2 patch of latents. */
export function videoTokens(dims: ModelDimensions): { rows: number; columns: number; count: number } {
  const cell = dims.vaeSpatialFactor * 2;
  const [rows, columns] = [dims.height / cell, dims.width / cell];
  return { rows, columns, count: rows * columns };
}

/**
 * The observation of a chunk: `latents` [48, h, w] with the keys and values of the instruction's tokens and of the
 * proprio token -> K and V of the first frame in every layer, and the action expert's context K and V.
 * Source: `prefill_video_cache` in `mot.py`, `_append_proprio_to_context` in `fastwam.py`.
 */
export function prefillGraph(dims: ModelDimensions, weights: Weights): GraphBuilder {
  const g = GraphBuilder.create('prefill');
  const latents = latentsInput(g, dims);
  const context = {
    video: contextInput(g, dims, weights, 'video'),
    action: contextInput(g, dims, weights, 'action'),
  };
  const videoShape = [1, dims.heads, videoTokens(dims).count, dims.headDim];
  const contextShape = [1, dims.heads, 'm', dims.headDim];
  prefill(g, dims, weights, latents, context).forEach((kv, l) => {
    for (const part of ['videoKey', 'videoValue'] as const) {
      g.output(cast(g, kv[part], 'float32'), keyValueName(part, l), videoShape);
    }
    for (const part of ['contextKey', 'contextValue'] as const) {
      g.output(cast(g, kv[part], 'float32'), keyValueName(part, l), contextShape);
    }
  });
  return g;
}

export function latentsInput(g: GraphBuilder, dims: ModelDimensions): Value {
  const factor = dims.vaeSpatialFactor;
  return g.input('latents', 'float32', [dims.latentChannels, dims.height / factor, dims.width / factor]);
}

/** Keys and values of the context in every layer of one expert: those of the text, then that of the proprio token. */
function contextInput(
  g: GraphBuilder,
  dims: ModelDimensions,
  weights: Weights,
  stem: string,
): ContextKeyValue[] {
  const inner = dims.heads * dims.headDim;
  return Array.from({ length: dims.layers }, (_, l) => {
    const tokens = (kind: 'key' | 'value'): Value => {
      const text = g.input(contextName('text', stem, kind, l), 'float32', ['n', inner]);
      if (dims.proprioDim === 0) return cast(g, text, weights.compute);
      const proprio = g.input(contextName('proprio', stem, kind, l), 'float32', [1, inner]);
      return cast(g, concat(g, [text, proprio], 0), weights.compute);
    };
    return { key: tokens('key'), value: tokens('value') };
  });
}

/** Emits the prefill for context tokens whose keys and values are given. */
export function prefill(
  g: GraphBuilder,
  dims: ModelDimensions,
  weights: Weights,
  latents: Value,
  context: Readonly<Record<'video' | 'action', readonly ContextKeyValue[]>>,
): ChunkKeyValue[] {
  const video = videoKeyValues(g, dims, weights, latents, context.video);
  return video.map(({ key, value }, l) => {
    const action = context.action[l];
    if (!action) throw new Error(`no context for layer ${l}`);
    return {
      videoKey: splitHeads(g, key, dims),
      videoValue: splitHeads(g, value, dims),
      contextKey: splitHeads(g, action.key, dims),
      contextValue: splitHeads(g, action.value, dims),
    };
  });
}

/** K (normed, rotated) and V of the first frame's tokens in every layer, each [1, V, inner]. */
function videoKeyValues(
  g: GraphBuilder,
  dims: ModelDimensions,
  weights: Weights,
  latents: Value,
  context: readonly ContextKeyValue[],
): ContextKeyValue[] {
  const blocks = new VideoBlocks(g, dims, weights);
  let x = blocks.tokens(latents);
  return context.map((own, l) => {
    const { key, value, finish } = blocks.keyValue(x, l);
    // Nothing reads the tokens after the last layer, so its attention and FFN are not computed.
    if (l < context.length - 1) x = finish(own);
    return { key, value };
  });
}

class VideoBlocks {
  readonly #linears: FloatLinears;
  readonly #rotary: RotaryValues;
  readonly #modulation: Float32Array;

  constructor(
    private readonly g: GraphBuilder,
    private readonly dims: ModelDimensions,
    private readonly weights: Weights,
  ) {
    this.#linears = new FloatLinears(weights);
    const { rows, columns } = videoTokens(dims);
    const rotary = rotaryValues(
      g,
      'video_rotary',
      videoRotary(rows, columns, dims.headDim),
      dims.headDim / 2,
    );
    this.#rotary = { cos: cast(g, rotary.cos, weights.compute), sin: cast(g, rotary.sin, weights.compute) };
    // First-frame tokens are clean: their timestep is 0, so the modulation is a constant of the weights.
    this.#modulation = timeModulations(weights, 'mixtures.video', [0], dims.layers, dims.freqDim);
  }

  /** latents [48, h, w] -> tokens [V, videoDim] in (row, column) order */
  tokens(latents: Value): Value {
    const { g, dims, weights } = this;
    const { rows, columns } = videoTokens(dims);
    const cells = g.op('Reshape', [latents, g.int64([dims.latentChannels, rows, 2, columns, 2])]);
    const moved = g.op('Transpose', [cells], { attributes: { perm: ints([1, 3, 0, 2, 4]) } });
    const patch = dims.latentChannels * 4;
    const patches = g.op('Reshape', [moved, g.int64([rows * columns, patch])]);
    // The kernel covers exactly one patch, so the strided convolution is a product with each patch.
    const name = 'mixtures.video.patch_embedding';
    const kernel = weights.use(g, `${name}.weight`, [dims.videoDim, patch]);
    return g.op('Gemm', [cast(g, patches, weights.compute), kernel, weights.use(g, `${name}.bias`)], {
      attributes: { transB: int(1) },
      name,
    });
  }

  #modulationOf(layer: number, kind: number): Value {
    const { g, dims } = this;
    const start = (layer * MODULATIONS + kind) * dims.videoDim;
    const values = this.#modulation.slice(start, start + dims.videoDim);
    const constant = g.initializer(`video_modulation_${layer}_${kind}`, 'float32', [dims.videoDim], values);
    return cast(g, constant, this.weights.compute);
  }

  /** K and V of layer `l` for tokens x [V, videoDim], and the rest of the block. */
  keyValue(x: Value, l: number): { key: Value; value: Value; finish: (context: ContextKeyValue) => Value } {
    const { g, dims, weights } = this;
    const block = `mixtures.video.blocks.${l}`;
    const [shiftA, scaleA, gateA, shiftF, scaleF, gateF] = Array.from({ length: MODULATIONS }, (_, kind) =>
      this.#modulationOf(l, kind),
    ) as [Value, Value, Value, Value, Value, Value];
    const normed = layerNorm(g, x, scaleA, shiftA, dims.eps);
    const project = (name: 'q' | 'k'): Value => {
      const linear = this.#linears.apply(g, normed, `${block}.self_attn.${name}`);
      const weight = weights.use(g, `${block}.self_attn.norm_${name}.weight`);
      return rotate(g, addBatch(g, rmsNorm(g, linear, weight, dims.eps)), this.#rotary, dims);
    };
    const key = project('k');
    const value = addBatch(g, this.#linears.apply(g, normed, `${block}.self_attn.v`));
    const finish = (context: ContextKeyValue): Value => {
      const mixed = dropBatch(g, attention(g, project('q'), key, value, dims));
      const out = this.#linears.apply(g, mixed, `${block}.self_attn.o`);
      const afterSelf = g.op('Add', [x, g.op('Mul', [out, gateA])]);
      const afterCross = g.op('Add', [afterSelf, this.#crossAttention(afterSelf, block, context)]);
      const inner = this.#linears.apply(
        g,
        layerNorm(g, afterCross, scaleF, shiftF, dims.eps),
        `${block}.ffn.0`,
      );
      const ffn = this.#linears.apply(g, geluTanh(g, inner), `${block}.ffn.2`);
      return g.op('Add', [afterCross, g.op('Mul', [ffn, gateF])]);
    };
    return { key, value, finish };
  }

  #crossAttention(x: Value, block: string, context: ContextKeyValue): Value {
    const { g, dims, weights } = this;
    const norm = (part: string): Value => weights.use(g, `${block}.norm3.${part}`);
    const normed = layerNorm(g, x, norm('weight'), norm('bias'), dims.eps);
    const linear = this.#linears.apply(g, normed, `${block}.cross_attn.q`);
    const q = rmsNorm(g, linear, weights.use(g, `${block}.cross_attn.norm_q.weight`), dims.eps);
    const mixed = attention(g, addBatch(g, q), addBatch(g, context.key), addBatch(g, context.value), dims);
    return this.#linears.apply(g, dropBatch(g, mixed), `${block}.cross_attn.o`);
  }
}
