import type { ChunkReport } from '../cache/types';
import { InputError } from '../errors';
import { ChunkExecutor } from '../executor/ChunkExecutor';
import type { CommandDimension } from '../executor/dimensions';
import { startDisturbances, startWorld, type EpisodePlan } from './episodes';
import { colourise, renderIndices } from './renderer';
import { CONTROL_RATE } from './speeds';
import type { TabletopWorld } from './TabletopWorld';
import { stepLimit } from './tasks';

/** What a policy sees of the world. */
export interface SimulatedObservation {
  /** front and wrist camera side by side, uint8 [64, 128, 3] */
  readonly image: Uint8Array;
  /** (x, y, opening) of the gripper, [3] */
  readonly proprio: Float32Array;
  /** seconds since the episode began */
  readonly stamp: number;
  readonly instruction: string;
}

/** What computing a chunk cost. */
export interface ChunkCost extends Pick<
  ChunkReport,
  'refreshed' | 'reason' | 'fullSteps' | 'reusedSteps' | 'stackEvaluations'
> {
  readonly seconds: number;
}

export interface SimulatedChunk {
  /** [horizon, 3] in the world's action units */
  readonly actions: Float32Array;
  readonly cost: ChunkCost;
}

/** Whatever makes chunks from observations: a policy, or the demonstrator. */
export interface ChunkSource {
  /** A new episode begins; only the demonstrator looks at the world itself. */
  reset(instruction: string, world: TabletopWorld): Promise<void>;
  infer(observation: SimulatedObservation): Promise<SimulatedChunk>;
}

export interface LoopOptions {
  /** Actions executed before the next observation is made into a chunk. */
  readonly replanSteps: number;
  /** Control steps that pass between an observation and its chunk's arrival. */
  readonly latencySteps: number;
  /** Steps over which a chunk fades in. */
  readonly blendSteps: number;
  /** Awaited at the beginning of each step, before its chunk is computed: waits for somebody who watches, or ends the
   * episode by throwing. */
  readonly beforeStep?: (world: TabletopWorld, step: number) => Promise<void>;
  /** Called with the world before each step; for pictures and pages. */
  readonly onStep?: (moment: LoopMoment) => void;
}

export interface LoopMoment {
  readonly world: TabletopWorld;
  readonly step: number;
  /** number of the newest chunk that has arrived, and the chunk; undefined before the first */
  readonly chunk: { readonly number: number; readonly content: SimulatedChunk } | undefined;
  /** (dx, dy, grip) of this step */
  readonly action: ArrayLike<number>;
}

/** As the reference results were made: ten steps a chunk, no latency, no fading. */
export const REFERENCE_LOOP: LoopOptions = { replanSteps: 10, latencySteps: 0, blendSteps: 0 };

export interface EpisodeResult {
  readonly index: number;
  readonly task: number;
  readonly suite: string;
  readonly success: boolean;
  /** control steps until success, or until the limit */
  readonly steps: number;
  readonly chunks: number;
  /** of each chunk in order */
  readonly costs: readonly ChunkCost[];
  /** jumps, slips and pushes */
  readonly disturbances: number;
}

/** The world's action units need no limits: it clips what is too large. */
const DIMENSIONS: readonly CommandDimension[] = [
  { name: 'dx', mode: 'delta', gripper: false },
  { name: 'dy', mode: 'delta', gripper: false },
  { name: 'grip', mode: 'absolute', gripper: true },
];
/** Until the first chunk arrives the robot stays, open. */
const WAIT = Float64Array.of(0, 0, 1);

/**
 * Runs one episode: observation, chunk, executor, world, at 10 Hz until success or the step limit. The same plan and
 * a deterministic source give the same result.
 *
 * @throws InputError if the source's actions do not fit; whatever the source throws
 */
export async function runEpisode(
  plan: EpisodePlan,
  source: ChunkSource,
  options: LoopOptions = REFERENCE_LOOP,
): Promise<EpisodeResult> {
  const { task } = plan;
  const { replanSteps, latencySteps } = options;
  if (!(
    Number.isInteger(replanSteps) &&
    replanSteps >= 1 &&
    Number.isInteger(latencySteps) &&
    latencySteps >= 0
  )) {
    throw new InputError(
      `closed loop: ${replanSteps} replan steps and a latency of ${latencySteps} steps; expected integers from 1 and from 0`,
    );
  }
  const world = startWorld(plan);
  const disturbances = startDisturbances(plan);
  const period = 1 / CONTROL_RATE;
  const executor = new ChunkExecutor({
    dimensions: DIMENSIONS,
    period,
    blendSteps: options.blendSteps,
    deadline: Infinity,
    limitPolicy: 'clamp',
  });
  const limit = stepLimit(task, plan.condition, plan.speed);
  const costs: ChunkCost[] = [];
  const onTheWay: { readonly number: number; readonly content: SimulatedChunk; readonly madeAt: number }[] =
    [];
  let arrived: LoopMoment['chunk'];

  await source.reset(task.instruction, world);
  let step = 0;
  for (; step < limit && !world.success; step++) {
    await options.beforeStep?.(world, step);
    if (step % replanSteps === 0) {
      const content = await source.infer({
        image: colourise(renderIndices(world)),
        proprio: world.proprio(),
        stamp: step * period,
        instruction: task.instruction,
      });
      onTheWay.push({ number: costs.length, content, madeAt: step });
      costs.push(content.cost);
    }
    const next = onTheWay[0];
    if (next && next.madeAt + latencySteps <= step) {
      onTheWay.shift();
      arrived = next;
      const chunk = { stamp: next.madeAt * period, period, replanSteps, actions: next.content.actions };
      const refusal = executor.accept(chunk, step * period);
      if (refusal) {
        throw new InputError(
          `chunk ${next.number} of episode ${plan.index} cannot be executed (${refusal}): ` +
            `${chunk.actions.length} numbers, expected finite ones for more than ${latencySteps} actions of 3`,
        );
      }
    }
    const action = executor.command(step * period).values ?? WAIT;
    options.onStep?.({ world, step, chunk: arrived, action });
    world.step(action);
    disturbances.afterStep(world, step);
  }
  return {
    index: plan.index,
    task: task.index,
    suite: task.suite,
    success: world.success,
    steps: step,
    chunks: costs.length,
    costs,
    disturbances: disturbances.count,
  };
}
