import { SUB_BLOCKS } from '../bundle/layout';
import { InputError } from '../errors';
import type { ChunkContext, ChunkOutcome, Expert, ExpertShape, FullRun, StepRun } from './types';

/** Elements of one x or velocity: T a. */
export function stepElements(shape: ExpertShape): number {
  return shape.horizon * shape.actionDim;
}

/** Sub-blocks of one full step. */
export function subBlocksOfStack(shape: ExpertShape): number {
  return SUB_BLOCKS.length * shape.layers;
}

/** All steps `first`..N-1 in full and in one call: what every policy does where it reuses nothing. */
export async function runInFull(
  expert: Expert,
  x: Float32Array,
  first = 0,
  recordResiduals = false,
): Promise<StepRun & { readonly full: FullRun }> {
  const { shape } = expert;
  const steps = Array.from({ length: shape.steps - first }, (_, i) => ({ index: first + i }));
  const full = await expert.fullSteps(x, steps, { residuals: recordResiduals });
  return {
    full,
    x: full.x,
    velocity: full.vs,
    computed: new Uint8Array(steps.length).fill(1),
    computedSubBlocks: steps.length * subBlocksOfStack(shape),
    residuals: residualsByStep(
      full,
      steps.map((step) => step.index),
      shape,
    ),
    gateSeconds: 0,
    bytes: 0,
    signals: {},
  };
}

/** The residuals of a run by the index of their step; empty if none were recorded. */
export function residualsByStep(
  run: FullRun,
  indices: readonly number[],
  shape: ExpertShape,
): ReadonlyMap<number, Float32Array> {
  const { residuals } = run;
  if (residuals === undefined) return new Map();
  const size = shape.horizon * shape.hidden;
  return new Map(indices.map((index, i) => [index, residuals.subarray(i * size, (i + 1) * size)]));
}

/** Two runs, the second of which starts where the first ends. */
export function joinRuns(first: StepRun, second: StepRun): StepRun {
  return {
    x: second.x,
    velocity: joined(Float32Array, first.velocity, second.velocity),
    computed: joined(Uint8Array, first.computed, second.computed),
    computedSubBlocks: first.computedSubBlocks + second.computedSubBlocks,
    residuals: new Map([...first.residuals, ...second.residuals]),
    gateSeconds: first.gateSeconds + second.gateSeconds,
    bytes: first.bytes + second.bytes,
    signals: { ...first.signals, ...second.signals },
  };
}

/** What a policy decided about a chunk, beside its steps. */
export interface ChunkVerdict {
  /** why the chunk was computed in full; empty if it was not */
  readonly reason: string;
  readonly fallbacks?: number;
  readonly signals?: Readonly<Record<string, number>>;
  readonly gateSeconds?: number;
}

/** The outcome of a chunk whose N steps are in `run`. */
export function outcomeOf(
  run: StepRun,
  verdict: ChunkVerdict,
  shape: ExpertShape,
  chunk: ChunkContext,
): ChunkOutcome {
  const fullSteps = run.computed.reduce((sum, flag) => sum + flag, 0);
  return {
    x: run.x,
    velocity: run.velocity,
    computed: run.finer?.computed ?? run.computed,
    computedShape: run.finer?.shape ?? 'steps',
    refreshed: verdict.reason !== '',
    reason: verdict.reason,
    fullSteps,
    reusedSteps: shape.steps - fullSteps,
    stackEvaluations: run.computedSubBlocks / subBlocksOfStack(shape),
    computedSubBlocks: run.computedSubBlocks,
    gateSeconds: run.gateSeconds + (verdict.gateSeconds ?? 0),
    signals: { ...run.signals, ...verdict.signals },
    fallbacks: verdict.fallbacks ?? 0,
    ...(chunk.recordResiduals === true ? { residuals: run.residuals } : {}),
  };
}

/** Throws an InputError if the noise of a chunk is not [T, a]. */
export function checkNoise(chunk: ChunkContext, shape: ExpertShape): void {
  const expected = stepElements(shape);
  if (chunk.noise.length !== expected) {
    throw new InputError(
      `noise of chunk ${chunk.chunk} has ${chunk.noise.length} values, expected ${expected} ([${shape.horizon}, ${shape.actionDim}])`,
    );
  }
}

/** Seconds that `work` took, and its result. */
export function timed<T>(work: () => T): { readonly result: T; readonly seconds: number } {
  const start = performance.now();
  const result = work();
  return { result, seconds: (performance.now() - start) / 1000 };
}

function joined<T extends Float32Array | Uint8Array>(Kind: new (length: number) => T, left: T, right: T): T {
  const result = new Kind(left.length + right.length);
  result.set(left, 0);
  result.set(right, left.length);
  return result;
}
