import type { ModelDimensions } from '../bundle/layout';
import { GraphBuilder, int, ints } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import { addBatch, attention, dropBatch, splitHeads } from './attention';
import type { KeyValue } from './attention';
import { TEXT_LOG_COUNT, contextName, contextWidth } from './context';
import type { ContextPart } from './context';
import { crossAttention } from './crossAttention';
import type { BlockContext, CrossAttentionOptions, RowContext } from './crossAttention';
import { concat, geluTanh, layerNorm, rmsNorm } from './layers';
import type { Linears } from './Linears';
import { rotaryValues, rotate, videoRotary } from './rotary';
import type { RotaryValues } from './rotary';
import { MODULATIONS, timeModulations } from './timeModulation';
import { cast } from './Weights';
import type { Weights } from './Weights';

/** What the action expert needs of one block during a chunk. */
export interface ChunkKeyValue {
  /** the V tokens of the first frame */
  readonly video: KeyValue;
  /** text and proprio token */
  readonly context: BlockContext;
}

/** Names of the tensors that go from the prefill to the expert. */
export const keyValueName = (
  part: 'videoKey' | 'videoValue' | 'contextKey' | 'contextOutput',
  layer: number,
): string => `${part}_${layer}`;

/** Name of the logarithms of what the context's rows stand for, [m], on their way to the expert. */
export const CONTEXT_LOG_COUNT = 'contextLogCount';

/** First-frame tokens of the video: one for each 2 x 2 patch of latents. */
export function videoTokens(dims: ModelDimensions): { rows: number; columns: number; count: number } {
  const cell = dims.vaeSpatialFactor * 2;
  const [rows, columns] = [dims.height / cell, dims.width / cell];
  return { rows, columns, count: rows * columns };
}

/**
 * The observation of a chunk: `latents` [48, h, w] with what became of the instruction's tokens and of the proprio
 * token -> K and V of the first frame in every layer, and the action expert's context.
 * Source: `prefill_video_cache` in `mot.py`, `_append_proprio_to_context` in `fastwam.py`.
 */
export function prefillGraph(dims: ModelDimensions, weights: Weights, linears: Linears): GraphBuilder {
  const g = GraphBuilder.create('prefill');
  const latents = latentsInput(g, dims);
  const logCount = logCounts(g, dims);
  const [video, action] = [
    contextInput(g, dims, weights, 'video', logCount),
    contextInput(g, dims, weights, 'action', logCount),
  ];
  const videoShape = [dims.heads, videoTokens(dims).count, dims.headDim];
  videoKeyValues(g, { dims, weights, linears }, latents, video).forEach(({ key, value }, l) => {
    g.output(cast(g, key, 'float32'), keyValueName('videoKey', l), videoShape);
    g.output(cast(g, value, 'float32'), keyValueName('videoValue', l), videoShape);
  });
  action.forEach(({ key, output }, l) => {
    g.output(cast(g, key, 'float32'), keyValueName('contextKey', l), [dims.heads, 'm', dims.headDim]);
    g.output(cast(g, output, 'float32'), keyValueName('contextOutput', l), ['heads_m', dims.actionHidden]);
  });
  g.output(cast(g, logCount, 'float32'), CONTEXT_LOG_COUNT, ['m']);
  return g;
}

export function latentsInput(g: GraphBuilder, dims: ModelDimensions): Value {
  const factor = dims.vaeSpatialFactor;
  return g.input('latents', 'float32', [dims.latentChannels, dims.height / factor, dims.width / factor]);
}

/** What each row of the context stands for: those of the text as given, the proprio token for itself. */
function logCounts(g: GraphBuilder, dims: ModelDimensions): Value {
  const text = g.input(TEXT_LOG_COUNT, 'float32', ['n']);
  if (dims.proprioDim === 0) return g.op('Identity', [text]);
  return concat(g, [text, g.initializer('proprio_log_count', 'float32', [1], Float32Array.of(0))], 0);
}

/** The context of one expert in every layer: the rows of the text, then the proprio token. */
function contextInput(
  g: GraphBuilder,
  dims: ModelDimensions,
  weights: Weights,
  stem: string,
  logCount: Value,
): RowContext[] {
  return Array.from({ length: dims.layers }, (_, l) => {
    const rows = (part: ContextPart): Value => {
      const width = contextWidth(dims, stem, part);
      const text = g.input(contextName('text', stem, part, l), 'float32', [dims.heads, 'n', width]);
      if (dims.proprioDim === 0) return cast(g, text, weights.compute);
      const proprio = g.input(contextName('proprio', stem, part, l), 'float32', [dims.heads, 1, width]);
      return cast(g, concat(g, [text, proprio], 1), weights.compute);
    };
    const output = g.op('Reshape', [rows('output'), g.int64([-1, contextWidth(dims, stem, 'output')])]);
    return { form: 'rows', key: rows('key'), output, logCount: cast(g, logCount, weights.compute) };
  });
}

/** Emits K (normed, rotated) and V of the first frame's tokens in every layer. */
function videoKeyValues(
  g: GraphBuilder,
  options: CrossAttentionOptions,
  latents: Value,
  context: readonly BlockContext[],
): KeyValue[] {
  const { dims } = options;
  const blocks = new VideoBlocks(g, options);
  let x = patchTokens(g, options, latents);
  return context.map((own, l) => {
    const { key, value, finish } = blocks.keyValue(x, l);
    // Nothing reads the tokens after the last layer, so its attention and FFN are not computed.
    if (l < context.length - 1) x = finish(own);
    return { key: splitHeads(g, key, dims), value: splitHeads(g, value, dims) };
  });
}

/** latents [48, h, w] -> tokens [V, videoDim] in (row, column) order */
export function patchTokens(
  g: GraphBuilder,
  { dims, weights }: Pick<CrossAttentionOptions, 'dims' | 'weights'>,
  latents: Value,
): Value {
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

class VideoBlocks {
  readonly #rotary: RotaryValues;
  readonly #modulation: Float32Array;

  constructor(
    private readonly g: GraphBuilder,
    private readonly options: CrossAttentionOptions,
  ) {
    const { dims, weights } = options;
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

  #modulationOf(layer: number, kind: number): Value {
    const { g } = this;
    const { dims, weights } = this.options;
    const start = (layer * MODULATIONS + kind) * dims.videoDim;
    const values = this.#modulation.slice(start, start + dims.videoDim);
    const constant = g.initializer(`video_modulation_${layer}_${kind}`, 'float32', [dims.videoDim], values);
    return cast(g, constant, weights.compute);
  }

  /** K and V [1, V, inner] of layer `l` for tokens x [V, videoDim], and the rest of the block. */
  keyValue(x: Value, l: number): { key: Value; value: Value; finish: (context: BlockContext) => Value } {
    const { g, options } = this;
    const { dims, weights, linears } = options;
    const block = `mixtures.video.blocks.${l}`;
    const [shiftA, scaleA, gateA, shiftF, scaleF, gateF] = Array.from({ length: MODULATIONS }, (_, kind) =>
      this.#modulationOf(l, kind),
    ) as [Value, Value, Value, Value, Value, Value];
    const normed = layerNorm(g, x, scaleA, shiftA, dims.eps);
    const project = (name: 'q' | 'k'): Value => {
      const linear = linears.apply(g, normed, `${block}.self_attn.${name}`);
      const weight = weights.use(g, `${block}.self_attn.norm_${name}.weight`);
      return rotate(g, addBatch(g, rmsNorm(g, linear, weight, dims.eps)), this.#rotary, dims);
    };
    const key = project('k');
    const value = addBatch(g, linears.apply(g, normed, `${block}.self_attn.v`));
    const finish = (context: BlockContext): Value => {
      const mixed = dropBatch(g, attention(g, project('q'), key, value, dims));
      const out = linears.apply(g, mixed, `${block}.self_attn.o`);
      const afterSelf = g.op('Add', [x, g.op('Mul', [out, gateA])]);
      const afterCross = g.op('Add', [afterSelf, crossAttention(g, afterSelf, block, context, options)]);
      const inner = linears.apply(g, layerNorm(g, afterCross, scaleF, shiftF, dims.eps), `${block}.ffn.0`);
      const ffn = linears.apply(g, geluTanh(g, inner), `${block}.ffn.2`);
      return g.op('Add', [afterCross, g.op('Mul', [ffn, gateF])]);
    };
    return { key, value, finish };
  }
}
