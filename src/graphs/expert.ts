import type { ModelDimensions } from '../bundle/layout';
import { GraphBuilder, graph, int } from '../onnx/GraphBuilder';
import type { Dimension, Value } from '../onnx/types';
import type { Schedule } from '../sampler/types';
import type { KeyValue } from './attention';
import { ActionBlocks, SUB_BLOCKS } from './ActionBlocks';
import type { BlockModulation } from './ActionBlocks';
import { contextKeyValues } from './context';
import type { TokenContext } from './crossAttention';
import { rotaryValues } from './layers';
import type { Linears } from './Linears';
import { CONTEXT_LOG_COUNT, keyValueName, latentsInput, videoKeyValues, videoTokens } from './prefill';
import type { ChunkKeyValue } from './prefill';
import { actionRotary } from './rotaryTables';
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

/** Inputs of the Loop over full steps; M is the number of steps of one call. */
export interface LoopInputs {
  /** int64 scalar M */
  readonly count: Value;
  /** [T, a] */
  readonly x: Value;
  /** int64 [M], denoising step indices */
  readonly index: Value;
  /** [M, a, a] and [M, T, a]: x <- x P + q before each step */
  readonly beforeScale: Value;
  readonly beforeShift: Value;
  /** [M], Euler step sizes */
  readonly delta: Value;
}

export function loopInputs(g: GraphBuilder, dims: ModelDimensions): LoopInputs {
  const [t, a] = [dims.horizon, dims.actionDim];
  return {
    count: g.input('count', 'int64', []),
    x: g.input('x', 'float32', [t, a]),
    index: g.input('index', 'int64', ['M']),
    beforeScale: g.input('before_scale', 'float32', ['M', a, a]),
    beforeShift: g.input('before_shift', 'float32', ['M', t, a]),
    delta: g.input('delta', 'float32', ['M']),
  };
}

/** What the blocks read of a chunk, in the compute type: inputs, or computed in this graph. */
export function chunkKeyValues(g: GraphBuilder, options: ExpertGraphOptions): ChunkKeyValue[] {
  const { dims, weights } = options;
  if (options.reads === 'key_values') return keyValueInputs(g, dims, weights);
  const latents = latentsInput(g, dims);
  const tokens = g.input('tokens', 'float32', ['m', dims.textDim]);
  const context = contextKeyValues(g, dims, weights, tokens);
  const ofTokens = (own: KeyValue): TokenContext => ({ form: 'tokens', ...own });
  const video = videoKeyValues(g, dims, weights, latents, context.video.map(ofTokens));
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
  inputs: LoopInputs,
  constants: ExpertConstants,
  options: ExpertGraphOptions,
): StepStart {
  const { dims, weights } = options;
  const row = (table: Value): Value =>
    body.op('Gather', [table, iteration], { attributes: { axis: int(0) } });
  const scaled = body.op('MatMul', [carried, row(inputs.beforeScale)]);
  const x = body.op('Add', [scaled, row(inputs.beforeShift)]);
  const index = row(inputs.index);
  const own = body.op('Gather', [constants.modulation, index], { attributes: { axis: int(0) } }, 'float32');
  const pieces = dims.layers * MODULATIONS;
  const parts = body.ops(
    'Split',
    [cast(body, own, weights.compute)],
    Array.from({ length: pieces }, () => weights.compute),
    { attributes: { axis: int(0), num_outputs: int(pieces) }, name: 'modulation' },
  );
  const modulations = Array.from(
    { length: dims.layers },
    (_, l) => parts.slice(l * MODULATIONS, (l + 1) * MODULATIONS) as unknown as BlockModulation,
  );
  return { iteration, x, delta: row(inputs.delta), modulations };
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
 * so a call costs what its full steps cost (cache-policies §6).
 *
 * Outputs: `x_out` [T, a]; `xs` [M, T, a] (what entered each stack); `vs` [M, T, a]; `residuals` [M, T, d]
 * (hL - h0).
 */
export function expertGraph(options: ExpertGraphOptions): GraphBuilder {
  const g = GraphBuilder.create('expert');
  const inputs = loopInputs(g, options.dims);
  const kvs = chunkKeyValues(g, options);
  emitExpertLoop(g, inputs, kvs, options);
  return g;
}

/** Emits the plain Loop into `g` and declares its outputs. */
function emitExpertLoop(
  g: GraphBuilder,
  inputs: LoopInputs,
  kvs: readonly ChunkKeyValue[],
  options: ExpertGraphOptions,
): void {
  const { dims, weights } = options;
  const [t, a, d] = [dims.horizon, dims.actionDim, dims.actionHidden];
  const constants = expertConstants(g, options);
  const body = g.inner('step');
  const iteration = body.input('iteration', 'int64', []);
  const condition = body.input('condition', 'bool', []);
  const carried = body.input('x_carried', 'float32', [t, a]);
  const step = beginStep(body, iteration, carried, inputs, constants, options);
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
  body.yield(body.op('Identity', [condition]), []);
  body.yield(end.x, [t, a]);
  body.yield(body.op('Identity', [step.x]), [t, a]);
  body.yield(end.v, [t, a]);
  body.yield(residual, [t, d]);
  const [x, xs, vs, residuals] = g.ops(
    'Loop',
    [inputs.count, undefined, inputs.x],
    ['float32', 'float32', 'float32', 'float32'],
    { attributes: { body: graph(body) }, name: 'steps' },
  ) as [Value, Value, Value, Value];
  g.output(x, 'x_out', [t, a]);
  g.output(xs, 'xs', ['M', t, a]);
  g.output(vs, 'vs', ['M', t, a]);
  g.output(residuals, 'residuals', ['M', t, d]);
}
