import type { ModelDimensions } from '../bundle/layout';
import { GraphBuilder, int } from '../onnx/GraphBuilder';
import type { Dimension, Value } from '../onnx/types';
import type { Schedule } from '../sampler/types';
import type { KeyValue } from './attention';
import { ActionBlocks, SUB_BLOCKS } from './ActionBlocks';
import type { BlockModulation } from './ActionBlocks';
import { contextKeyValues } from './context';
import type { TokenContext } from './crossAttention';
import { stackInputs, stackOutputs } from './expertSignature';
import type { StackInput } from './expertSignature';
import type { Linears } from './Linears';
import { CONTEXT_LOG_COUNT, keyValueName, latentsInput, videoKeyValues, videoTokens } from './prefill';
import type { ChunkKeyValue } from './prefill';
import { actionRotary, rotaryValues } from './rotary';
import { MODULATIONS, timeModulations } from './timeModulation';
import { cast } from './Weights';
import type { Weights } from './Weights';

export interface ExpertGraphOptions {
  readonly dims: ModelDimensions;
  readonly weights: Weights;
  /** linear layers of the blocks */
  readonly linears: Linears;
  readonly schedule: Schedule;
  /**
   * `key_values`: the graph takes the chunk's K/V (made by the prefill graph, kept by the caller over several calls).
   * `observation`: it holds the prefill too and takes latents and context tokens, so that K/V never leaves the device.
   */
  readonly reads: 'key_values' | 'observation';
}

/** What the blocks read of a chunk, in the compute type: inputs, or computed in this graph. */
export function chunkKeyValues(g: GraphBuilder, options: ExpertGraphOptions): ChunkKeyValue[] {
  const { dims, weights } = options;
  if (options.reads === 'key_values') return keyValueInputs(g, dims, weights);
  const latents = latentsInput(g, dims);
  const tokens = g.input('tokens', 'float32', ['m', dims.textDim]);
  const context = contextKeyValues(g, dims, weights, tokens);
  const ofTokens = (own: KeyValue): TokenContext => ({ form: 'tokens', ...own });
  const video = videoKeyValues(g, options, latents, context.video.map(ofTokens));
  return video.map((own, l) => {
    const action = context.action[l];
    if (!action) throw new Error(`no context for layer ${l}`);
    return { video: own, context: ofTokens(action) };
  });
}

/** Declares what the prefill graph made, tensors for each layer. */
function keyValueInputs(g: GraphBuilder, dims: ModelDimensions, weights: Weights): ChunkKeyValue[] {
  const input = (name: string, shape: readonly Dimension[]): Value =>
    cast(g, g.input(name, 'float32', shape), weights.compute);
  const video = [dims.heads, videoTokens(dims).count, dims.headDim];
  const logCount = input(CONTEXT_LOG_COUNT, ['m']);
  return Array.from({ length: dims.layers }, (_, l) => ({
    video: {
      key: input(keyValueName('videoKey', l), video),
      value: input(keyValueName('videoValue', l), video),
    },
    context: {
      form: 'rows',
      key: input(keyValueName('contextKey', l), [dims.heads, 'm', dims.headDim]),
      output: input(keyValueName('contextOutput', l), ['heads_m', dims.actionHidden]),
      logCount,
    },
  }));
}

/** Constants of the expert that its Loop reads. */
export interface ExpertConstants {
  readonly blocks: ActionBlocks;
  /** [N, layers * 6 * d] */
  readonly modulation: Value;
}

export function expertConstants(g: GraphBuilder, options: ExpertGraphOptions): ExpertConstants {
  const { dims, weights, linears, schedule } = options;
  const rotary = rotaryValues(g, 'action_rotary', actionRotary(dims.horizon, dims.headDim), dims.headDim / 2);
  const typed = { cos: cast(g, rotary.cos, weights.compute), sin: cast(g, rotary.sin, weights.compute) };
  const table = timeModulations(
    weights,
    'mixtures.action',
    Array.from(schedule.timesteps),
    dims.layers,
    dims.freqDim,
  );
  const width = dims.layers * MODULATIONS * dims.actionHidden;
  return {
    blocks: new ActionBlocks(dims, weights, linears, typed),
    modulation: g.initializer('action_modulation', 'float32', [schedule.steps, width], table),
  };
}

/** What the body of a Loop iteration starts from. */
export interface StepStart {
  readonly iteration: Value;
  /** x that enters the stack, [T, a] float32 */
  readonly x: Value;
  readonly delta: Value;
  readonly modulations: readonly BlockModulation[];
}

/** Emits the beginning of an iteration: the reused steps before it as one affine map, and the step's modulation. */
export function beginStep(
  body: GraphBuilder,
  iteration: Value,
  carried: Value,
  inputs: Readonly<Record<StackInput, Value>>,
  constants: ExpertConstants,
  options: ExpertGraphOptions,
): StepStart {
  const { dims, weights } = options;
  const row = (table: Value): Value =>
    body.op('Gather', [table, iteration], { attributes: { axis: int(0) } });
  const scaled = body.op('MatMul', [carried, row(inputs.before_scale)]);
  const x = body.op('Add', [scaled, row(inputs.before_shift)]);
  const index = row(inputs.index);
  const own = body.op('Gather', [constants.modulation, index], { attributes: { axis: int(0) } }, 'float32');
  const pieces = dims.layers * MODULATIONS;
  const parts = body.ops(
    'Split',
    [cast(body, own, weights.compute)],
    Array.from({ length: pieces }, () => weights.compute),
    { attributes: { axis: int(0), num_outputs: int(pieces) }, name: 'modulation' },
  );
  const modulations = Array.from({ length: dims.layers }, (_, l) => blockModulation(parts, l));
  return { iteration, x, delta: row(inputs.delta), modulations };
}

/** The pieces of one block from those of all. */
function blockModulation(parts: readonly Value[], layer: number): BlockModulation {
  const [shiftA, scaleA, gateA, shiftF, scaleF, gateF] = parts.slice(layer * MODULATIONS);
  if (!shiftA || !scaleA || !gateA || !shiftF || !scaleF || !gateF) {
    throw new Error(`no modulation for layer ${layer}`);
  }
  return [shiftA, scaleA, gateA, shiftF, scaleF, gateF];
}

/** Emits head and Euler step: v = head(h), x' = x + delta v. */
export function endStep(
  body: GraphBuilder,
  step: StepStart,
  h: Value,
  constants: ExpertConstants,
): { v: Value; x: Value } {
  const v = cast(body, constants.blocks.head(body, h), 'float32');
  return { v, x: body.op('Add', [step.x, body.op('Mul', [v, step.delta])]) };
}

/**
 * The action expert as one Loop over full denoising steps; reused steps are the affine maps before each of them,
 * so a call costs what its full steps cost (`cache/affine.ts`). `stackInputs` in, `stackOutputs` out.
 */
export function expertGraph(options: ExpertGraphOptions): GraphBuilder {
  const { dims, weights } = options;
  const [t, a, d] = [dims.horizon, dims.actionDim, dims.actionHidden];
  const g = GraphBuilder.create('expert');
  const inputs = g.inputs(stackInputs(dims));
  const kvs = chunkKeyValues(g, options);
  const constants = expertConstants(g, options);
  const steps = g.loop({
    name: 'steps',
    count: inputs.count,
    carried: { x: { value: inputs.x, shape: [t, a] } },
    body: (body, iteration, { x }) => {
      const step = beginStep(body, iteration, x, inputs, constants, options);
      const h0 = constants.blocks.encode(body, cast(body, step.x, weights.compute));
      let h = h0;
      kvs.forEach((kv, l) => {
        const modulation = step.modulations[l];
        if (!modulation) throw new Error(`no modulation for layer ${l}`);
        for (const part of SUB_BLOCKS) {
          h = body.op('Add', [h, constants.blocks.contribution(body, part, h, l, modulation, kv)]);
        }
      });
      const residual = cast(body, body.op('Sub', [h, h0]), 'float32');
      const end = endStep(body, step, h, constants);
      return {
        carried: { x: end.x },
        collected: {
          xs: { value: step.x, shape: [t, a] },
          vs: { value: end.v, shape: [t, a] },
          residuals: { value: residual, shape: [t, d] },
        },
      };
    },
  });
  g.outputs(stackOutputs(dims), { ...steps, x_out: steps.x });
  return g;
}
