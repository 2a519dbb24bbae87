import { GraphBuilder, graph, int } from '../onnx/GraphBuilder';
import type { ShapedValue } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import { SUB_BLOCKS } from '../bundle/layout';
import type { SubBlock } from '../bundle/layout';
import { dropBatch } from './attention';
import { GATE_PIECE } from './ActionBlocks';
import type { BlockModulation } from './ActionBlocks';
import { devicePrefill } from './deviceExpert';
import { affineStep, eulerStep, expertConstants, keyValueInputs, stepModulations } from './expert';
import type { ExpertConstants, ExpertGraphOptions } from './expert';
import {
  GATED_PARTS,
  GATE_NUMBERS,
  gateInputs,
  gateOutputs,
  stackInputs,
  stackOutputs,
} from './expertSignature';
import type { GateInput } from './expertSignature';
import { concat } from './layers';
import type { ChunkKeyValue } from './prefill';
import { MODULATIONS } from './timeModulation';
import { cast } from './Weights';

/** Name of what the Loop carries on of a sub-block: layer by layer, part by part. */
type Slot = `held_${number}`;

/**
 * The action expert with every block and sub-block behind an If, for policies that decide below the whole stack:
 * fixed sub-block schedules (BAC), probe and resume (WorldCache content-aware) and the dual gate of X-Cache, which
 * is evaluated here, between the blocks. Weights lie inside the branches: onnxruntime packs those of a branch, but not
 * those that a branch inside a Loop takes from the main graph, and a step then takes 1.4 times as long. So a full step
 * costs what it costs in the plain Loop.
 *
 * Takes `stackInputs` and `gateInputs`, gives `stackOutputs` and `gateOutputs`.
 * @param fused with the prefill in the same graph, for devices that K/V should not leave
 */
export function gatedExpertGraph(options: ExpertGraphOptions, fused: boolean): GraphBuilder {
  const { dims, weights } = options;
  const [t, a, d] = [dims.horizon, dims.actionDim, dims.actionHidden];
  const g = GraphBuilder.create('gated_expert');
  const inputs = g.inputs(stackInputs(dims));
  const gate = g.inputs(gateInputs(dims));
  const kvs = fused ? deviceKeyValues(g, options) : keyValueInputs(g, options);
  const constants = expertConstants(g, options);
  const zero = g.initializer('no_contribution', 'float32', [t, d], new Float32Array(t * d));
  const nothingHeld: ShapedValue = { value: cast(g, zero, weights.compute), shape: ['held', d] };
  const slots = Array.from({ length: kvs.length * SUB_BLOCKS.length }, (_, slot): Slot => `held_${slot}`);
  const bySlot = <V>(value: (slot: number) => V): Record<Slot, V> =>
    Object.fromEntries(slots.map((slot, i) => [slot, value(i)]));
  const rows = g.op('Reshape', [constants.modulation, g.int64([-1, d])], {}, 'float32');

  const start: Record<'x' | Slot, ShapedValue> = {
    x: { value: inputs.x, shape: [t, a] },
    ...bySlot(() => nothingHeld),
  };

  const steps = g.loop({
    name: 'gated_steps',
    count: inputs.count,
    carried: start,
    body: (body, iteration, carried) => {
      const step = affineStep(body, iteration, carried.x, inputs);
      const modulations = stepModulations(body, step.index, constants, options);
      const encoded = constants.blocks.encode(body, cast(body, step.x, weights.compute));
      const resumed = cast(body, gate.hidden, weights.compute);
      const h0 = body.op('Where', [gate.resume, resumed, encoded], {}, weights.compute);
      const flags = new RowFlags(body, iteration);
      const compute = flags.row(gate.sub_blocks, slots.length);
      const allowed = flags.row(gate.gate_allowed, dims.layers);
      const gates = blockGates(body, rows, gate.gate_rows, iteration, options);
      const blocks = new GatedBlocks(constants, options, gate, iteration);
      const hidden: Value[] = [h0];
      const next: Value[] = [];
      const verdicts: GateVerdict[] = [];
      kvs.forEach((kv, l) => {
        const modulation = modulations[l];
        const h = hidden[l];
        const may = allowed[l];
        const own = gates[l];
        if (!modulation || !h || !may || !own) throw new Error(`layer ${l} has no input`);
        const range = [l * SUB_BLOCKS.length, (l + 1) * SUB_BLOCKS.length] as const;
        const held = slots.slice(...range).flatMap((slot) => carried[slot] ?? []);
        const verdict = blocks.gate(body, h, l, may);
        const out = blocks.block(body, {
          h,
          layer: l,
          modulation,
          gates: own,
          kv,
          skip: verdict.skip,
          compute: compute.slice(...range),
          held,
        });
        verdicts.push(verdict);
        hidden.push(out.h);
        next.push(...out.held);
      });
      const last = hidden[hidden.length - 1] ?? h0;
      const v = cast(body, constants.blocks.head(body, last), 'float32');
      const contributions = next.map((slot, s): Recorded => {
        const part = SUB_BLOCKS[s % SUB_BLOCKS.length];
        const of = part && gates[Math.floor(s / SUB_BLOCKS.length)]?.[part];
        return (inner) => (of ? inner.op('Mul', [slot, of]) : slot);
      });
      const states = hidden.map(
        (state): Recorded =>
          () =>
            state,
      );
      const flat = (of: (verdict: GateVerdict) => Value): ShapedValue => ({
        value: concat(body, verdicts.map(of), 0),
        shape: [dims.layers],
      });
      return {
        carried: { x: eulerStep(body, step, v), ...bySlot((slot) => next[slot] ?? zero) },
        collected: {
          xs: { value: step.x, shape: [t, a] },
          vs: { value: v, shape: [t, a] },
          residuals: { value: cast(body, body.op('Sub', [last, h0]), 'float32'), shape: [t, d] },
          hidden_states: recordIf(body, gate.record_hidden, states, [t, d], 'hidden'),
          parts: recordIf(body, gate.record_parts, contributions, [t, d], 'parts'),
          skipped: flat((v) => v.skip),
          similarity: flat((v) => v.similarity),
          deviation: flat((v) => v.deviation),
        },
      };
    },
  });
  g.outputs({ ...stackOutputs(dims), ...gateOutputs(dims) }, { ...steps, x_out: steps.x });
  return g;
}

/** What the blocks read of a chunk where the prefill is in the same graph. */
function deviceKeyValues(g: GraphBuilder, options: ExpertGraphOptions): ChunkKeyValue[] {
  const { video, context } = devicePrefill(g, options);
  return video.map((own, l) => {
    const action = context[l];
    if (!action) throw new Error(`no context for layer ${l}`);
    const perHead = { key: dropBatch(g, own.key), value: dropBatch(g, own.value) };
    return { video: perHead, context: { form: 'tokens', ...action } };
  });
}

/** Splits one row of a table of flags into flags [1]: one Gather and one Split for each step. */
class RowFlags {
  constructor(
    private readonly body: GraphBuilder,
    private readonly iteration: Value,
  ) {}

  row(table: Value, count: number): Value[] {
    const { body } = this;
    const row = body.op('Gather', [table, this.iteration], { attributes: { axis: int(0) } }, 'bool');
    const flat = body.op('Reshape', [row, body.int64([count])], {}, 'bool');
    if (count === 1) return [flat];
    return body.ops(
      'Split',
      [flat],
      Array.from({ length: count }, () => 'bool' as const),
      { attributes: { axis: int(0), num_outputs: int(count) }, name: 'flags' },
    );
  }
}

/** The gates of one block by sub-block, [d] each. */
type BlockGates = Readonly<Partial<Record<SubBlock, Value>>>;

/** The gates that apply in a step, for each layer: one Gather and one Split. */
function blockGates(
  body: GraphBuilder,
  rows: Value,
  table: Value,
  iteration: Value,
  { dims, weights }: ExpertGraphOptions,
): BlockGates[] {
  const count = dims.layers * GATED_PARTS.length;
  const index = body.op('Gather', [table, iteration], { attributes: { axis: int(0) } }, 'int64');
  const gathered = body.op('Gather', [rows, index], { attributes: { axis: int(0) } }, 'float32');
  const flat = body.op('Reshape', [cast(body, gathered, weights.compute), body.int64([-1])]);
  const split = body.ops(
    'Split',
    [flat],
    Array.from({ length: count }, () => weights.compute),
    { attributes: { axis: int(0), num_outputs: int(count) }, name: 'gates' },
  );
  return Array.from({ length: dims.layers }, (_, l) =>
    Object.fromEntries(GATED_PARTS.map((part, j) => [part, split[l * GATED_PARTS.length + j]])),
  );
}

/**
 * The rows of `gate_rows` for one step.
 * @param of which denoising step's gate a sub-block takes
 */
export function gateRows(layers: number, of: (layer: number, part: number) => number): bigint[] {
  const rows: bigint[] = [];
  for (let l = 0; l < layers; l++) {
    for (const part of GATED_PARTS) {
      const row = (of(l, SUB_BLOCKS.indexOf(part)) * layers + l) * MODULATIONS + GATE_PIECE[part];
      rows.push(BigInt(row));
    }
  }
  return rows;
}

interface GateVerdict {
  readonly skip: Value;
  readonly similarity: Value;
  readonly deviation: Value;
}

interface BlockCall {
  readonly h: Value;
  readonly layer: number;
  readonly modulation: BlockModulation;
  readonly gates: BlockGates;
  readonly kv: ChunkKeyValue;
  readonly skip: Value;
  readonly compute: readonly Value[];
  readonly held: readonly Value[];
}

class GatedBlocks {
  constructor(
    private readonly constants: ExpertConstants,
    private readonly options: ExpertGraphOptions,
    private readonly inputs: Readonly<Record<GateInput, Value>>,
    private readonly iteration: Value,
  ) {}

  /** The dual-metric gate of X-Cache (arXiv 2604.20289, section 3) for block input h, where it may skip at all. */
  gate(g: GraphBuilder, h: Value, layer: number, allowed: Value): GateVerdict {
    const measured = this.#measure(g.inner(`gate_${layer}`), h, layer);
    const not = g.inner(`no_gate_${layer}`);
    const nan = not.float32(Number.NaN);
    const none = not.op('Reshape', [nan, not.int64([1])]);
    not.yield(not.initializer('computed', 'bool', [1], Uint8Array.of(0)), [1]);
    not.yield(none, [1]);
    not.yield(none, [1]);
    const [skip, similarity, deviation] = g.ops('If', [allowed], ['bool', 'float32', 'float32'], {
      attributes: { then_branch: graph(measured), else_branch: graph(not) },
      name: `gate_${layer}`,
    }) as [Value, Value, Value];
    return { skip, similarity, deviation };
  }

  #measure(g: GraphBuilder, h: Value, layer: number): GraphBuilder {
    const { inputs } = this;
    const { horizon } = this.options.dims;
    const cell = this.#cell(g, layer);
    const now = cast(g, h, 'float32');
    const [tauCos, conditionCosine, norm, scale] = g.ops(
      'Split',
      [row(g, inputs.gate_numbers, cell)],
      GATE_NUMBERS.map(() => 'float32' as const),
      { attributes: { axis: int(0), num_outputs: int(GATE_NUMBERS.length) }, name: 'gate_numbers' },
    ) as [Value, Value, Value, Value];
    const seen = row(g, now, inputs.gate_tokens);
    const firstRow = g.op('Mul', [cell, g.int64(horizon)]);
    const stored = row(g, inputs.gate_fingerprints, g.op('Add', [inputs.gate_tokens, firstRow]));
    const spatial = g.op('Div', [dot(g, seen, stored), g.op('Mul', [length(g, seen), norm])]);
    const share = new Float32Array(horizon).fill(1 / horizon);
    const mean = g.op('MatMul', [g.initializer(`mean_${layer}`, 'float32', [horizon], share), now]);
    const overall = g.op('Div', [dot(g, mean, row(g, inputs.gate_unit_means, cell)), length(g, mean)]);
    const similarity = g.op('Min', [spatial, overall, conditionCosine]);
    const largest = g.op('ReduceMax', [g.op('Abs', [g.op('Sub', [seen, stored])])], {
      attributes: { keepdims: int(0) },
    });
    const deviation = g.op('Div', [largest, scale]);
    const alike = g.op('GreaterOrEqual', [similarity, tauCos], {}, 'bool');
    const near = g.op('Less', [deviation, inputs.gate_tau_dev], {}, 'bool');
    g.yield(g.op('And', [alike, near], {}, 'bool'), [1]);
    g.yield(similarity, [1]);
    g.yield(deviation, [1]);
    return g;
  }

  /** Number of the cell (iteration, layer), a scalar. */
  #cell(g: GraphBuilder, layer: number): Value {
    const first = g.op('Mul', [this.iteration, g.int64(this.options.dims.layers)]);
    return g.op('Add', [first, g.int64(layer)]);
  }

  /**
   * A block: skipped as a whole with its stored residual, or its sub-blocks, each computed or held. Terms are held
   * before their gates, and up to the next step that skips the block.
   */
  block(g: GraphBuilder, call: BlockCall): { h: Value; held: Value[] } {
    const { compute } = this.options.weights;
    const { horizon: t, actionHidden: d } = this.options.dims;
    const skipped = g.inner(`skip_${call.layer}`);
    const residual = cast(
      skipped,
      row(skipped, this.inputs.gate_residuals, this.#cell(skipped, call.layer)),
      compute,
    );
    skipped.yield(skipped.op('Add', [call.h, residual]), [t, d]);
    // Handing the held terms on would copy them, and no policy both skips blocks and holds sub-blocks.
    const forgotten = skipped.initializer(`forgotten_${call.layer}`, 'float32', [0, d], new Float32Array(0));
    for (let slot = 0; slot < call.held.length; slot++) {
      skipped.yield(cast(skipped, skipped.op('Identity', [forgotten]), compute), ['held', d]);
    }

    const computed = g.inner(`block_${call.layer}`);
    let h = call.h;
    const terms = SUB_BLOCKS.map((part, j) => {
      const [flag, slot] = [call.compute[j], call.held[j]];
      if (!flag || !slot) throw new Error(`sub-block ${j} has no flag`);
      const own = computed.inner(`${part}_${call.layer}`);
      own.yield(this.constants.blocks.ungated(own, part, h, call.layer, call.modulation, call.kv), [t, d]);
      const kept = computed.inner(`${part}_${call.layer}_held`);
      kept.yield(kept.op('Identity', [slot]), [t, d]);
      const term = computed.op(
        'If',
        [flag],
        { attributes: { then_branch: graph(own), else_branch: graph(kept) }, name: part },
        compute,
      );
      const gate = call.gates[part];
      h = computed.op('Add', [h, gate ? computed.op('Mul', [term, gate]) : term]);
      return term;
    });
    computed.yield(h, [t, d]);
    for (const term of terms) computed.yield(term, [t, d]);

    const [out, ...held] = g.ops(
      'If',
      [call.skip],
      Array.from({ length: 4 }, () => compute),
      {
        attributes: { then_branch: graph(skipped), else_branch: graph(computed) },
        name: `block_${call.layer}`,
      },
    );
    if (!out) throw new Error('a block has an output');
    return { h: out, held };
  }
}

/** Rows of a table along its first axis: one without it for a scalar index, several for a list. */
function row(g: GraphBuilder, table: Value, index: Value): Value {
  return g.op('Gather', [table, index], { attributes: { axis: int(0) } }, 'float32');
}

/** |x| over all elements, a scalar */
function length(g: GraphBuilder, x: Value): Value {
  return g.op('ReduceL2', [x], { attributes: { keepdims: int(0) } });
}

/** <a, b> over all elements, a scalar. As a MatMul of two vectors it would take several times as long. */
function dot(g: GraphBuilder, a: Value, b: Value): Value {
  return g.op('ReduceSum', [g.op('Mul', [a, b])], { attributes: { keepdims: int(0) } });
}

/** A value to record; what it takes to make it goes into the graph that records. */
type Recorded = (g: GraphBuilder) => Value;

/** Stacks values along a new first axis if `record` is true, else gives an empty tensor of the same rank. */
function recordIf(
  body: GraphBuilder,
  record: Value,
  values: readonly Recorded[],
  shape: readonly [number, number],
  name: string,
): ShapedValue {
  const [t, d] = shape;
  const kept = body.inner(`record_${name}`);
  const rows = concat(
    kept,
    values.map((value) => cast(kept, value(kept), 'float32')),
    0,
  );
  kept.yield(kept.op('Reshape', [rows, kept.int64([values.length, t, d])]), [values.length, t, d]);
  const none = body.inner(`no_${name}`);
  const empty = none.initializer(`empty_${name}`, 'float32', [0, t, d], new Float32Array(0));
  none.yield(none.op('Identity', [empty]), [0, t, d]);
  const branches = { then_branch: graph(kept), else_branch: graph(none) };
  const value = body.op('If', [record], { attributes: branches, name: `record_${name}` }, 'float32');
  return { value, shape: [`${name}_count`, t, d] };
}
