import { UNCACHED, someSettings } from '../cache/choice';
import type { Choice, PolicySettings, Settings } from '../cache/choice';
import { POLICIES, policyNamed } from '../cache/registry';
import type { Threshold } from '../cache/types';
import { InputError, Interrupted, UsageError } from '../errors';
import type { PolicyClient } from '../policy/PolicyClient';
import type { ActionChunk } from '../policy/types';
import type { Sampler, Schedule } from '../sampler/types';
import type { CalibrationChunk } from './calibrationChunks';
import { loosestThatAlso, loosestWithin } from './calibrationSearch';
import { actionLayout } from './EngineRunner';
import { sum } from '../cache/matrix';

/** What is searched is told, and set, in four digits. */
function settingsAt(threshold: Threshold, looseness: number, schedule: Schedule): Settings {
  return Object.fromEntries(
    Object.entries(someSettings(threshold.settings(looseness, schedule))).map(([name, value]) => [
      name,
      typeof value === 'number' ? Number(value.toPrecision(4)) : value,
    ]),
  );
}

export interface ThresholdRequest {
  /** the policy, and its settings that are not searched */
  readonly choice: Choice;
  readonly sampler: Sampler;
  /** largest root mean square difference of normalised actions, executed part, from the uncached ones */
  readonly tolerance: number;
  /** most settings to try */
  readonly trials: number;
  readonly onTrial?: (done: number) => void;
  /** ends the search between two chunks */
  readonly signal?: AbortSignal;
}

/** How a setting did on one part of the recording. */
export interface PartResult {
  readonly chunks: number;
  /** root mean square over all chunks */
  readonly deviation: number;
  /** of the chunk that is furthest off */
  readonly worstChunk: number;
  /** chunks that keep to the tolerance each for itself */
  readonly within: number;
  /** full-stack equivalents, and what they are without a cache */
  readonly stackEvaluations: number;
  readonly uncachedEvaluations: number;
}

export interface ThresholdCalibration {
  readonly policy: string;
  readonly searched: string;
  /** the settings found, with those that were given; undefined if none saves anything within the tolerance */
  readonly settings: Settings | undefined;
  /** the part that was searched on, and the part that the search never saw */
  readonly calibration: PartResult;
  readonly heldOut: PartResult;
  /**
   * Where the held-out part goes beyond the tolerance: the cheapest setting tried that keeps to it in both parts. It
   * was chosen by the held-out part, so nothing is left that could confirm it. Absent if there is none, or no need.
   */
  readonly keepsInBoth?: {
    readonly settings: Settings;
    readonly calibration: PartResult;
    readonly heldOut: PartResult;
  };
  /** what was tried, in order; deviation and cost on the calibration part */
  readonly trials: readonly {
    readonly settings: Settings;
    readonly deviation: number;
    readonly cost: number;
  }[];
}

type Judged = Pick<ThresholdCalibration, 'calibration' | 'heldOut'>;

/** Of every recording the last third judges what the first two thirds have led to. */
const HELD_OUT = 1 / 3;
const FEWEST_CHUNKS = 3;

/**
 * Finds the fastest setting of a policy's threshold whose actions stay within a tolerance of the uncached ones.
 * The search sees the first two thirds of the chunks; the last third says how far its result can be trusted.
 * @throws UsageError for a policy without a threshold; InputError for fewer than three chunks
 */
export async function calibrateThreshold(
  client: PolicyClient,
  chunks: readonly CalibrationChunk[],
  request: ThresholdRequest,
): Promise<ThresholdCalibration> {
  const { schedule } = client.bundle;
  const threshold = thresholdOf(request, schedule);
  if (chunks.length < FEWEST_CHUNKS) {
    throw new InputError(
      `${chunks.length} chunks are too few to calibrate with: at least ${FEWEST_CHUNKS}, of which the last third is held out`,
    );
  }
  const split = chunks.length - Math.max(1, Math.floor(chunks.length * HELD_OUT));
  const run = (choice: Choice, count: number): Promise<ActionChunk[]> =>
    runEpisodes(client, chunks.slice(0, count), { ...choice, ...request.sampler }, request.signal);
  const withSettings = (values: Settings): Choice => ({ ...request.choice, values });
  const reference = await run(UNCACHED, chunks.length);
  const layout = actionLayout(client.bundle);
  const executed = Math.min(layout.replanSteps, layout.horizon) * layout.names.length;
  const judge = (results: readonly ActionChunk[], from: number, to: number): PartResult =>
    partResult(results.slice(from, to), reference.slice(from, to), executed, request.tolerance);

  const allSettings = (looseness: number): Settings => ({
    ...request.choice.values,
    ...settingsAt(threshold, looseness, schedule),
  });
  const limits = { tolerance: request.tolerance, fullCost: split * layout.steps };
  const { best, trials } = await loosestWithin({
    start: threshold.start,
    ...limits,
    trials: request.trials,
    evaluate: async (looseness) => {
      const results = await run(withSettings(allSettings(looseness)), split);
      const { deviation, stackEvaluations } = judge(results, 0, split);
      request.onTrial?.(1);
      return { deviation, cost: stackEvaluations };
    },
  });
  const judged = async (settings: Settings | undefined): Promise<Judged> => {
    const results = settings ? await run(withSettings(settings), chunks.length) : reference;
    return { calibration: judge(results, 0, split), heldOut: judge(results, split, chunks.length) };
  };
  const settings = best && allSettings(best.looseness);
  const result = await judged(settings);
  const confirmed = result.heldOut.deviation <= request.tolerance;
  const keepsInBoth =
    best && !confirmed
      ? await loosestThatAlso(trials, best, limits, async ({ looseness }) => {
          const stricter = allSettings(looseness);
          const parts = await judged(stricter);
          return parts.heldOut.deviation <= request.tolerance ? { settings: stricter, ...parts } : undefined;
        })
      : undefined;
  return {
    policy: request.choice.policy,
    searched: threshold.says,
    settings,
    ...result,
    ...(keepsInBoth && { keepsInBoth }),
    trials: trials.map(({ looseness, deviation, cost }) => ({
      settings: settingsAt(threshold, looseness, schedule),
      deviation,
      cost,
    })),
  };
}

function thresholdOf({ choice: { policy, values } }: ThresholdRequest, schedule: Schedule): Threshold {
  const { threshold } = policyNamed(policy);
  if (!threshold) {
    const withThreshold = POLICIES.filter((one) => one.threshold).map(({ name }) => name);
    throw new UsageError(
      `policy ${policy} has no threshold to calibrate; these have one: ${withThreshold.join(', ')}; fastwam sweep compares settings of any`,
    );
  }
  const searched = Object.keys(threshold.settings(threshold.start, schedule)).filter((name) =>
    Object.hasOwn(values, name),
  );
  if (searched.length > 0) {
    throw new UsageError(`--set ${searched.join(', ')}: calibrate searches this itself (${threshold.says})`);
  }
  return threshold;
}

/** The chunks of a recording in order, each episode with an empty cache. */
async function runEpisodes(
  client: PolicyClient,
  chunks: readonly CalibrationChunk[],
  settings: PolicySettings,
  signal?: AbortSignal,
): Promise<ActionChunk[]> {
  const episode = await client.createEpisode();
  try {
    const results: ActionChunk[] = [];
    let running = chunks[0]?.episode;
    for (const { episode: number, observation, noise } of chunks) {
      if (signal?.aborted) throw new Interrupted('nothing was calibrated', 130);
      if (number !== running) await episode.reset();
      running = number;
      results.push(await episode.infer(observation, settings, noise && { noise }));
    }
    return results;
  } finally {
    await episode.close();
  }
}

function partResult(
  results: readonly ActionChunk[],
  reference: readonly ActionChunk[],
  executed: number,
  tolerance: number,
): PartResult {
  const errors = results.map((chunk, i) =>
    meanSquare(chunk.normalised.subarray(0, executed), reference[i]?.normalised ?? new Float32Array(0)),
  );
  return {
    chunks: results.length,
    deviation: Math.sqrt(sum(errors) / errors.length),
    worstChunk: Math.sqrt(Math.max(...errors)),
    within: errors.filter((error) => Math.sqrt(error) <= tolerance).length,
    stackEvaluations: sum(results.map((chunk) => chunk.report.stackEvaluations)),
    uncachedEvaluations: sum(reference.map((chunk) => chunk.report.stackEvaluations)),
  };
}

function meanSquare(values: Float32Array, expected: Float32Array): number {
  let squares = 0;
  values.forEach((value, i) => {
    squares += (value - (expected[i] ?? Number.NaN)) ** 2;
  });
  return squares / values.length;
}
