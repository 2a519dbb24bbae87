import type { ModelDimensions } from '../bundle/layout';
import { GraphBuilder, graph, int } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import { GATE_PIECE, SUB_BLOCKS } from './ActionBlocks';
import type { BlockModulation, SubBlock } from './ActionBlocks';
import { beginStep, chunkKeyValues, endStep, expertConstants, loopInputs } from './expert';
import type { ExpertConstants, ExpertGraphOptions, LoopInputs } from './expert';
import { concat } from './layers';
import type { ChunkKeyValue } from './prefill';
import { MODULATIONS } from './timeModulation';
import { cast } from './Weights';

/** Inputs of the gated Loop besides those of the plain one. */
interface GateInputs {
  /** bool [M, L, 3]: sub-blocks to compute; the others add once more what they computed last (zero at first) */
  readonly subBlocks: Value;
  /**
   * int64 [M, G]: rows of the modulation, seen as [N L 6, d], that gate the terms of this step; G counts the gated
   * sub-blocks. Terms are held before their gate, so this says whether a held one keeps the gate under which it was
   * computed or takes that of the step.
   */
  readonly gateRows: Value;
  /** bool scalar: start from `hidden` instead of encode(x); for resuming after a probe */
  readonly resume: Value;
  /** [T, d] */
  readonly hidden: Value;
  /** bool [M, L]: blocks whose gate may skip them */
  readonly allowed: Value;
  /** int64 [K]: tokens that the spatial entry compares */
  readonly tokens: Value;
  /**
   * What the cells keep, (step, block) by (step, block); no rows where nothing is allowed. Block inputs token by
   * token [M·L·T, d], their means at length 1 [M·L, d], residuals [M·L, T, d], and the numbers of `GATE_NUMBERS`.
   */
  readonly fingerprints: Value;
  readonly unitMeans: Value;
  readonly residuals: Value;
  readonly numbers: Value;
  /** scalar */
  readonly tauDev: Value;
  /** bool scalars: what to write out */
  readonly recordHidden: Value;
  readonly recordParts: Value;
}

/**
 * What a gate reads of its cell beside tensors: both of its cosine thresholds, the norm of the fingerprint, and what
 * the largest deviation is divided by.
 */
export const GATE_NUMBERS = ['tauCos', 'conditionCosine', 'norm', 'scale'] as const;

/** Sub-blocks whose term is multiplied by a gate of the modulation, in order. */
const GATED_PARTS = ['selfAttention', 'feedForward'] as const satisfies readonly SubBlock[];

function gateInputs(g: GraphBuilder, dims: ModelDimensions): GateInputs {
  const [t, d, l] = [dims.horizon, dims.actionHidden, dims.layers];
  return {
    subBlocks: g.input('sub_blocks', 'bool', ['M', l, SUB_BLOCKS.length]),
    gateRows: g.input('gate_rows', 'int64', ['M', l * GATED_PARTS.length]),
    resume: g.input('resume', 'bool', []),
    hidden: g.input('hidden', 'float32', [t, d]),
    allowed: g.input('gate_allowed', 'bool', ['M', l]),
    tokens: g.input('gate_tokens', 'int64', ['tokens']),
    fingerprints: g.input('gate_fingerprints', 'float32', ['rows', d]),
    unitMeans: g.input('gate_unit_means', 'float32', ['cells', d]),
    residuals: g.input('gate_residuals', 'float32', ['cells', t, d]),
    numbers: g.input('gate_numbers', 'float32', ['cells', GATE_NUMBERS.length]),
    tauDev: g.input('gate_tau_dev', 'float32', []),
    recordHidden: g.input('record_hidden', 'bool', []),
    recordParts: g.input('record_parts', 'bool', []),
  };
}

/**
 * The action expert with every block and sub-block behind an If, for policies that decide below the whole stack:
 * fixed sub-block schedules (BAC), probe and resume (WorldCache content-aware) and the dual gate of X-Cache, which
 * is evaluated here, between the blocks. Weights lie inside the branches, where they are pre-packed
 * (runtime-measurements §2.2), so a full step costs what it costs in the plain Loop.
 *
 * Outputs: those of the plain Loop, and `hidden_states` [M, L+1, T, d] and `parts` [M, 3L, T, d] where recorded
 * (else with a zero dimension), `skipped` bool [M, L], `similarity` and `deviation` [M, L] (NaN where no gate ran).
 */
export function gatedExpertGraph(options: ExpertGraphOptions): GraphBuilder {
  const g = GraphBuilder.create('gated_expert');
  const inputs = loopInputs(g, options.dims);
  const gate = gateInputs(g, options.dims);
  const kvs = chunkKeyValues(g, options);
  emitGatedLoop(g, inputs, gate, kvs, options);
  return g;
}

function emitGatedLoop(
  g: GraphBuilder,
  inputs: LoopInputs,
  gate: GateInputs,
  kvs: readonly ChunkKeyValue[],
  options: ExpertGraphOptions,
): void {
  const { dims, weights } = options;
  const [t, a, d] = [dims.horizon, dims.actionDim, dims.actionHidden];
  const constants = expertConstants(g, options);
  const zeros = cast(
    g,
    g.initializer('no_contribution', 'float32', [t, d], new Float32Array(t * d)),
    weights.compute,
  );
  const slots = kvs.length * SUB_BLOCKS.length;
  const rows = g.op('Reshape', [constants.modulation, g.int64([-1, d])], {}, 'float32');

  const body = g.inner('gated_step');
  const iteration = body.input('gated_iteration', 'int64', []);
  const condition = body.input('gated_condition', 'bool', []);
  const carried = body.input('gated_x', 'float32', [t, a]);
  const held = Array.from({ length: slots }, (_, s) => body.input(`held_${s}`, weights.compute, ['held', d]));
  const step = beginStep(body, iteration, carried, inputs, constants, options);
  const encoded = constants.blocks.encode(body, cast(body, step.x, weights.compute));
  const h0 = body.op(
    'Where',
    [gate.resume, cast(body, gate.hidden, weights.compute), encoded],
    {},
    weights.compute,
  );

  const flags = new RowFlags(body, iteration);
  const compute = flags.row(gate.subBlocks, slots);
  const allowed = flags.row(gate.allowed, dims.layers);
  const gates = blockGates(body, rows, gate.gateRows, iteration, options);
  const blocks = new GatedBlocks(constants, options, gate, iteration);
  const hidden: Value[] = [h0];
  const next: Value[] = [];
  const verdicts: GateVerdict[] = [];
  kvs.forEach((kv, l) => {
    const modulation = step.modulations[l];
    const h = hidden[l];
    const may = allowed[l];
    const own = gates[l];
    if (!modulation || !h || !may || !own) throw new Error(`layer ${l} has no input`);
    const range = [l * SUB_BLOCKS.length, (l + 1) * SUB_BLOCKS.length] as const;
    const verdict = blocks.gate(body, h, l, may);
    const out = blocks.block(body, {
      h,
      layer: l,
      modulation,
      gates: own,
      kv,
      skip: verdict.skip,
      compute: compute.slice(...range),
      held: held.slice(...range),
    });
    verdicts.push(verdict);
    hidden.push(out.h);
    next.push(...out.held);
  });
  const last = hidden[hidden.length - 1] ?? h0;
  const end = endStep(body, step, last, constants);
  const flat = (values: readonly Value[]): Value => concat(body, values, 0);
  const stacked = (values: readonly Recorded[], record: Value, name: string): Value =>
    recordIf(body, record, values, [t, d], name);
  const contributions = next.map((slot, s): Recorded => {
    const part = SUB_BLOCKS[s % SUB_BLOCKS.length];
    const of = part && gates[Math.floor(s / SUB_BLOCKS.length)]?.[part];
    return (inner) => (of ? inner.op('Mul', [slot, of]) : slot);
  });

  body.yield(body.op('Identity', [condition]), []);
  body.yield(end.x, [t, a]);
  next.forEach((slot) => body.yield(slot, ['held', d]));
  body.yield(body.op('Identity', [step.x]), [t, a]);
  body.yield(end.v, [t, a]);
  body.yield(cast(body, body.op('Sub', [last, h0]), 'float32'), [t, d]);
  body.yield(
    stacked(
      hidden.map((state) => () => state),
      gate.recordHidden,
      'hidden',
    ),
    ['states', t, d],
  );
  body.yield(stacked(contributions, gate.recordParts, 'parts'), ['slots', t, d]);
  body.yield(flat(verdicts.map((v) => v.skip)), [dims.layers]);
  body.yield(flat(verdicts.map((v) => v.similarity)), [dims.layers]);
  body.yield(flat(verdicts.map((v) => v.deviation)), [dims.layers]);

  const results = g.ops(
    'Loop',
    [inputs.count, undefined, inputs.x, ...held.map(() => zeros)],
    [
      'float32',
      ...held.map(() => weights.compute),
      'float32',
      'float32',
      'float32',
      'float32',
      'float32',
      'bool',
      'float32',
      'float32',
    ],
    { attributes: { body: graph(body) }, name: 'gated_steps' },
  );
  const [x] = results;
  const [xs, vs, residuals, states, parts, skipped, similarity, deviation] = results.slice(1 + slots) as [
    Value,
    Value,
    Value,
    Value,
    Value,
    Value,
    Value,
    Value,
  ];
  if (!x) throw new Error('the Loop carries x');
  g.output(x, 'x_out', [t, a]);
  g.output(xs, 'xs', ['M', t, a]);
  g.output(vs, 'vs', ['M', t, a]);
  g.output(residuals, 'residuals', ['M', t, d]);
  g.output(states, 'hidden_states', ['M', 'states', t, d]);
  g.output(parts, 'parts', ['M', 'slots', t, d]);
  g.output(skipped, 'skipped', ['M', dims.layers]);
  g.output(similarity, 'similarity', ['M', dims.layers]);
  g.output(deviation, 'deviation', ['M', dims.layers]);
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
    private readonly inputs: GateInputs,
    private readonly iteration: Value,
  ) {}

  /** The dual-metric gate of X-Cache (arXiv 2604.20289 §3) for block input h, where it may skip at all. */
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
      [row(g, inputs.numbers, cell)],
      GATE_NUMBERS.map(() => 'float32' as const),
      { attributes: { axis: int(0), num_outputs: int(GATE_NUMBERS.length) }, name: 'gate_numbers' },
    ) as [Value, Value, Value, Value];
    const seen = row(g, now, inputs.tokens);
    const firstRow = g.op('Mul', [cell, g.int64(horizon)]);
    const stored = row(g, inputs.fingerprints, g.op('Add', [inputs.tokens, firstRow]));
    const spatial = g.op('Div', [dot(g, seen, stored), g.op('Mul', [length(g, seen), norm])]);
    const share = new Float32Array(horizon).fill(1 / horizon);
    const mean = g.op('MatMul', [g.initializer(`mean_${layer}`, 'float32', [horizon], share), now]);
    const overall = g.op('Div', [dot(g, mean, row(g, inputs.unitMeans, cell)), length(g, mean)]);
    const similarity = g.op('Min', [spatial, overall, conditionCosine]);
    const largest = g.op('ReduceMax', [g.op('Abs', [g.op('Sub', [seen, stored])])], {
      attributes: { keepdims: int(0) },
    });
    const deviation = g.op('Div', [largest, scale]);
    const alike = g.op('GreaterOrEqual', [similarity, tauCos], {}, 'bool');
    const near = g.op('Less', [deviation, inputs.tauDev], {}, 'bool');
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
      row(skipped, this.inputs.residuals, this.#cell(skipped, call.layer)),
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

/** Stacks values along a new first axis if `record` is true, else yields an empty tensor of the same rank. */
function recordIf(
  body: GraphBuilder,
  record: Value,
  values: readonly Recorded[],
  shape: readonly [number, number],
  name: string,
): Value {
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
  return body.op(
    'If',
    [record],
    { attributes: { then_branch: graph(kept), else_branch: graph(none) }, name: `record_${name}` },
    'float32',
  );
}
