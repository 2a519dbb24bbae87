import { GraphBuilder, int } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import type { KeyValue } from './attention';
import { addBatch, dropBatch } from './attention';
import { GATE_PIECE } from './ActionBlocks';
import { EXPERTS, contextKeyValues } from './context';
import { DeviceBlocks, outputBias, withoutValueBias } from './DeviceBlocks';
import type { DeviceModulation, PresentKeyValue, Stream } from './DeviceBlocks';
import type { ExpertGraphOptions } from './expert';
import { affineStep, eulerStep } from './expert';
import { stackInputs, stackOutputs } from './expertSignature';
import { FloatLinears } from './Linears';
import { latentsInput, patchTokens, videoTokens } from './prefill';
import { actionRotary, videoRotary } from './rotary';
import { MODULATIONS, timeModulations } from './timeModulation';
import { cast } from './Weights';

/** Pieces of one block's modulation for a device: those of the original, and its gates times what they gate. */
const PIECES = MODULATIONS + 2;

/** What a chunk is for a device: keys and values of the first frame and of the context in every block. */
export interface DeviceChunk {
  /** [1, heads, V, headDim] */
  readonly video: readonly PresentKeyValue[];
  /** of the action expert, [1, m, inner] */
  readonly context: readonly KeyValue[];
}

/**
 * Prefill and expert in one graph for a GPU, so that keys and values never leave it: `latents` and `tokens` beside
 * `stackInputs` in, `stackOutputs` out.
 */
export function deviceExpertGraph(options: ExpertGraphOptions): GraphBuilder {
  const { dims, weights, schedule } = options;
  const [t, a, d] = [dims.horizon, dims.actionDim, dims.actionHidden];
  const g = GraphBuilder.create('device_expert');
  const inputs = g.inputs(stackInputs(dims));
  const chunk = devicePrefill(g, options);
  const expert = 'mixtures.action';
  const blocks = new DeviceBlocks(g, {
    dims,
    weights,
    expert,
    tokens: t,
    rotary: actionRotary(t, dims.headDim),
    past: videoTokens(dims).count,
  });
  const past = chunk.video.map((own, l) => withoutValueBias(g, own, `${expert}.blocks.${l}`, options));
  const table = deviceModulations(options, expert, Array.from(schedule.timesteps), (block) =>
    outputBias(weights, block),
  );
  const shape = [schedule.steps, dims.layers * PIECES * d];
  const modulation = cast(g, g.initializer('action_modulation', 'float32', shape, table), weights.compute);
  const ends = new FloatLinears(weights);
  const steps = g.loop({
    name: 'steps',
    count: inputs.count,
    carried: { x: { value: inputs.x, shape: [t, a] } },
    body: (body, iteration, { x }) => {
      const step = affineStep(body, iteration, x, inputs);
      const row = body.op('Gather', [modulation, step.index], { attributes: { axis: int(0) } });
      const pieces = splitPieces(body, row, dims.layers);
      const h0 = addBatch(
        body,
        ends.apply(body, cast(body, step.x, weights.compute), `${expert}.action_encoder`),
      );
      let stream: Stream = { sum: h0 };
      chunk.context.forEach((context, l) => {
        ({ stream } = blocks.block(body, stream, l, modulationOf(pieces, l), context, past[l]));
      });
      const h = blocks.flush(body, stream);
      const v = cast(body, ends.apply(body, dropBatch(body, h), `${expert}.head`), 'float32');
      const residual = dropBatch(body, body.op('Sub', [h, h0]));
      return {
        carried: { x: eulerStep(body, step, v) },
        collected: {
          xs: { value: step.x, shape: [t, a] },
          vs: { value: v, shape: [t, a] },
          residuals: { value: cast(body, residual, 'float32'), shape: [t, d] },
        },
      };
    },
  });
  g.outputs(stackOutputs(dims), { ...steps, x_out: steps.x });
  return g;
}

/** Emits what the expert's steps of one chunk read: declares `latents` [48, h, w] and `tokens` [m, textDim]. */
export function devicePrefill(g: GraphBuilder, options: ExpertGraphOptions): DeviceChunk {
  const { dims, weights } = options;
  const latents = latentsInput(g, dims);
  const tokens = cast(g, g.input('tokens', 'float32', ['m', dims.textDim]), weights.compute);
  const [ofVideo = [], ofAction = []] = EXPERTS.map(({ prefix }) =>
    contextKeyValues(g, options, prefix, tokens).map(({ key, value }) => ({
      key: addBatch(g, key),
      value: addBatch(g, value),
    })),
  );
  return { video: videoKeyValues(g, options, latents, ofVideo), context: ofAction };
}

/** Keys (normed, rotated) and values of the first frame's tokens in every layer. */
function videoKeyValues(
  g: GraphBuilder,
  options: ExpertGraphOptions,
  latents: Value,
  context: readonly KeyValue[],
): PresentKeyValue[] {
  const { dims, weights } = options;
  const { rows, columns, count } = videoTokens(dims);
  const expert = 'mixtures.video';
  const rotary = videoRotary(rows, columns, dims.headDim);
  const blocks = new DeviceBlocks(g, { dims, weights, expert, tokens: count, rotary, past: 0 });
  // First-frame tokens are clean: their timestep is 0, so the modulation is a constant of the weights.
  const table = deviceModulations(options, expert, [0], (block) =>
    Float64Array.from(weights.float32(`${block}.self_attn.o.bias`)),
  );
  const pieces = Array.from({ length: dims.layers * PIECES }, (_, i) => {
    const values = table.slice(i * dims.videoDim, (i + 1) * dims.videoDim);
    return cast(
      g,
      g.initializer(`video_modulation_${i}`, 'float32', [dims.videoDim], values),
      weights.compute,
    );
  });
  let stream: Stream = { sum: addBatch(g, patchTokens(g, options, latents)) };
  return context.map((own, l) => {
    const modulation = modulationOf(pieces, l);
    if (l === context.length - 1) return blocks.keyValue(g, stream, l, modulation.selfAttention);
    const out = blocks.block(g, stream, l, modulation, own);
    stream = out.stream;
    return out.present;
  });
}

/** One row of a modulation table, [layers * PIECES * d], by piece. */
function splitPieces(g: GraphBuilder, row: Value, layers: number): Value[] {
  const count = layers * PIECES;
  return g.ops(
    'Split',
    [row],
    Array.from({ length: count }, () => row.type),
    { attributes: { axis: int(0), num_outputs: int(count) }, name: 'modulation' },
  );
}

function modulationOf(pieces: readonly Value[], layer: number): DeviceModulation {
  const [shiftA, scaleA, gateA, shiftF, scaleF, gateF, biasA, biasF] = pieces.slice(layer * PIECES);
  if (!shiftA || !scaleA || !gateA || !shiftF || !scaleF || !gateF || !biasA || !biasF) {
    throw new Error(`no modulation for layer ${layer}`);
  }
  return {
    selfAttention: { shift: shiftA, scale: scaleA, gate: gateA, gatedBias: biasA },
    feedForward: { shift: shiftF, scale: scaleF, gate: gateF, gatedBias: biasF },
  };
}

/** The modulations of every block at every timestep, float32 [timesteps, layers, PIECES, d]. */
function deviceModulations(
  { dims, weights }: Pick<ExpertGraphOptions, 'dims' | 'weights'>,
  expert: string,
  timesteps: readonly number[],
  attentionBias: (block: string) => Float64Array,
): Float32Array {
  const own = timeModulations(weights, expert, timesteps, dims.layers, dims.freqDim);
  const cells = timesteps.length * dims.layers;
  const d = own.length / (cells * MODULATIONS);
  const biases = Array.from({ length: dims.layers }, (_, l) => {
    const block = `${expert}.blocks.${l}`;
    return { attention: attentionBias(block), ffn: weights.float32(`${block}.ffn.2.bias`) };
  });
  const all = new Float32Array(cells * PIECES * d);
  for (let cell = 0; cell < cells; cell++) {
    const from = own.subarray(cell * MODULATIONS * d, (cell + 1) * MODULATIONS * d);
    const to = all.subarray(cell * PIECES * d, (cell + 1) * PIECES * d);
    const bias = biases[cell % dims.layers];
    to.set(from);
    for (let i = 0; i < d; i++) {
      to[MODULATIONS * d + i] = (from[GATE_PIECE.selfAttention * d + i] ?? 0) * (bias?.attention[i] ?? 0);
      to[(MODULATIONS + 1) * d + i] = (from[GATE_PIECE.feedForward * d + i] ?? 0) * (bias?.ffn[i] ?? 0);
    }
  }
  return all;
}
