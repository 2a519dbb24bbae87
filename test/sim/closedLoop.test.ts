import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors';
import {
  REFERENCE_LOOP,
  runEpisode,
  type ChunkSource,
  type LoopMoment,
  type SimulatedObservation,
} from '../../src/sim/closedLoop';
import { planEpisodes, planFromInitialStates, startWorld, type EpisodePlan } from '../../src/sim/episodes';
import { demonstratorAction } from '../../src/sim/demonstrator';
import { demonstratorSource } from '../../src/sim/demonstratorSource';
import { colourise, renderIndices } from '../../src/sim/renderer';
import { CONDITIONS, SUITES, TASKS, tasksOf } from '../../src/sim/tasks';

const SELECTION = { seed: 11, speed: 'fast', condition: 'clean' } as const;
const COST = {
  refreshed: true,
  reason: 'test',
  fullSteps: 10,
  reusedSteps: 0,
  stackEvaluations: 10,
  seconds: 0.25,
};

/** A source that says of action k of chunk c: move by (c, k) in hundredths. */
function countingSource(seen: SimulatedObservation[]): ChunkSource {
  return {
    reset: () => Promise.resolve(),
    infer: (observation) => {
      const chunk = seen.push(observation) - 1;
      const actions = Float32Array.from(
        { length: 96 },
        (_, i) => [chunk / 100, Math.floor(i / 3) / 100, 1][i % 3]!,
      );
      return Promise.resolve({ actions, cost: COST });
    },
  };
}

async function momentsOf(
  plan: EpisodePlan,
  source: ChunkSource,
  options = REFERENCE_LOOP,
): Promise<LoopMoment[]> {
  const moments: LoopMoment[] = [];
  await runEpisode(plan, source, {
    ...options,
    onStep: (moment) => moments.push({ ...moment, action: Array.from(moment.action) }),
  });
  return moments;
}

/** (chunk, action) of each step, from the actions of the counting source; [-1, -1] while waiting. */
function executed(moments: readonly LoopMoment[]): [number, number][] {
  return moments.map(({ action, chunk }) =>
    chunk ? [Math.round(100 * action[0]!), Math.round(100 * action[1]!)] : [-1, -1],
  );
}

describe('The closed loop', () => {
  const [plan] = planEpisodes(1, ['object'], SELECTION) as [EpisodePlan];

  it('executes ten actions of each chunk until the step limit, and counts', async () => {
    const seen: SimulatedObservation[] = [];
    const moments = await momentsOf(plan, countingSource(seen));
    // fast, clean, one pair: 110 steps
    expect(executed(moments)).toEqual(Array.from({ length: 110 }, (_, s) => [Math.floor(s / 10), s % 10]));
    expect(seen.map(({ stamp }) => stamp)).toEqual(
      Array.from({ length: 11 }, (_, c) => expect.closeTo(c, 9) as number),
    );
    const result = await runEpisode(plan, countingSource([]));
    expect(result).toMatchObject({
      index: 0,
      task: 4,
      suite: 'object',
      success: false,
      steps: 110,
      chunks: 11,
    });
    expect(result.costs).toEqual(Array(11).fill(COST));
  });

  it('shows the source both cameras and the proprioception of the moment', async () => {
    const seen: SimulatedObservation[] = [];
    await runEpisode(plan, countingSource(seen));
    const world = startWorld(plan);
    expect(Buffer.compare(seen[0]!.image, colourise(renderIndices(world)))).toBe(0);
    expect(seen[0]!.proprio).toEqual(world.proprio());
    expect(seen[0]!.instruction).toBe('pick up the red block and place it on the white plate');
    expect(Buffer.compare(seen[1]!.image, seen[0]!.image)).not.toBe(0);
  });

  it('joins late chunks at the action that is due then, and waits for the first', async () => {
    const options = { ...REFERENCE_LOOP, latencySteps: 3 };
    const steps = executed(await momentsOf(plan, countingSource([]), options)).slice(0, 25);
    const expected = Array.from({ length: 25 }, (_, s) => {
      const chunk = Math.floor((s - 3) / 10);
      return chunk < 0 ? [-1, -1] : [chunk, s - 10 * chunk];
    });
    expect(steps).toEqual(expected);
  });

  it('ends with the step that succeeds, as the expert does on its own', async () => {
    for (const plan of planEpisodes(16, SUITES.slice(0, 4), SELECTION)) {
      const world = startWorld(plan);
      let steps = 0;
      for (; !world.success; steps++) world.step(demonstratorAction(world));
      const result = await runEpisode(plan, demonstratorSource());
      // Chunks are float32, so the last step may fall differently by one.
      expect(result.success).toBe(true);
      expect(Math.abs(result.steps - steps)).toBeLessThanOrEqual(1);
      expect(result.chunks).toBe(Math.ceil(result.steps / 10));
    }
  });

  it.each(SUITES.flatMap((suite) => CONDITIONS.map((condition) => [suite, condition] as const)))(
    'lets the expert solve every %s episode, %s',
    async (suite, condition) => {
      for (const speed of ['slow', 'fast'] as const) {
        for (const plan of planEpisodes(2 * tasksOf(suite).length, [suite], { seed: 3, speed, condition })) {
          expect(
            (await runEpisode(plan, demonstratorSource())).success,
            `${speed}, episode ${plan.index}`,
          ).toBe(true);
        }
      }
    },
  );

  it('gives the same result for the same plan, and the same plan whatever the number of episodes', async () => {
    const few = planEpisodes(5, ['dynamic', 'long'], { ...SELECTION, condition: 'random' });
    const many = planEpisodes(50, ['dynamic', 'long'], { ...SELECTION, condition: 'random' });
    expect(many.slice(0, 5)).toEqual(few);
    for (const plan of few) {
      expect(await runEpisode(plan, demonstratorSource())).toEqual(
        await runEpisode(plan, demonstratorSource()),
      );
    }
  });

  it('starts where it is told to', () => {
    const { gripper, blocks, blockColours, plates, plateColours } = startWorld(plan);
    const initial = { gripper, blocks, blockColours, plates, plateColours };
    const [given] = planFromInitialStates([{ task: TASKS[4]!, initial }], SELECTION);
    expect(Buffer.compare(renderIndices(startWorld(given!)), renderIndices(startWorld(plan)))).toBe(0);
  });

  it('refuses chunks that cannot be executed, and settings without meaning', async () => {
    const broken = (actions: Float32Array): ChunkSource => ({
      reset: () => Promise.resolve(),
      infer: () => Promise.resolve({ actions, cost: COST }),
    });
    await expect(runEpisode(plan, broken(Float32Array.of(0, NaN, 0)))).rejects.toThrow(
      /chunk 0 of episode 0 cannot be executed \(not_finite\)/,
    );
    await expect(runEpisode(plan, broken(new Float32Array(4)))).rejects.toThrow(InputError);
    await expect(
      runEpisode(plan, demonstratorSource(), { ...REFERENCE_LOOP, replanSteps: 0 }),
    ).rejects.toThrow(/0 replan steps/);
    expect(() => planEpisodes(3, [], SELECTION)).toThrow(/no suite chosen/);
  });

  it('plans the tasks of the chosen suites in turn', () => {
    fc.assert(
      fc.property(fc.subarray([...SUITES], { minLength: 1 }), fc.nat(60), (suites, count) => {
        const tasks = TASKS.filter(({ suite }) => suites.includes(suite));
        const plans = planEpisodes(count, suites, SELECTION);
        expect(plans.map(({ task }) => task.index)).toEqual(
          Array.from({ length: count }, (_, i) => tasks[i % tasks.length]!.index),
        );
      }),
    );
  });
});
