import type {
  BlockGate,
  Expert,
  ExpertShape,
  FullRun,
  FullStep,
  GatedRun,
  Grain,
  LinearMap,
} from '../cache/types';
import { InputError } from '../errors';
import { GATE_NUMBERS, gateRows } from '../graphs/gatedExpert';
import type { Schedule } from '../sampler/types';
import type { Feeds, Session } from './Session';

const SUB_BLOCKS = 3;

/** What is constant about an expert over all chunks. */
export interface ExpertConstantsJs {
  readonly shape: ExpertShape;
  readonly schedule: Schedule;
  readonly encoder: LinearMap;
  readonly head: LinearMap;
  readonly A: Float64Array;
}

/** What an expert computed during a chunk, for reports. */
export interface ExpertCounters {
  /** seconds inside onnxruntime */
  seconds: number;
  calls: number;
}

/** The action expert of one chunk: the chunk's K/V bound to an expert session. */
export class OrtExpert implements Expert {
  readonly counters: ExpertCounters = { seconds: 0, calls: 0 };

  constructor(
    private readonly constants: ExpertConstantsJs,
    private readonly session: Session,
    private readonly grainOfSession: Grain,
    /** K/V of the chunk, or what the fused graph computes them from */
    private readonly binding: Feeds,
  ) {}

  get shape(): ExpertShape {
    return this.constants.shape;
  }
  get schedule(): Schedule {
    return this.constants.schedule;
  }
  get encoder(): LinearMap {
    return this.constants.encoder;
  }
  get head(): LinearMap {
    return this.constants.head;
  }
  get A(): Float64Array {
    return this.constants.A;
  }

  async fullSteps(
    x: Float32Array,
    steps: readonly FullStep[],
    record: { residuals?: boolean; parts?: boolean } = {},
  ): Promise<FullRun> {
    if (steps.length === 0) return emptyRun(x);
    const gated = this.grainOfSession === 'block' || record.parts === true;
    const gate = gated
      ? this.#noGate(
          steps.map((step) => step.index),
          record.parts ?? false,
        )
      : {};
    const fetches = ['x_out', 'xs', 'vs'];
    if (record.residuals) fetches.push('residuals');
    if (record.parts) fetches.push('parts');
    const out = await this.#run({ ...this.#loopFeeds(x, steps), ...gate }, fetches);
    return fullRun(out);
  }

  async probe(x: Float32Array, index: number, depth: number): Promise<{ h0: Float32Array; y: Float32Array }> {
    const mask = this.#blockMask(0, depth);
    const feeds = { ...this.#loopFeeds(x, [{ index }]), ...this.#noGate([index], false, mask, true) };
    const out = await this.#run(feeds, ['hidden_states']);
    const states = floats(out, 'hidden_states');
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
    const feeds = {
      ...this.#loopFeeds(x, [{ index }]),
      ...this.#noGate([index], false, this.#blockMask(depth, layers), true),
      resume: this.session.tensor('bool', Uint8Array.of(1), []),
      hidden: this.session.tensor('float32', y, [horizon, hidden]),
    };
    const out = await this.#run(feeds, ['x_out', 'vs', 'hidden_states']);
    const states = floats(out, 'hidden_states');
    return {
      x: floats(out, 'x_out'),
      v: floats(out, 'vs'),
      hL: states.slice(layers * horizon * hidden),
    };
  }

  async scheduledSteps(
    x: Float32Array,
    computed: Uint8Array,
    steps?: readonly FullStep[],
    hold: 'gated' | 'ungated' = 'gated',
  ): Promise<FullRun> {
    const run = steps ?? Array.from({ length: this.shape.steps }, (_, index) => ({ index }));
    const expected = run.length * this.shape.layers * SUB_BLOCKS;
    if (computed.length !== expected) {
      throw new InputError(`sub-block schedule: expected ${expected} flags, got ${computed.length}`);
    }
    const indices = run.map((step) => step.index);
    const feeds = {
      ...this.#loopFeeds(x, run),
      ...this.#noGate(indices, false, computed),
      gate_rows: this.#gateRows(hold === 'gated' ? this.#computedAt(indices, computed) : indices),
    };
    return fullRun(await this.#run(feeds, ['x_out', 'xs', 'vs', 'residuals']));
  }

  async gatedSteps(x: Float32Array, gate: BlockGate): Promise<GatedRun> {
    const { steps, layers, horizon, hidden } = this.shape;
    const t = this.session;
    const cells = steps * layers;
    const { inputs, unitMeans, tokens } = gate.fingerprints;
    const all = Array.from({ length: steps }, (_, index) => ({ index }));
    const feeds = {
      ...this.#loopFeeds(x, all),
      ...this.#noGate(
        all.map((step) => step.index),
        false,
        undefined,
        true,
      ),
      gate_allowed: t.tensor('bool', gate.allowed, [steps, layers]),
      gate_tokens: t.tensor('int64', BigInt64Array.from(tokens, BigInt), [tokens.length]),
      gate_fingerprints: t.tensor('float32', inputs, [cells * horizon, hidden]),
      gate_unit_means: t.tensor('float32', unitMeans, [cells, hidden]),
      gate_residuals: t.tensor('float32', gate.residuals, [cells, horizon, hidden]),
      gate_numbers: t.tensor('float32', gateNumbers(gate), [cells, GATE_NUMBERS.length]),
      gate_tau_dev: t.tensor('float32', Float32Array.of(gate.tauDev), []),
    };
    const fetches = ['x_out', 'xs', 'vs', 'residuals', 'hidden_states', 'skipped', 'similarity', 'deviation'];
    const out = await this.#run(feeds, fetches);
    return {
      ...fullRun(out),
      skipped: out.skipped?.data as Uint8Array,
      similarity: floats(out, 'similarity'),
      deviation: floats(out, 'deviation'),
      hidden: floats(out, 'hidden_states'),
    };
  }

  #loopFeeds(x: Float32Array, steps: readonly FullStep[]): Feeds {
    const { horizon: t, actionDim: a } = this.shape;
    const { delta } = this.schedule;
    const count = steps.length;
    const scale = new Float32Array(count * a * a);
    const shift = new Float32Array(count * t * a);
    steps.forEach((step, i) => {
      if (step.before) {
        scale.set(step.before.P, i * a * a);
        shift.set(step.before.q, i * t * a);
      } else {
        for (let j = 0; j < a; j++) scale[i * a * a + j * a + j] = 1;
      }
    });
    const make = this.session;
    return {
      count: make.tensor('int64', BigInt64Array.of(BigInt(count)), []),
      x: make.tensor('float32', x, [t, a]),
      index: make.tensor(
        'int64',
        BigInt64Array.from(steps, (s) => BigInt(s.index)),
        [count],
      ),
      before_scale: make.tensor('float32', scale, [count, a, a]),
      before_shift: make.tensor('float32', shift, [count, t, a]),
      delta: make.tensor(
        'float32',
        Float32Array.from(steps, (s) => delta[s.index] ?? Number.NaN),
        [count],
      ),
    };
  }

  /** Feeds of the gated graph with no gate: every sub-block as `mask` says (default: all computed). */
  #noGate(indices: readonly number[], recordParts: boolean, mask?: Uint8Array, recordHidden = false): Feeds {
    if (this.grainOfSession !== 'block') {
      throw new InputError('this call needs the expert with block gates, and the plain one is loaded');
    }
    const { layers, horizon, hidden } = this.shape;
    const count = indices.length;
    const t = this.session;
    const empty = new Float32Array(0);
    const flag = (value: boolean): ReturnType<Session['tensor']> =>
      t.tensor('bool', Uint8Array.of(value ? 1 : 0), []);
    return {
      sub_blocks: t.tensor('bool', mask ?? new Uint8Array(count * layers * SUB_BLOCKS).fill(1), [
        count,
        layers,
        SUB_BLOCKS,
      ]),
      gate_rows: this.#gateRows(indices),
      resume: flag(false),
      hidden: t.tensor('float32', new Float32Array(horizon * hidden), [horizon, hidden]),
      gate_allowed: t.tensor('bool', new Uint8Array(count * layers), [count, layers]),
      gate_tokens: t.tensor('int64', BigInt64Array.of(0n), [1]),
      gate_fingerprints: t.tensor('float32', empty, [0, hidden]),
      gate_unit_means: t.tensor('float32', empty, [0, hidden]),
      gate_residuals: t.tensor('float32', empty, [0, horizon, hidden]),
      gate_numbers: t.tensor('float32', empty, [0, GATE_NUMBERS.length]),
      gate_tau_dev: t.tensor('float32', Float32Array.of(0), []),
      record_hidden: flag(recordHidden),
      record_parts: flag(recordParts),
    };
  }

  /**
   * Which gate of the modulation each sub-block takes at each step of a call.
   * @param at denoising step for each step of the call, or for each of its sub-blocks
   */
  #gateRows(at: readonly number[] | readonly Int32Array[]): ReturnType<Session['tensor']> {
    const { layers } = this.shape;
    const rows = at.map((of) =>
      gateRows(layers, (layer, part) => (typeof of === 'number' ? of : (of[layer * SUB_BLOCKS + part] ?? 0))),
    );
    const data = BigInt64Array.from(rows.flat());
    return this.session.tensor('int64', data, [at.length, data.length / at.length]);
  }

  /** The denoising step at which each sub-block was computed last, for each step of a call. */
  #computedAt(indices: readonly number[], computed: Uint8Array): Int32Array[] {
    const slots = this.shape.layers * SUB_BLOCKS;
    const last = new Int32Array(slots).fill(indices[0] ?? 0);
    return indices.map((index, i) => {
      for (let slot = 0; slot < slots; slot++) if (computed[i * slots + slot] === 1) last[slot] = index;
      return last.slice();
    });
  }

  /** [1, L, 3] with blocks from..to-1 computed */
  #blockMask(from: number, to: number): Uint8Array {
    const mask = new Uint8Array(this.shape.layers * SUB_BLOCKS);
    return mask.fill(1, from * SUB_BLOCKS, to * SUB_BLOCKS);
  }

  async #run(feeds: Feeds, fetches: readonly string[]): ReturnType<Session['run']> {
    const started = performance.now();
    const out = await this.session.run({ ...this.binding, ...feeds }, fetches);
    this.counters.seconds += (performance.now() - started) / 1000;
    this.counters.calls += 1;
    return out;
  }
}

/** [N·L, ...], the numbers of each cell in the order of `GATE_NUMBERS` */
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

type Outputs = Awaited<ReturnType<Session['run']>>;

function floats(out: Outputs, name: string): Float32Array {
  const data = out[name]?.data;
  if (!(data instanceof Float32Array)) throw new InputError(`the expert graph gave no ${name}`);
  return data;
}

function fullRun(out: Outputs): FullRun {
  return {
    x: floats(out, 'x_out'),
    xs: floats(out, 'xs'),
    vs: floats(out, 'vs'),
    ...(out.residuals ? { residuals: floats(out, 'residuals') } : {}),
    ...(out.parts ? { parts: floats(out, 'parts') } : {}),
  };
}

function emptyRun(x: Float32Array): FullRun {
  return { x: x.slice(), xs: new Float32Array(0), vs: new Float32Array(0) };
}
