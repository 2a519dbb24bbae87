import type { BlockGate, FullRun, FullStep, GatedRun } from '../cache/types';
import { InputError } from '../errors';
import { GATE_NUMBERS } from '../graphs/expertSignature';
import type { GateInput, GateOutput, StackOutput } from '../graphs/expertSignature';
import { gateRows } from '../graphs/gatedExpert';
import { SUB_BLOCKS } from '../bundle/layout';
import { LoopExpert, floats, fullRun, noSteps } from './LoopExpert';
import type { Tensor } from './Session';

/** What of the gated graph's inputs a call that uses no gate may choose. */
interface Ungated {
  /** sub-blocks to compute, [M, L, 3]; default all */
  readonly compute?: Uint8Array;
  /** what to write out beside the Loop's own outputs */
  readonly record?: 'hidden' | 'parts';
}

/** The action expert of one chunk with gates between its blocks. */
export class BlockExpert extends LoopExpert<StackOutput | GateOutput> {
  async fullSteps(
    x: Float32Array,
    steps: readonly FullStep[],
    record: { residuals?: boolean; parts?: boolean } = {},
  ): Promise<FullRun> {
    if (steps.length === 0) return noSteps(x);
    const indices = steps.map((step) => step.index);
    const ungated = this.#ungated(indices, record.parts ? { record: 'parts' } : {});
    const residuals = record.residuals ? (['residuals'] as const) : [];
    const parts = record.parts ? (['parts'] as const) : [];
    const feeds = { ...this.stepFeeds(x, steps), ...ungated };
    return fullRun(await this.run(feeds, ['x_out', 'xs', 'vs', ...residuals, ...parts]));
  }

  async probe(x: Float32Array, index: number, depth: number): Promise<{ h0: Float32Array; y: Float32Array }> {
    const ungated = this.#ungated([index], { compute: this.#blocks(0, depth), record: 'hidden' });
    const out = await this.run({ ...this.stepFeeds(x, [{ index }]), ...ungated }, ['hidden_states']);
    const states = floats(out.hidden_states);
    const size = this.shape.horizon * this.shape.hidden;
    return { h0: states.slice(0, size), y: states.slice(depth * size, (depth + 1) * size) };
  }

  async resume(
    x: Float32Array,
    y: Float32Array,
    index: number,
    depth: number,
  ): Promise<{ x: Float32Array; v: Float32Array; hL: Float32Array }> {
    const { horizon, hidden, layers } = this.shape;
    const ungated = this.#ungated([index], { compute: this.#blocks(depth, layers), record: 'hidden' });
    const feeds = {
      ...this.stepFeeds(x, [{ index }]),
      ...ungated,
      resume: this.#flag(true),
      hidden: this.session.tensor('float32', y, [horizon, hidden]),
    };
    const out = await this.run(feeds, ['x_out', 'vs', 'hidden_states']);
    return {
      x: floats(out.x_out),
      v: floats(out.vs),
      hL: floats(out.hidden_states).slice(layers * horizon * hidden),
    };
  }

  async scheduledSteps(
    x: Float32Array,
    computed: Uint8Array,
    steps?: readonly FullStep[],
    hold: 'gated' | 'ungated' = 'gated',
  ): Promise<FullRun> {
    const run = steps ?? Array.from({ length: this.shape.steps }, (_, index) => ({ index }));
    const expected = run.length * this.#slots;
    if (computed.length !== expected) {
      throw new InputError(`sub-block schedule: expected ${expected} flags, got ${computed.length}`);
    }
    const indices = run.map((step) => step.index);
    const feeds = {
      ...this.stepFeeds(x, run),
      ...this.#ungated(indices, { compute: computed }),
      gate_rows: this.#gateRows(hold === 'gated' ? this.#computedAt(indices, computed) : indices),
    };
    return fullRun(await this.run(feeds, ['x_out', 'xs', 'vs', 'residuals']));
  }

  async gatedSteps(x: Float32Array, gate: BlockGate): Promise<GatedRun> {
    const { steps, layers, horizon, hidden } = this.shape;
    const t = this.session;
    const cells = steps * layers;
    const { inputs, unitMeans, tokens } = gate.fingerprints;
    const indices = Array.from({ length: steps }, (_, index) => index);
    const all = indices.map((index) => ({ index }));
    const feeds = {
      ...this.stepFeeds(x, all),
      ...this.#ungated(indices, { record: 'hidden' }),
      gate_allowed: t.tensor('bool', gate.allowed, [steps, layers]),
      gate_tokens: t.tensor('int64', BigInt64Array.from(tokens, BigInt), [tokens.length]),
      gate_fingerprints: t.tensor('float32', inputs, [cells * horizon, hidden]),
      gate_unit_means: t.tensor('float32', unitMeans, [cells, hidden]),
      gate_residuals: t.tensor('float32', gate.residuals, [cells, horizon, hidden]),
      gate_numbers: t.tensor('float32', gateNumbers(gate), [cells, GATE_NUMBERS.length]),
      gate_tau_dev: t.tensor('float32', Float32Array.of(gate.tauDev), []),
    };
    const out = await this.run(feeds, [
      'x_out',
      'xs',
      'vs',
      'residuals',
      'hidden_states',
      'skipped',
      'similarity',
      'deviation',
    ]);
    return {
      ...fullRun(out),
      skipped: out.skipped.data as Uint8Array,
      similarity: floats(out.similarity),
      deviation: floats(out.deviation),
      hidden: floats(out.hidden_states),
    };
  }

  /** sub-blocks of one step */
  get #slots(): number {
    return this.shape.layers * SUB_BLOCKS.length;
  }

  #flag(value: boolean): Tensor {
    return this.session.tensor('bool', Uint8Array.of(value ? 1 : 0), []);
  }

  /** Feeds of a call in which no gate decides, for steps with these denoising indices. */
  #ungated(indices: readonly number[], { compute, record }: Ungated): Record<GateInput, Tensor> {
    const { layers, horizon, hidden } = this.shape;
    const count = indices.length;
    const t = this.session;
    const empty = new Float32Array(0);
    const flags = compute ?? new Uint8Array(count * this.#slots).fill(1);
    return {
      sub_blocks: t.tensor('bool', flags, [count, layers, SUB_BLOCKS.length]),
      gate_rows: this.#gateRows(indices),
      resume: this.#flag(false),
      hidden: t.tensor('float32', new Float32Array(horizon * hidden), [horizon, hidden]),
      gate_allowed: t.tensor('bool', new Uint8Array(count * layers), [count, layers]),
      gate_tokens: t.tensor('int64', BigInt64Array.of(0n), [1]),
      gate_fingerprints: t.tensor('float32', empty, [0, hidden]),
      gate_unit_means: t.tensor('float32', empty, [0, hidden]),
      gate_residuals: t.tensor('float32', empty, [0, horizon, hidden]),
      gate_numbers: t.tensor('float32', empty, [0, GATE_NUMBERS.length]),
      gate_tau_dev: t.tensor('float32', Float32Array.of(0), []),
      record_hidden: this.#flag(record === 'hidden'),
      record_parts: this.#flag(record === 'parts'),
    };
  }

  /**
   * Which gate of the modulation each sub-block takes at each step of a call.
   * @param at denoising step for each step of the call, or for each of its sub-blocks
   */
  #gateRows(at: readonly number[] | readonly Int32Array[]): Tensor {
    const { layers } = this.shape;
    const rows = at.map((of) =>
      gateRows(layers, (layer, part) =>
        typeof of === 'number' ? of : (of[layer * SUB_BLOCKS.length + part] ?? 0),
      ),
    );
    const data = BigInt64Array.from(rows.flat());
    return this.session.tensor('int64', data, [at.length, data.length / at.length]);
  }

  /** The denoising step at which each sub-block was computed last, for each step of a call. */
  #computedAt(indices: readonly number[], computed: Uint8Array): Int32Array[] {
    const slots = this.#slots;
    const last = new Int32Array(slots).fill(indices[0] ?? 0);
    return indices.map((index, i) => {
      for (let slot = 0; slot < slots; slot++) if (computed[i * slots + slot] === 1) last[slot] = index;
      return last.slice();
    });
  }

  /** [1, L, 3] with blocks from..to-1 computed */
  #blocks(from: number, to: number): Uint8Array {
    return new Uint8Array(this.#slots).fill(1, from * SUB_BLOCKS.length, to * SUB_BLOCKS.length);
  }
}

/** [N L, ...], the numbers of each cell in the order of `GATE_NUMBERS` */
function gateNumbers({ tauCos, conditionCosine, fingerprints, epsilon }: BlockGate): Float32Array {
  const columns: Record<(typeof GATE_NUMBERS)[number], Float32Array> = {
    tauCos,
    conditionCosine,
    norm: fingerprints.norms,
    scale: fingerprints.magnitudes.map((magnitude) => magnitude + epsilon),
  };
  const numbers = new Float32Array(tauCos.length * GATE_NUMBERS.length);
  GATE_NUMBERS.forEach((name, column) => {
    columns[name].forEach((value, cell) => (numbers[cell * GATE_NUMBERS.length + column] = value));
  });
  return numbers;
}
