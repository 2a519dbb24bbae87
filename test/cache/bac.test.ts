import { describe, expect, it } from 'vitest';
import { BacLearner } from '../../src/cache/BacLearner';
import type { BacBudget } from '../../src/cache/BacLearner';
import { solveAcs } from '../../src/cache/bacSchedule';
import { ToyExpert } from './ToyExpert';
import { ToyEpisode, contextOf, learntBefore, relativeError } from './runEpisode';

const budget: BacBudget = { updates: 4, union_blocks: 3, similarity: 'cosine' };

async function calibrated(expert: ToyExpert, chunks = 3): Promise<BacLearner> {
  const calibration = new BacLearner(expert.shape);
  for (let chunk = 0; chunk < chunks; chunk++) {
    expert.observe(chunk);
    const steps = Array.from({ length: expert.shape.steps }, (_, index) => ({ index }));
    const run = await expert.fullSteps(contextOf(expert, { chunk }).noise, steps, { parts: true });
    calibration.add(run);
  }
  return calibration;
}

async function episode(expert: ToyExpert, given: Record<string, unknown>, solved: BacBudget = budget) {
  const schedule = (await calibrated(expert)).solve(solved);
  return { schedule, run: new ToyEpisode(expert, 'bac', given, learntBefore(schedule)) };
}

describe('bac', () => {
  it('with as many updates as steps is the plain run bit for bit, and needs no schedule', async () => {
    const expert = new ToyExpert();
    const plain = await new ToyEpisode(expert, 'none').chunk({ chunk: 0 });
    const all = await new ToyEpisode(expert, 'bac', { updates: 10 }).chunk({ chunk: 0 });
    expect([...all.x]).toEqual([...plain.x]);
    expect(all.computed).toHaveLength(10 * 4 * 3);
    const solved = { updates: 10, union_blocks: 0, similarity: 'cosine' } as const;
    const scheduled = (await calibrated(expert)).solve(solved);
    expect(scheduled.computed.flat(2).every((flag) => flag === 1)).toBe(true);
    const flags = Uint8Array.from(scheduled.computed.flat(2));
    expert.observe(0);
    expect([...(await expert.scheduledSteps(contextOf(expert, { chunk: 0 }).noise, flags)).x]).toEqual([
      ...plain.x,
    ]);
  });

  it('computes what the schedule says, whatever the data, and says so', async () => {
    const expert = new ToyExpert();
    const { schedule, run } = await episode(expert, { updates: 4, union_blocks: 3 });
    const flags = schedule.computed.flat(2) as number[];
    const total = flags.reduce((sum, flag) => sum + flag, 0);
    for (const chunk of [0, 1, 2]) {
      expert.counts.subBlocks = 0;
      const outcome = await run.chunk({ chunk });
      expect([...outcome.computed]).toEqual(flags);
      expect(outcome.computedShape).toBe('subblocks');
      expect(outcome.computedSubBlocks).toBe(total);
      expect(expert.counts.subBlocks).toBe(total);
      expect(outcome.stackEvaluations).toBeCloseTo(total / (3 * expert.shape.layers), 12);
      expect(outcome.fullSteps + outcome.reusedSteps).toBe(10);
    }
    expect(total).toBeLessThan(10 * 3 * expert.shape.layers);
  });

  it('holds contributions within a chunk only', async () => {
    const { run } = await episode(new ToyExpert(), { updates: 4, union_blocks: 3 });
    const [one, , three] = await run.chunks(3, (chunk) => ({ observation: chunk % 2 }));
    expect([...three!.x]).toEqual([...one!.x]);
    expect(run.state.bytes).toBe(4 * 3 * 4 * 6 * 8);
  });

  it('can hold the terms before their gate, with another result', async () => {
    const expert = new ToyExpert();
    const given = { updates: 4, union_blocks: 3 };
    const plain = await new ToyEpisode(expert, 'none').chunk({ chunk: 0 });
    const { run } = await episode(expert, given);
    const gated = await run.chunk({ chunk: 0 });
    run.given = { ...given, gate_mode: 'ungated' };
    const ungated = await run.chunk({ chunk: 0 });
    expect(relativeError(ungated.x, gated.x)).toBeGreaterThan(1e-6);
    expect(relativeError(ungated.x, plain.x)).toBeLessThan(0.5);
  });

  it('says which schedules there are and how to make the one that is missing', async () => {
    const expert = new ToyExpert();
    const { schedule } = await episode(expert, {});
    const { policy } = new ToyEpisode(expert, 'bac');
    const wanted = { updates: 5, union_blocks: 5, similarity: 'cosine', gate_mode: 'gated' } as const;
    expect(policy.refuse(wanted, expert.shape, expert.schedule)).toBe(
      'no bac schedule for updates=5 union_blocks=5 similarity=cosine (the bundle has none): make it with ' +
        'fastwam calibrate BUNDLE --policy bac BAG --set updates=5 --set union_blocks=5 --set similarity=cosine',
    );
    const resources = learntBefore(schedule);
    expect(policy.refuse(wanted, expert.shape, expert.schedule, resources)).toMatch(
      /\(the bundle has \{updates=4 union_blocks=3 similarity=cosine\}\)/,
    );
    const matching = { ...wanted, updates: 4, union_blocks: 3 };
    expect(policy.refuse(matching, expert.shape, expert.schedule, resources)).toBeUndefined();
    // A schedule of another model is none.
    const other = { ...expert.shape, layers: 7 };
    expect(policy.refuse(matching, other, expert.schedule, resources)).toMatch(/the bundle has none/);
    await expect(new ToyEpisode(expert, 'bac').chunk({ chunk: 0 })).rejects.toThrow(/^no bac schedule for/);
  });

  it('records the residuals of the steps that ran in full', async () => {
    const { run } = await episode(new ToyExpert(), { updates: 4, union_blocks: 3 });
    const outcome = await run.chunk({ chunk: 0, recordResiduals: true });
    expect(outcome.residuals!.has(0)).toBe(true);
    expect(outcome.residuals!.has(9)).toBe(true);
    expect(outcome.residuals!.size).toBe(outcome.fullSteps);
  });
});

describe('calibrating bac', () => {
  it('solves each sub-block by its own similarities, forces the last step, and unites the worst', async () => {
    const expert = new ToyExpert();
    const { steps, layers, horizon, hidden } = expert.shape;
    const calibration = await calibrated(expert, 1);
    const own = calibration.solve({ ...budget, union_blocks: 0 });
    const united = calibration.solve(budget);

    expert.observe(0);
    const all = Array.from({ length: steps }, (_, index) => ({ index }));
    const { parts } = await expert.fullSteps(contextOf(expert, { chunk: 0 }).noise, all, { parts: true });
    const size = horizon * hidden;
    for (let block = 0; block < 3 * layers; block++) {
      const at = (k: number) =>
        parts!.subarray((k * 3 * layers + block) * size, (k * 3 * layers + block + 1) * size);
      const comparison = Array.from({ length: steps * steps }, (_, n) => {
        const [a, b] = [at(Math.floor(n / steps)), at(n % steps)];
        const dot = a.reduce((sum, value, i) => sum + value * b[i]!, 0);
        return dot / Math.hypot(...a) / Math.hypot(...b);
      });
      const { updates } = solveAcs({ comparison, steps, wanted: 'most' }, budget.updates);
      const flags = own.computed.map((row) => row[Math.floor(block / 3)]![block % 3]);
      expect(flags).toEqual(all.map(({ index }) => (updates.includes(index) || index === steps - 1 ? 1 : 0)));
    }
    const count = (schedule: typeof own) =>
      (schedule.computed.flat(2) as number[]).reduce((a, b) => a + b, 0);
    expect(count(united)).toBeGreaterThanOrEqual(count(own));
    expect(own.computed[0]!.flat().every((flag) => flag === 1)).toBe(true);
  });

  it('solves by distance and by neighbouring steps too', async () => {
    const calibration = await calibrated(new ToyExpert());
    for (const similarity of ['l1', 'mse', 'adjacent'] as const) {
      const schedule = calibration.solve({ updates: 3, union_blocks: 0, similarity });
      for (let block = 0; block < 12; block++) {
        const updates = schedule.computed.filter((row) => row[Math.floor(block / 3)]![block % 3] === 1);
        // three updates, and the last step if it is not one of them
        expect([3, 4]).toContain(updates.length);
      }
    }
  });

  it('averages over chunks, whatever their order', async () => {
    const expert = new ToyExpert();
    const steps = Array.from({ length: 10 }, (_, index) => ({ index }));
    const chunks = await Promise.all(
      [0, 1, 2].map(async (chunk) => {
        expert.observe(chunk, 2);
        return (await expert.fullSteps(contextOf(expert, { chunk }).noise, steps, { parts: true })).parts!;
      }),
    );
    const learn = (order: readonly number[]) => {
      const calibration = new BacLearner(expert.shape);
      for (const i of order) calibration.add({ parts: chunks[i]! });
      return calibration.solve(budget);
    };
    expect(learn([2, 0, 1])).toEqual(learn([0, 1, 2]));
    expect(learn([0, 1, 2]).chunks).toBe(3);
  });

  it('refuses features of another size, and to solve without any', () => {
    const calibration = new BacLearner(new ToyExpert().shape);
    expect(() => calibration.add({ parts: new Float32Array(3) })).toThrow(
      'sub-block contributions of a chunk: expected 5760 values, got 3',
    );
    expect(() => calibration.solve(budget)).toThrow('bac cannot be calibrated without a single chunk');
  });
});
