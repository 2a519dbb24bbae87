import type { FieldValue } from '../cache/fieldValues';
import { InputError, UsageError } from '../errors';
import type { PolicyClient } from '../policy/PolicyClient';
import type { ActionChunk, PolicySettings } from '../policy/types';
import type { CalibrationChunk } from './calibrationChunks';
import { loosestThatAlso, loosestWithin } from './calibrationSearch';
import { actionLayout } from './EngineRunner';
import type { SamplerSettings } from './EngineRunner';

type Settings = Readonly<Record<string, FieldValue>>;

/** The threshold by which a policy trades closeness for speed. */
interface Threshold {
  /** settings for a looseness: the larger, the more is reused */
  readonly settings: (looseness: number) => Settings;
  readonly start: number;
  /** what is searched, for people */
  readonly says: string;
}

const rounded = (value: number): number => Number(value.toPrecision(4));

const THRESHOLDS: Readonly<Record<string, Threshold>> = {
  x_cache: {
    // The margin follows, so that the running mean never asks for more than the floor; the cosine alone decides.
    settings: (u) => ({
      tau_floor: rounded(Math.max(-1, 1 - u)),
      margin: rounded(Math.min(4, u)),
      tau_dev: 1e9,
    }),
    start: 0.03,
    says: 'tau_floor = 1 - u with margin = u and tau_dev off',
  },
  worldcache_ca: { settings: (u) => ({ threshold: rounded(u) }), start: 0.08, says: 'threshold' },
  worldcache_ht: { settings: (u) => ({ error_budget: rounded(u) }), start: 0.2, says: 'error_budget' },
  adaptive: { settings: (u) => ({ tolerance: rounded(u) }), start: 0.05, says: 'tolerance' },
};

/** Policies that {@link calibrateThreshold} can serve. */
export const CALIBRATED_BY_TOLERANCE: readonly string[] = Object.keys(THRESHOLDS);

export interface ThresholdRequest {
  readonly policy: string;
  /** settings that are not searched */
  readonly values: Settings;
  readonly sampler: SamplerSettings;
  /** largest root mean square difference of normalised actions, executed part, from the uncached ones */
  readonly tolerance: number;
  /** most settings to try */
  readonly trials: number;
  readonly onTrial?: (done: number) => void;
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
  const threshold = thresholdOf(request);
  if (chunks.length < FEWEST_CHUNKS) {
    throw new InputError(
      `${chunks.length} chunks are too few to calibrate with: at least ${FEWEST_CHUNKS}, of which the last third is held out`,
    );
  }
  const split = chunks.length - Math.max(1, Math.floor(chunks.length * HELD_OUT));
  const run = (policy: string, values: Settings, count: number): Promise<ActionChunk[]> =>
    runEpisodes(client, chunks.slice(0, count), { policy, values, ...request.sampler });
  const reference = await run('none', {}, chunks.length);
  const layout = actionLayout(client.bundle);
  const executed = Math.min(layout.replanSteps, layout.horizon) * layout.names.length;
  const judge = (results: readonly ActionChunk[], from: number, to: number): PartResult =>
    partResult(results.slice(from, to), reference.slice(from, to), executed, request.tolerance);

  const settingsAt = (looseness: number): Settings => ({
    ...request.values,
    ...threshold.settings(looseness),
  });
  const limits = { tolerance: request.tolerance, fullCost: split * layout.steps };
  const { best, trials } = await loosestWithin({
    start: threshold.start,
    ...limits,
    trials: request.trials,
    evaluate: async (looseness) => {
      const results = await run(request.policy, settingsAt(looseness), split);
      const { deviation, stackEvaluations } = judge(results, 0, split);
      request.onTrial?.(1);
      return { deviation, cost: stackEvaluations };
    },
  });
  const judged = async (settings: Settings | undefined): Promise<Judged> => {
    const results = settings ? await run(request.policy, settings, chunks.length) : reference;
    return { calibration: judge(results, 0, split), heldOut: judge(results, split, chunks.length) };
  };
  const settings = best && settingsAt(best.looseness);
  const result = await judged(settings);
  const confirmed = result.heldOut.deviation <= request.tolerance;
  const keepsInBoth =
    best && !confirmed
      ? await loosestThatAlso(trials, best, limits, async ({ looseness }) => {
          const stricter = settingsAt(looseness);
          const parts = await judged(stricter);
          return parts.heldOut.deviation <= request.tolerance ? { settings: stricter, ...parts } : undefined;
        })
      : undefined;
  return {
    policy: request.policy,
    searched: threshold.says,
    settings,
    ...result,
    ...(keepsInBoth && { keepsInBoth }),
    trials: trials.map(({ looseness, deviation, cost }) => ({
      settings: threshold.settings(looseness),
      deviation,
      cost,
    })),
  };
}

function thresholdOf({ policy, values }: ThresholdRequest): Threshold {
  const threshold = Object.hasOwn(THRESHOLDS, policy) ? THRESHOLDS[policy] : undefined;
  if (!threshold) {
    throw new UsageError(
      `policy ${policy} has no threshold to calibrate; calibrate takes bac and ${CALIBRATED_BY_TOLERANCE.join(', ')}, and fastwam sweep compares settings of any`,
    );
  }
  const searched = Object.keys(threshold.settings(threshold.start)).filter((name) =>
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
): Promise<ActionChunk[]> {
  const episode = await client.createEpisode();
  try {
    const results: ActionChunk[] = [];
    let running = chunks[0]?.episode;
    for (const { episode: number, observation, noise } of chunks) {
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
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
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
