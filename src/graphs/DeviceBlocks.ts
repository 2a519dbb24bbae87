import type { ModelDimensions } from '../bundle/layout';
import type { GraphBuilder } from '../onnx/GraphBuilder';
import { float, int } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import type { KeyValue } from './attention';
import { concat, layerNorm } from './layers';
import { rotate } from './rotary';
import type { RotaryTables, RotaryValues } from './rotary';
import { cast } from './Weights';
import type { Weights } from './Weights';

/** Sizes of one expert's blocks, and what its attention goes over. */
export interface DeviceBlockOptions {
  readonly dims: ModelDimensions;
  readonly weights: Weights;
  /** `mixtures.video` or `mixtures.action` */
  readonly expert: string;
  /** tokens S of its residual stream */
  readonly tokens: number;
  /** of those tokens */
  readonly rotary: RotaryTables;
  /** tokens whose keys and values are there already and are attended to as well */
  readonly past: number;
}

/**
 * The residual stream [1, S, d] with what was computed for it but not added yet: the next norm adds both in its own
 * kernel, so that neither residual sums nor biases of output maps cost one.
 */
export interface Stream {
  readonly sum: Value;
  readonly pending?: { readonly term: Value; readonly bias: Value };
}

/**
 * How one block is modulated, each [d]: shift, 1 + scale and gate of self-attention, then of the FFN, and both gates
 * times the biases of what they gate.
 */
export interface DeviceModulation {
  readonly selfAttention: GatedModulation;
  readonly feedForward: GatedModulation;
}

interface GatedModulation {
  readonly shift: Value;
  readonly scale: Value;
  readonly gate: Value;
  readonly gatedBias: Value;
}

/** Keys and values of a block's own tokens with those before them, [1, heads, past + S, headDim], keys rotated. */
export type PresentKeyValue = KeyValue;

const MICROSOFT = 'com.microsoft';

/**
 * The blocks of an expert for a GPU. A step there costs what it takes to launch its kernels, hardly what they compute,
 * so a block is 18 of them: one product for q, k and v; residual sums, biases and norms in one kernel each; keys and
 * values in the layout that the attention kernel keeps them in; every activation [1, S, width], so that nothing is
 * reshaped. What is emitted has a kernel for float32, float16 and bfloat16 in onnxruntime's CUDA provider.
 * Source: `DiTBlock` in `wan_video_dit.py`, `forward_action_with_video_cache` in `mot.py`.
 */
export class DeviceBlocks {
  readonly #inner: number;
  readonly #rotary: RotaryValues;
  readonly #nothing: Value;
  readonly #grouped: boolean;

  /** @param g the main graph; blocks may be emitted into graphs inside it */
  constructor(
    g: GraphBuilder,
    private readonly options: DeviceBlockOptions,
  ) {
    const { dims, weights, tokens, past, expert, rotary } = options;
    this.#inner = dims.heads * dims.headDim;
    this.#grouped = groupedAttention(dims, weights);
    // The attention kernel counts positions through the tokens before, whose keys are rotated already.
    const before = this.#grouped ? past : 0;
    const half = dims.headDim / 2;
    const table = (name: 'cos' | 'sin'): Value => {
      const values = new Float32Array((before + tokens) * half);
      values.set(rotary[name], before * half);
      const constant = g.initializer(`${expert}.rotary.${name}`, 'float32', [before + tokens, half], values);
      return cast(g, constant, weights.compute);
    };
    this.#rotary = { cos: table('cos'), sin: table('sin') };
    const zeros = new Float32Array(tokens * this.#inner);
    const nothing = g.initializer(`${expert}.nothing`, 'float32', [1, tokens, this.#inner], zeros);
    this.#nothing = cast(g, nothing, weights.compute);
  }

  /** One block. @param context its keys and values of the context, [1, m, inner] each */
  block(
    g: GraphBuilder,
    stream: Stream,
    layer: number,
    modulation: DeviceModulation,
    context: KeyValue,
    past?: KeyValue,
  ): { stream: Stream; present: PresentKeyValue } {
    const block = this.#name(layer);
    const { selfAttention, feedForward } = modulation;

    const first = this.#norm(g, stream, selfAttention);
    const { mixed, present } = this.#selfAttention(g, first.normed, layer, past);
    const attended = this.#gated(g, this.#product(g, mixed, `${block}.self_attn.o`), selfAttention);

    const second = this.#norm(g, { sum: first.sum, pending: attended }, this.#affine(g, `${block}.norm3`));
    const crossed = {
      term: this.#crossAttention(g, second.normed, block, context),
      bias: this.options.weights.use(g, `${block}.cross_attn.o.bias`),
    };

    const third = this.#norm(g, { sum: second.sum, pending: crossed }, feedForward);
    const inner = this.#product(g, third.normed, `${block}.ffn.0`);
    const bias = this.options.weights.use(g, `${block}.ffn.0.bias`);
    const active = g.op('FastGelu', [inner, bias], { domain: MICROSOFT });
    const fed = this.#gated(g, this.#product(g, active, `${block}.ffn.2`), feedForward);
    return { stream: { sum: third.sum, pending: fed }, present };
  }

  /** Keys and values of the last block, after which nobody reads the tokens: no queries, no attention, no FFN. */
  keyValue(
    g: GraphBuilder,
    stream: Stream,
    layer: number,
    { shift, scale }: GatedModulation,
  ): PresentKeyValue {
    const block = `${this.#name(layer)}.self_attn`;
    const { normed } = this.#norm(g, stream, { shift, scale });
    const [k, v] = this.#projections(g, normed, block, ['k', 'v']);
    if (!k || !v) throw new Error('a product of two parts has two');
    const key = this.#rms(g, k, block, 'k');
    // The kernel that attends also rotates the keys and lays both out; what it attends with does not matter.
    return this.#attend(g, key, key, this.#valueWithBias(g, v, block)).present;
  }

  /** The stream with all its terms added. */
  flush(g: GraphBuilder, { sum, pending }: Stream): Value {
    if (!pending) return sum;
    return g.op('Add', [g.op('Add', [pending.term, pending.bias]), sum]);
  }

  #name(layer: number): string {
    return `${this.options.expert}.blocks.${layer}`;
  }

  #affine(g: GraphBuilder, name: string): { shift: Value; scale: Value } {
    const { weights } = this.options;
    return { shift: weights.use(g, `${name}.bias`), scale: weights.use(g, `${name}.weight`) };
  }

  /** y = x W^T, without the bias: [1, S, in] -> [1, S, out] */
  #product(g: GraphBuilder, x: Value, name: string): Value {
    return product(g, x, this.options.weights.use(g, `${name}.weight`), name);
  }

  /** LN(stream) * scale + shift, and the stream with everything added. */
  #norm(
    g: GraphBuilder,
    { sum, pending }: Stream,
    { shift, scale }: { readonly shift: Value; readonly scale: Value },
  ): { normed: Value; sum: Value } {
    const { eps } = this.options.dims;
    if (!pending) return { normed: layerNorm(g, sum, scale, shift, eps), sum };
    const [normed, added] = g.ops(
      'SkipLayerNormalization',
      [pending.term, sum, scale, shift, pending.bias],
      [sum.type, undefined, undefined, sum.type],
      { domain: MICROSOFT, attributes: { epsilon: float(eps) } },
    );
    if (!normed || !added) throw new Error('a norm has two outputs');
    return { normed, sum: added };
  }

  /** RMSNorm of x + bias over the inner width. */
  #rms(g: GraphBuilder, x: Value, attention: string, part: 'q' | 'k'): Value {
    const { weights, dims } = this.options;
    const [weight, bias] = [`${attention}.norm_${part}.weight`, `${attention}.${part}.bias`];
    return g.op(
      'SkipSimplifiedLayerNormalization',
      [x, this.#nothing, weights.use(g, weight), weights.use(g, bias)],
      { domain: MICROSOFT, attributes: { epsilon: float(dims.eps) } },
    );
  }

  #gated(g: GraphBuilder, term: Value, { gate, gatedBias }: GatedModulation): Required<Stream>['pending'] {
    return { term: g.op('Mul', [term, gate]), bias: gatedBias };
  }

  /** Several projections of x, without their biases, in one product; onnxruntime joins the weights when it loads. */
  #projections(g: GraphBuilder, x: Value, attention: string, parts: readonly ('q' | 'k' | 'v')[]): Value[] {
    const { weights } = this.options;
    const joined = concat(
      g,
      parts.map((part) => weights.use(g, `${attention}.${part}.weight`)),
      0,
    );
    const types = parts.map(() => x.type);
    return g.ops('Split', [product(g, x, joined, `${attention}.${parts.join('')}`)], types, {
      attributes: { axis: int(-1), num_outputs: int(parts.length) },
    });
  }

  #selfAttention(
    g: GraphBuilder,
    normed: Value,
    layer: number,
    past?: KeyValue,
  ): { mixed: Value; present: PresentKeyValue } {
    const block = `${this.#name(layer)}.self_attn`;
    const [q, k, v] = this.#projections(g, normed, block, ['q', 'k', 'v']);
    if (!q || !k || !v) throw new Error('a product of three parts has three');
    // With a past, the bias of the values is taken out of that and added after the output map: `withoutValueBias`.
    const value = past ? v : this.#valueWithBias(g, v, block);
    return this.#attend(g, this.#rms(g, q, block, 'q'), this.#rms(g, k, block, 'k'), value, past);
  }

  #valueWithBias(g: GraphBuilder, v: Value, attention: string): Value {
    return g.op('Add', [v, this.options.weights.use(g, `${attention}.v.bias`)]);
  }

  /** Rotates q and k, and attends over the past and the block's own tokens; all [1, S, inner]. */
  #attend(
    g: GraphBuilder,
    q: Value,
    k: Value,
    v: Value,
    past?: KeyValue,
  ): { mixed: Value; present: PresentKeyValue } {
    const { dims, tokens } = this.options;
    const before = past ? this.options.past : 0;
    const types = [q.type, q.type, q.type];
    const rotated = (x: Value): Value => rotate(g, x, this.#rotary, dims);
    const [mixed, key, value] = this.#grouped
      ? g.ops(
          'GroupQueryAttention',
          [
            ...[q, k, v, past?.key, past?.value],
            g.int32([before + tokens - 1]),
            g.int32(before + tokens),
            ...[this.#rotary.cos, this.#rotary.sin],
          ],
          types,
          {
            domain: MICROSOFT,
            attributes: {
              num_heads: int(dims.heads),
              kv_num_heads: int(dims.heads),
              do_rotary: int(1),
              rotary_interleaved: int(1),
              causal: int(0),
            },
          },
        )
      : g.ops(
          'MultiHeadAttention',
          [rotated(q), rotated(k), v, undefined, undefined, undefined, past?.key, past?.value],
          types,
          { domain: MICROSOFT, attributes: { num_heads: int(dims.heads) } },
        );
    if (!mixed || !key || !value) throw new Error('attention has three outputs');
    return { mixed, present: { key, value } };
  }

  #crossAttention(g: GraphBuilder, normed: Value, block: string, context: KeyValue): Value {
    const { dims } = this.options;
    const attention = `${block}.cross_attn`;
    const q = this.#rms(g, this.#product(g, normed, `${attention}.q`), attention, 'q');
    const mixed = g.op('MultiHeadAttention', [q, context.key, context.value], {
      domain: MICROSOFT,
      attributes: { num_heads: int(dims.heads) },
    });
    return this.#product(g, mixed, `${attention}.o`);
  }
}

/**
 * Whether self-attention is one kernel with its rotation. It exists for 16-bit floats alone, and for heads whose half
 * is a multiple of 8; else rotation and attention are three.
 */
export function groupedAttention({ headDim }: Pick<ModelDimensions, 'headDim'>, weights: Weights): boolean {
  return weights.compute !== 'float32' && headDim % 16 === 0;
}

/** The past's values without the bias of a block's own; `outputBias` has what that leaves out. */
export function withoutValueBias(
  g: GraphBuilder,
  past: KeyValue,
  block: string,
  { dims, weights }: Pick<DeviceBlockOptions, 'dims' | 'weights'>,
): KeyValue {
  const bias = weights.use(g, `${block}.self_attn.v.bias`, [1, dims.heads, 1, dims.headDim]);
  return { key: past.key, value: g.op('Sub', [past.value, bias]) };
}

/**
 * O b_v + b_o, [d]: what self-attention adds whatever it attends to. The shares of attention sum to 1, so the bias of
 * the values passes through unchanged: sum over j of P_j (v_j + b_v) = sum of P_j v_j, + b_v.
 */
export function outputBias(weights: Weights, block: string): Float64Array {
  const map = weights.float32(`${block}.self_attn.o.weight`);
  const valueBias = weights.float32(`${block}.self_attn.v.bias`);
  const inner = valueBias.length;
  return Float64Array.from(weights.float32(`${block}.self_attn.o.bias`), (own, row) => {
    let sum = own;
    for (let i = 0; i < inner; i++) sum += (map[row * inner + i] ?? 0) * (valueBias[i] ?? 0);
    return sum;
  });
}

/** x W^T for x [1, S, in] and W [out, in]. */
function product(g: GraphBuilder, x: Value, weight: Value, name: string): Value {
  return g.op('FusedMatMul', [x, weight], { domain: MICROSOFT, attributes: { transB: int(1) }, name });
}
