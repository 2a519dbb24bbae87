import { UNCACHED, isUncached } from '../cache/choice';
import type { Configuration } from '../cache/choice';
import { InputError, Interrupted, UsageError } from '../errors';
import { residualCosines, type ResidualsByStep } from './residualCosine';
import type { ActionLayout, ChunkResult, Evaluation, ObservationFacts, Warning } from './types';

/** An observation with what evaluation has to know about it; `O` is what the runner infers from. */
export interface ReplayObservation<O> {
  readonly facts: ObservationFacts;
  readonly observation: O;
}

/**
 * The engine as a replay sees it: one loaded model, and for each configuration an episode of its own. Calls never
 * overlap.
 */
export interface Runner<O> {
  /** Computes the next chunk of the configuration's running episode. */
  infer(configuration: number, observation: O): Promise<ChunkResult>;
  /** Starts a new episode in every configuration: caches empty, chunk numbers from 0. */
  resetEpisode(): Promise<void>;
  /**
   * Whole-stack residuals of an uncached chunk by step. Not measured, and outside every episode: recording them
   * costs time that a robot would not spend. Absent where the runner cannot.
   */
  residuals?(observation: O): Promise<ResidualsByStep>;
}

export interface ReplayOptions<O> {
  readonly layout: ActionLayout;
  /** the uncached one first; `withUncached` sees to that */
  readonly configurations: readonly Configuration[];
  readonly observations: AsyncIterable<ReplayObservation<O>> | Iterable<ReplayObservation<O>>;
  readonly runner: Runner<O>;
  /** an untimed uncached pass for the cosine of adjacent residuals; costs one more chunk each observation */
  readonly recordResiduals: boolean;
  readonly warnings?: readonly Warning[];
  /**
   * Called when all configurations have computed an observation, outside what is timed; `results` are in the order of
   * the configurations. What it throws ends the replay.
   */
  readonly onObservation?: (
    index: number,
    observed: ReplayObservation<O>,
    results: readonly ChunkResult[],
  ) => Promise<void>;
  /** called after each observation with the number done */
  readonly onProgress?: (done: number) => void;
  /** stops between two chunks; what was measured until then is returned */
  readonly signal?: AbortSignal;
}

/** The configurations with the uncached one first, added where it is missing; names must be unique. */
export function withUncached(configurations: readonly Configuration[]): readonly Configuration[] {
  const uncached = configurations.find(isUncached) ?? {
    ...UNCACHED,
    name: UNCACHED.policy,
  };
  const all = [uncached, ...configurations.filter((one) => one !== uncached)];
  const repeated = all.find((one, i) => all.findIndex(({ name }) => name === one.name) !== i);
  if (repeated) {
    throw new UsageError(
      `configuration ${repeated.name} is named twice; each configuration of a replay must differ from the others`,
    );
  }
  return all;
}

/**
 * Runs every configuration on the same observations, interleaved: for each observation all of them, one after the
 * other, starting with another one each time so that none always profits from warm memory or always follows the
 * slowest. The very first observation is computed twice with each configuration beforehand (a refresh and, where it
 * caches, a reuse) and thrown away, so that allocation and kernel selection are in no figure.
 *
 * @throws Interrupted where it was stopped before the first chunk, InputError where there is no observation or an action has not the size the layout says
 */
export async function replay<O>(options: ReplayOptions<O>): Promise<Evaluation> {
  const { layout, configurations, runner } = options;
  const chunks = configurations.map((): ChunkResult[] => []);
  const observations: ObservationFacts[] = [];
  const cosines: (Float64Array | undefined)[] = [];
  let previous: { readonly facts: ObservationFacts; readonly residuals?: ResidualsByStep } | undefined;

  for await (const { facts, observation } of options.observations) {
    if (options.signal?.aborted) break;
    if (!previous) await warmUp(runner, configurations, observation);
    const sameEpisode = previous?.facts.episode === facts.episode;
    if (!sameEpisode) await runner.resetEpisode();

    for (let turn = 0; turn < configurations.length; turn += 1) {
      const index = (observations.length + turn) % configurations.length;
      const result = await runner.infer(index, observation);
      checkSize(result, layout, configurations[index]);
      chunks[index]?.push(result);
    }
    await options.onObservation?.(
      observations.length,
      { facts, observation },
      chunks.flatMap((all) => all.slice(-1)),
    );
    const residuals = options.recordResiduals ? await runner.residuals?.(observation) : undefined;
    cosines.push(
      sameEpisode && previous?.residuals && residuals
        ? residualCosines(previous.residuals, residuals, layout.steps)
        : undefined,
    );
    observations.push(facts);
    previous = residuals ? { facts, residuals } : { facts };
    options.onProgress?.(observations.length);
  }
  if (observations.length === 0) {
    if (options.signal?.aborted) throw new Interrupted('stopped before the first chunk was measured', 130);
    throw new InputError(
      'nothing to replay: the recording gave no observation that could be used, for the reasons above',
    );
  }
  const runs = configurations.map((configuration, i) => ({ configuration, chunks: chunks[i] ?? [] }));
  return {
    layout,
    observations,
    runs,
    ...(previous?.residuals && { residualCosines: cosines }),
    warnings: options.warnings ?? [],
  };
}

/** A refresh, and a chunk that may reuse: the two run different parts of the engine. */
export const WARM_UP_CHUNKS = 2;

async function warmUp<O>(
  runner: Runner<O>,
  configurations: readonly Configuration[],
  observation: O,
): Promise<void> {
  await runner.resetEpisode();
  for (let index = 0; index < configurations.length; index += 1) {
    for (let i = 0; i < WARM_UP_CHUNKS; i += 1) await runner.infer(index, observation);
  }
}

function checkSize(
  { actions, normalised }: ChunkResult,
  { horizon, names }: ActionLayout,
  configuration: Configuration | undefined,
): void {
  const expected = horizon * names.length;
  if (actions.length === expected && normalised.length === expected) return;
  throw new InputError(
    `configuration ${configuration?.name ?? '?'} returned ${actions.length} action values, expected ${horizon} × ${names.length} = ${expected}; the bundle's action names and horizon must fit its model`,
  );
}
