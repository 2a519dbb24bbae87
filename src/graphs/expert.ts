import type { ModelDimensions } from '../bundle/layout';
import { GraphBuilder, int } from '../onnx/GraphBuilder';
import type { Dimension, Value } from '../onnx/types';
import type { Schedule } from '../sampler/types';
import { SUB_BLOCKS } from '../bundle/layout';
import { ActionBlocks } from './ActionBlocks';
import type { BlockModulation } from './ActionBlocks';
import { stackInputs, stackOutputs } from './expertSignature';
import type { StackInput } from './expertSignature';
import type { Linears } from './Linears';
import { CONTEXT_LOG_COUNT, keyValueName, videoTokens } from './prefill';
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
}

/** Declares what the prefill graph made, tensors for each layer; in the compute type. */
export function keyValueInputs(
  g: GraphBuilder,
  { dims, weights }: Pick<ExpertGraphOptions, 'dims' | 'weights'>,
): ChunkKeyValue[] {
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
  /** x that enters the stack, [T, a] float32 */
  readonly x: Value;
  /** number of the denoising step */
  readonly index: Value;
  /** the Euler step after it */
  readonly keep: Value;
  readonly gain: Value;
  readonly pull: Value;
}

/** Emits the beginning of an iteration: the reused steps before it as one affine map, of all rows or of each. */
export function affineStep(
  body: GraphBuilder,
  iteration: Value,
  carried: Value,
  inputs: Readonly<Record<StackInput, Value>>,
): StepStart {
  const row = (table: Value): Value =>
    body.op('Gather', [table, iteration], { attributes: { axis: int(0) } });
  const rows = body.op('Unsqueeze', [carried, body.int64([1])]);
  const mapped = body.op('MatMul', [rows, row(inputs.before_scale)]);
  const scaled = body.op('Squeeze', [mapped, body.int64([1])]);
  const x = body.op('Add', [scaled, row(inputs.before_shift)]);
  return {
    x,
    index: row(inputs.index),
    keep: row(inputs.keep),
    gain: row(inputs.gain),
    pull: row(inputs.pull),
  };
}

/** Emits the modulation of every block in one step. */
export function stepModulations(
  body: GraphBuilder,
  index: Value,
  constants: ExpertConstants,
  { dims, weights }: ExpertGraphOptions,
): BlockModulation[] {
  const own = body.op('Gather', [constants.modulation, index], { attributes: { axis: int(0) } }, 'float32');
  const pieces = dims.layers * MODULATIONS;
  const parts = body.ops(
    'Split',
    [cast(body, own, weights.compute)],
    Array.from({ length: pieces }, () => weights.compute),
    { attributes: { axis: int(0), num_outputs: int(pieces) }, name: 'modulation' },
  );
  return Array.from({ length: dims.layers }, (_, l) => blockModulation(parts, l));
}

/** The pieces of one block from those of all. */
function blockModulation(parts: readonly Value[], layer: number): BlockModulation {
  const [shiftA, scaleA, gateA, shiftF, scaleF, gateF] = parts.slice(layer * MODULATIONS);
  if (!shiftA || !scaleA || !gateA || !shiftF || !scaleF || !gateF) {
    throw new Error(`no modulation for layer ${layer}`);
  }
  return [shiftA, scaleA, gateA, shiftF, scaleF, gateF];
}

/** Emits the Euler step: x keep + v gain + pull, which without guidance is x + delta v bit for bit. */
export function eulerStep(body: GraphBuilder, step: StepStart, v: Value): Value {
  const kept = body.op('Mul', [step.x, step.keep]);
  const moved = body.op('Add', [kept, body.op('Mul', [v, step.gain])]);
  return body.op('Add', [moved, step.pull]);
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
  const kvs = keyValueInputs(g, options);
  const constants = expertConstants(g, options);
  const steps = g.loop({
    name: 'steps',
    count: inputs.count,
    carried: { x: { value: inputs.x, shape: [t, a] } },
    body: (body, iteration, { x }) => {
      const step = affineStep(body, iteration, x, inputs);
      const modulations = stepModulations(body, step.index, constants, options);
      const h0 = constants.blocks.encode(body, cast(body, step.x, weights.compute));
      let h = h0;
      kvs.forEach((kv, l) => {
        const modulation = modulations[l];
        if (!modulation) throw new Error(`no modulation for layer ${l}`);
        for (const part of SUB_BLOCKS) {
          h = body.op('Add', [h, constants.blocks.contribution(body, part, h, l, modulation, kv)]);
        }
      });
      const residual = cast(body, body.op('Sub', [h, h0]), 'float32');
      const v = cast(body, constants.blocks.head(body, h), 'float32');
      return {
        carried: { x: eulerStep(body, step, v) },
        collected: {
          xs: { value: step.x, shape: [t, a] },
          vs: { value: v, shape: [t, a] },
          residuals: { value: residual, shape: [t, d] },
        },
      };
    },
  });
  g.outputs(stackOutputs(dims), { ...steps, x_out: steps.x });
  return g;
}
