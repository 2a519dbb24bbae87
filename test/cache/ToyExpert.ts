import { stepMatrix } from '../../src/cache/affine';
import { applyLinear } from '../../src/cache/linearMap';
import type {
  BlockGate,
  Expert,
  ExpertShape,
  FullRun,
  FullStep,
  GatedRun,
  LinearMap,
} from '../../src/cache/types';
import { advance, plainStep } from '../../src/sampler/eulerStep';
import type { EulerStep } from '../../src/sampler/eulerStep';
import { guidedStep } from '../../src/sampler/guidance';
import type { GuidanceTarget } from '../../src/sampler/guidance';
import { createSchedule } from '../../src/sampler/schedule';

export interface ToySizes {
  readonly steps?: number;
  readonly shift?: number;
  readonly horizon?: number;
  readonly actionDim?: number;
  readonly hidden?: number;
  readonly layers?: number;
  readonly seed?: number;
}

/** What an expert computed so far. */
export interface ToyCounts {
  calls: number;
  subBlocks: number;
}

/**
 * A small non-linear stand-in for the action expert: blocks of tanh layers in float32 with the three sub-blocks of
 * Fast-WAM (self-attention sees the observation and mixes tokens, cross-attention sees the condition, FFN is per
 * token; the gates of the first and last depend on the step). Every entry point uses the same functions in the same
 * order, so equal work gives equal bits.
 */
export class ToyExpert implements Expert {
  readonly shape: ExpertShape;
  readonly schedule;
  readonly encoder: LinearMap;
  readonly head: LinearMap;
  readonly A: Float64Array;
  readonly counts: ToyCounts = { calls: 0, subBlocks: 0 };
  /** throws when a step of this index is about to run (and the first `failAfter` such steps went well) */
  failAtStep = -1;
  failAfter = 0;

  readonly #blocks: readonly ToyBlock[];
  #observation: Float32Array;
  #condition: Float32Array;
  #target: GuidanceTarget | undefined;

  constructor(sizes: ToySizes = {}) {
    const { steps = 10, shift = 5, horizon = 6, actionDim = 3, hidden = 8, layers = 4, seed = 1 } = sizes;
    this.shape = { steps, horizon, actionDim, hidden, layers };
    this.schedule = createSchedule(steps, shift);
    const random = randomNumbers(seed);
    this.encoder = linear(random, actionDim, hidden, 0.6);
    this.head = linear(random, hidden, actionDim, 0.5);
    this.A = stepMatrix(this.encoder, this.head);
    this.#blocks = Array.from({ length: layers }, () => ({
      mixTokens: matrix(random, horizon * horizon, 0.7 / Math.sqrt(horizon)),
      attention: linear(random, hidden, hidden, 0.8),
      context: linear(random, hidden, hidden, 0.8),
      up: linear(random, hidden, hidden, 0.9),
      down: linear(random, hidden, hidden, 0.7),
      gates: matrix(random, 4, 0.3),
    }));
    this.#observation = new Float32Array(hidden);
    this.#condition = new Float32Array(hidden);
  }

  /** Binds another observation: what the video K/V and the context of a chunk are to the real expert. */
  observe(seed: number, strength = 0.5): void {
    const random = randomNumbers(1000 + seed);
    this.#observation = matrix(random, this.shape.hidden, strength);
    this.#condition = matrix(random, this.shape.hidden, strength);
  }

  /** Pulls the steps of the chunks from now on towards `target`; undefined: no more. */
  guide(target: GuidanceTarget | undefined): void {
    this.#target = target;
  }

  step(index: number, delta?: number): EulerStep {
    return this.#target
      ? guidedStep(this.schedule, index, this.#target, delta)
      : plainStep(this.schedule, index, delta);
  }

  fullSteps(
    x: Float32Array,
    steps: readonly FullStep[],
    record: { residuals?: boolean; parts?: boolean } = {},
  ): Promise<FullRun> {
    return this.#answer(() => {
      const { layers, horizon, hidden } = this.shape;
      const parts = new Float32Array(steps.length * layers * 3 * horizon * hidden);
      const all = new Uint8Array(steps.length * layers * 3).fill(1);
      const run = this.#schedule(x, all, steps, record.parts === true ? parts : undefined);
      return {
        x: run.x,
        xs: run.xs,
        vs: run.vs,
        ...(record.residuals === true ? { residuals: run.residuals } : {}),
        ...(record.parts === true ? { parts } : {}),
      };
    });
  }

  scheduledSteps(
    x: Float32Array,
    computed: Uint8Array,
    steps: readonly FullStep[] = Array.from({ length: this.shape.steps }, (_, index) => ({ index })),
    hold: 'gated' | 'ungated' = 'gated',
  ): Promise<FullRun> {
    return this.#answer(() => this.#schedule(x, computed, steps, undefined, hold));
  }

  probe(x: Float32Array, index: number, depth: number): Promise<{ h0: Float32Array; y: Float32Array }> {
    return this.#answer(() => {
      this.#mayFail(index);
      const h0 = applyLinear(this.encoder, x, this.shape.horizon);
      let y = h0;
      for (let layer = 0; layer < depth; layer++) y = this.#block(y, layer, index);
      return { h0, y };
    });
  }

  resume(
    x: Float32Array,
    y: Float32Array,
    index: number,
    depth: number,
  ): Promise<{ x: Float32Array; v: Float32Array; hL: Float32Array }> {
    return this.#answer(() => {
      let h = y;
      for (let layer = depth; layer < this.shape.layers; layer++) h = this.#block(h, layer, index);
      const v = applyLinear(this.head, h, this.shape.horizon);
      return { x: this.#euler(x, v, index), v, hL: h };
    });
  }

  gatedSteps(x: Float32Array, gate: BlockGate): Promise<GatedRun> {
    return this.#answer(() => {
      const { steps, layers, horizon, hidden } = this.shape;
      const size = horizon * hidden;
      const xs: Float32Array[] = [];
      const vs: Float32Array[] = [];
      const skipped = new Uint8Array(steps * layers);
      const similarity = new Float32Array(steps * layers).fill(Number.NaN);
      const deviation = new Float32Array(steps * layers).fill(Number.NaN);
      const all = new Float32Array(steps * (layers + 1) * size);
      let now = x;
      for (let k = 0; k < steps; k++) {
        this.#mayFail(k);
        xs.push(now);
        let h = applyLinear(this.encoder, now, horizon);
        for (let l = 0; l < layers; l++) {
          all.set(h, (k * (layers + 1) + l) * size);
          const cell = k * layers + l;
          const stored = gate.fingerprints.inputs.subarray(cell * size, (cell + 1) * size);
          if (gate.allowed[cell] === 1) {
            const metrics = this.#metrics(h, stored, gate);
            similarity[cell] = Math.min(metrics.similarity, gate.conditionCosine[cell]!);
            deviation[cell] = metrics.deviation;
            skipped[cell] = Number(similarity[cell] >= gate.tauCos[cell]! && deviation[cell] < gate.tauDev);
          }
          h =
            skipped[cell] === 1
              ? added(h, gate.residuals.subarray(cell * size, (cell + 1) * size))
              : this.#block(h, l, k);
        }
        all.set(h, (k * (layers + 1) + layers) * size);
        const v = applyLinear(this.head, h, horizon);
        vs.push(v);
        now = this.#euler(now, v, k);
      }
      return { x: now, xs: flat(xs), vs: flat(vs), skipped, similarity, deviation, hidden: all };
    });
  }

  #metrics(h: Float32Array, stored: Float32Array, gate: BlockGate) {
    const { horizon, hidden } = this.shape;
    const { tokens } = gate.fingerprints;
    const pick = (values: Float32Array) =>
      tokens.flatMap((t) => [...values.subarray(t * hidden, (t + 1) * hidden)]);
    const mean = (values: Float32Array) =>
      Array.from({ length: hidden }, (_, c) => {
        let sum = 0;
        for (let t = 0; t < horizon; t++) sum += values[t * hidden + c]!;
        return sum / horizon;
      });
    const [now, before] = [pick(h), pick(stored)];
    const largest = Math.max(...now.map((value, i) => Math.abs(value - before[i]!)));
    const scale = before.reduce((sum, value) => sum + Math.abs(value), 0) / before.length;
    return {
      similarity: Math.min(cosine(now, before), cosine(mean(h), mean(stored))),
      deviation: largest / (scale + gate.epsilon),
    };
  }

  #schedule(
    start: Float32Array,
    computed: Uint8Array,
    steps: readonly FullStep[],
    parts?: Float32Array,
    hold: 'gated' | 'ungated' = 'gated',
  ) {
    const { layers, horizon, hidden } = this.shape;
    const size = horizon * hidden;
    const held: (Float32Array | undefined)[] = [];
    const xs: Float32Array[] = [];
    const vs: Float32Array[] = [];
    const residuals: Float32Array[] = [];
    let x = start;
    steps.forEach((step, i) => {
      this.#mayFail(step.index);
      if (step.before !== undefined) x = this.#rowMap(x, step.before.P, step.before.q);
      xs.push(x);
      const h0 = applyLinear(this.encoder, x, horizon);
      let h = h0;
      for (let l = 0; l < layers; l++) {
        for (let j = 0; j < 3; j++) {
          const slot = l * 3 + j;
          const gate = this.#gate(l, j, step.index);
          const reuse = computed[(i * layers + l) * 3 + j] === 0;
          const raw = reuse ? held[slot]! : this.#term(h, l, j);
          // A gated hold keeps what was added; an ungated one keeps the term and applies the gate of this step.
          const part = reuse && hold === 'gated' ? raw : raw.map((value) => value * gate);
          if (!reuse) held[slot] = hold === 'gated' ? part : raw;
          parts?.set(part, ((i * layers + l) * 3 + j) * size);
          h = added(h, part);
        }
      }
      residuals.push(h.map((value, n) => value - h0[n]!));
      const v = applyLinear(this.head, h, horizon);
      vs.push(v);
      x = this.#euler(x, v, step.index, step.delta);
    });
    return { x: x.slice(), xs: flat(xs), vs: flat(vs), residuals: flat(residuals) };
  }

  #block(h: Float32Array, layer: number, step: number): Float32Array {
    let out = h;
    for (let j = 0; j < 3; j++) {
      const gate = this.#gate(layer, j, step);
      out = added(
        out,
        this.#term(out, layer, j).map((value) => value * gate),
      );
    }
    return out;
  }

  /** Gates drift slowly over the steps, as time modulation does; cross-attention has none. */
  #gate(layer: number, part: number, step: number): number {
    if (part === 1) return 1;
    const [offset, slope] = this.#blocks[layer]!.gates.subarray(part, part + 2);
    return Math.fround(0.5 + offset! + (slope! * step) / this.shape.steps);
  }

  /** One sub-block before its gate: 0 self-attention, 1 cross-attention, 2 FFN. */
  #term(h: Float32Array, layer: number, part: number): Float32Array {
    this.counts.subBlocks++;
    const block = this.#blocks[layer]!;
    const { horizon, hidden } = this.shape;
    if (part === 0) {
      const mixed = new Float32Array(h.length);
      for (let t = 0; t < horizon; t++) {
        for (let c = 0; c < hidden; c++) {
          let sum = this.#observation[c]!;
          for (let s = 0; s < horizon; s++) sum += block.mixTokens[t * horizon + s]! * h[s * hidden + c]!;
          mixed[t * hidden + c] = sum;
        }
      }
      return applyLinear(block.attention, mixed, horizon).map(Math.tanh);
    }
    if (part === 1) {
      const seen = h.map((value, i) => value + this.#condition[i % hidden]!);
      return applyLinear(block.context, seen, horizon).map(Math.tanh);
    }
    return applyLinear(block.down, applyLinear(block.up, h, horizon).map(Math.tanh), horizon);
  }

  #euler(x: Float32Array, v: Float32Array, step: number, delta?: number): Float32Array {
    return Float32Array.from(advance(x, v, this.step(step, delta)));
  }

  #rowMap(x: Float32Array, P: Float32Array, q: Float32Array): Float32Array {
    const n = this.shape.actionDim;
    return x.map((_, i) => {
      const row = i - (i % n);
      const own = P.length > n * n ? row * n : 0;
      let sum = q[i]!;
      for (let m = 0; m < n; m++) sum += x[row + m]! * P[own + m * n + (i % n)]!;
      return sum;
    });
  }

  #mayFail(step: number): void {
    if (step === this.failAtStep && this.failAfter-- <= 0) throw new Error(`toy failure at step ${step}`);
  }

  #answer<T>(work: () => T): Promise<T> {
    this.counts.calls++;
    return new Promise((resolve) => resolve(work()));
  }
}

interface ToyBlock {
  readonly mixTokens: Float32Array;
  readonly attention: LinearMap;
  readonly context: LinearMap;
  readonly up: LinearMap;
  readonly down: LinearMap;
  readonly gates: Float32Array;
}

/** Deterministic numbers, roughly standard normal (sum of twelve uniforms of a 32-bit generator). */
export function randomNumbers(seed: number): () => number {
  let state = (Math.imul(seed, 2654435761) + 12345) >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return () => {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += uniform();
    return sum;
  };
}

export function matrix(random: () => number, length: number, scale = 1): Float32Array {
  return Float32Array.from({ length }, () => scale * random());
}

function linear(random: () => number, inputs: number, outputs: number, scale: number): LinearMap {
  return {
    inputs,
    outputs,
    weight: matrix(random, inputs * outputs, scale / Math.sqrt(inputs)),
    bias: matrix(random, outputs, 0.1),
  };
}

function added(left: Float32Array, right: Float32Array): Float32Array {
  return left.map((value, i) => value + right[i]!);
}

function cosine(left: readonly number[], right: readonly number[]): number {
  let [dot, l, r] = [0, 0, 0];
  left.forEach((value, i) => {
    dot += value * right[i]!;
    l += value * value;
    r += right[i]! * right[i]!;
  });
  return dot / Math.sqrt(l * r);
}

function flat(rows: readonly Float32Array[]): Float32Array {
  const result = new Float32Array(rows.reduce((sum, row) => sum + row.length, 0));
  let offset = 0;
  for (const row of rows) {
    result.set(row, offset);
    offset += row.length;
  }
  return result;
}
