import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Bundle } from '../../src/bundle/Bundle';
import { spreadSteps } from '../../src/cache/fewSteps';
import { exportBundle } from '../../src/export/exportBundle';
import { DEFAULT_EXECUTION } from '../../src/model/execution';
import { FastWamModel } from '../../src/model/FastWamModel';
import { Episode } from '../../src/policy/Episode';
import { RecordedInputs } from '../../src/policy/recordedEpisode';
import { createSchedule } from '../../src/sampler/schedule';
import { DEFAULT_SETTINGS, FIXTURES, removeFolders, temporaryFolder } from '../helpers';
import { ToyExpert } from './ToyExpert';
import { ToyEpisode, companion, contextOf, relativeError } from './runEpisode';

afterAll(removeFolders);

const oneChunk = (expert: ToyExpert, given: Record<string, unknown>) =>
  new ToyEpisode(expert, 'few_steps', given).chunk({ chunk: 0 });

const ALL = Array.from({ length: 10 }, (_, k) => k);
/** Sets of steps that begin with 0, of ten. */
const chosenSteps = fc.subarray(ALL.slice(1)).map((others) => [0, ...others]);

describe('few_steps', () => {
  it.each(['jump', 'hold'])(
    'with all steps is the plain run bit for bit, in one call (%s)',
    async (between) => {
      const expert = new ToyExpert();
      const plain = await new ToyEpisode(expert, 'none').chunk({ chunk: 0 });
      expert.counts.calls = 0;
      const outcome = await oneChunk(expert, { steps: ALL, between });
      expect(outcome.x).toEqual(plain.x);
      expect(outcome.velocity).toEqual(plain.velocity);
      expect(expert.counts.calls).toBe(1);
    },
  );

  it.each([
    [1, [0]],
    [2, [0, 5]],
    [5, [0, 2, 4, 6, 8]],
  ])('jumping is the sampler of %i steps', async (steps, chosen) => {
    const expected = await new ToyEpisode(new ToyExpert({ steps }), 'none').chunk({ chunk: 0 });
    const outcome = await oneChunk(new ToyExpert(), { steps: chosen });
    // Sigma of a coarser schedule is rounded elsewhere: one part in 2^24.
    expect(relativeError(outcome.x, expected.x)).toBeLessThan(1e-6);
  });

  it('jumps in one call, and holds with a call for each stretch', async () => {
    for (const [between, calls] of [
      ['jump', 1],
      ['hold', 3],
    ] as const) {
      const expert = new ToyExpert();
      const outcome = await oneChunk(expert, { steps: [0, 1, 4, 8, 9], between });
      expect(expert.counts).toEqual({ calls, subBlocks: 5 * 3 * expert.shape.layers });
      expect([...outcome.computed]).toEqual([1, 1, 0, 0, 1, 0, 0, 0, 1, 1]);
      expect(outcome).toMatchObject({ fullSteps: 5, reusedSteps: 5, stackEvaluations: 5, refreshed: false });
    }
  });

  it('returns the velocity that moved x at every step, for any steps', async () => {
    await fc.assert(
      fc.asyncProperty(chosenSteps, fc.constantFrom('jump', 'hold'), async (steps, between) => {
        const expert = new ToyExpert({ layers: 1, hidden: 4, horizon: 2 });
        const outcome = await oneChunk(expert, { steps, between });
        const { noise } = contextOf(expert, { chunk: 0 });
        const x = noise.map((value, i) =>
          ALL.reduce(
            (sum, k) => sum + expert.schedule.delta[k]! * outcome.velocity[k * noise.length + i]!,
            value,
          ),
        );
        expect(relativeError(x, outcome.x)).toBeLessThan(1e-5);
        expect(outcome.stackEvaluations).toBe(steps.length);
        expect([...outcome.computed].flatMap((flag, k) => (flag === 1 ? [k] : []))).toEqual(steps);
      }),
      { numRuns: 60 },
    );
  });

  it('holds what C3ache would reuse: the residual of the last computed step', async () => {
    const expert = new ToyExpert();
    const { head, encoder, schedule, shape } = expert;
    const { noise } = contextOf(expert, { chunk: 0 });
    expert.observe(0);
    // eq. 7 of arXiv 2606.08962 with the residual of this chunk's step 0
    const first = await expert.fullSteps(noise, [{ index: 0 }], { residuals: true });
    let x = first.x;
    for (let k = 1; k < 10; k++) {
      const before = x;
      const rows = (weights: typeof head, input: Float32Array) =>
        Float32Array.from({ length: shape.horizon * weights.outputs }, (_, i) => {
          const [token, output] = [Math.floor(i / weights.outputs), i % weights.outputs];
          let sum = weights.bias[output]!;
          for (let n = 0; n < weights.inputs; n++) {
            sum += input[token * weights.inputs + n]! * weights.weight[output * weights.inputs + n]!;
          }
          return sum;
        });
      const hidden = rows(encoder, x).map((value, i) => value + first.residuals![i]!);
      x = rows(head, hidden).map((v, i) => before[i]! + schedule.delta[k]! * v);
    }
    const outcome = await oneChunk(expert, { steps: [0], between: 'hold' });
    expect(relativeError(outcome.x, x)).toBeLessThan(1e-5);
  });

  it('spreads steps evenly over the sigma path, whatever the schedule', () => {
    const released = createSchedule(10, 5);
    // RMSE against 20 steps: the best one, two and three of ten
    expect([1, 2, 3].map((count) => spreadSteps(released, count))).toEqual([[0], [0, 8], [0, 7, 9]]);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.double({ min: 0.1, max: 20, noNaN: true }),
        (steps, shift) => {
          const schedule = createSchedule(steps, shift);
          for (let count = 1; count <= steps; count++) {
            const chosen = spreadSteps(schedule, count);
            expect(chosen).toHaveLength(count);
            expect(chosen[0]).toBe(0);
            expect(chosen.at(-1)).toBeLessThan(steps);
            chosen.slice(1).forEach((step, i) => expect(step).toBeGreaterThan(chosen[i]!));
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it('takes over the steps that c3ache leaves', async () => {
    const expert = new ToyExpert();
    const companions = companion('few_steps', { steps: [0, 8] }, expert);
    const episode = new ToyEpisode(expert, 'c3ache', { tail: 'few_steps', range: [0, 5] });
    const outcomes = await episode.chunks(2, () => ({ companions }));
    // 6 is where it takes over, 8 is its own
    expect(outcomes.map(({ computed }) => computed.join(''))).toEqual(['1111111111', '0000001010']);
  });

  it('leaves nothing behind: an aborted chunk and a chunk of another episode change nothing', async () => {
    for (const between of ['jump', 'hold']) {
      const expert = new ToyExpert();
      const given = { steps: [0, 3, 6], between };
      const calm = await new ToyEpisode(expert, 'few_steps', given).chunks(3);
      const [one, other] = [0, 1].map(() => new ToyEpisode(expert, 'few_steps', given));
      for (let chunk = 0; chunk < 3; chunk++) {
        expert.failAtStep = 3;
        await one!.attempt({ chunk, observation: 40 }).catch(() => undefined);
        one!.state.discard();
        expert.failAtStep = -1;
        await other!.chunk({ chunk, observation: 60 + chunk });
        expect((await one!.chunk({ chunk })).x).toEqual(calm[chunk]!.x);
      }
    }
  });

  it('is refused without step 0', () => {
    const { shape, schedule } = new ToyExpert();
    const { policy } = new ToyEpisode(new ToyExpert(), 'few_steps');
    expect(policy.refuse({ steps: [3, 6], between: 'jump' }, shape, schedule)).toBe(
      'steps [3, 6]: must begin with 0, before which there is nothing to go on from',
    );
  });

  it.each([
    [1, '0'],
    [2, '0:5'],
    [5, '0:2:4:6:8'],
  ])('through the engine is a bundle exported with %i steps', async (steps, chosen) => {
    const few = await chunkOf(10, { policy: 'few_steps', values: { steps: chosen.split(':').map(Number) } });
    const exported = await chunkOf(steps, { policy: 'none', values: {} });
    expect(few.report.stackEvaluations).toBe(steps);
    // The time embedding multiplies the last bit of a timestep by up to 1000.
    expect(relativeError(few.normalised, exported.normalised)).toBeLessThan(1e-4);
  });
});

/** The first golden chunk, by a bundle whose sampler takes so many steps. */
async function chunkOf(steps: number, choice: { policy: string; values: Record<string, number[]> }) {
  const source = join(FIXTURES, 'libero_micro');
  const config = JSON.parse(readFileSync(join(source, 'config.json'), 'utf8')) as { prompt: string };
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, steps }));
  exportBundle({
    checkpoint: join(source, 'fastwam.pt'),
    vae: join(source, 'vae_encoder.pth'),
    textEmbeds: join(source, 'text_embeds'),
    config: join(folder, 'config.json'),
    out: join(folder, 'bundle'),
  });
  const bundle = Bundle.open(join(folder, 'bundle'));
  const model = await FastWamModel.load(bundle, { ...DEFAULT_EXECUTION, threads: 1 });
  try {
    const inputs = new RecordedInputs(join(source, 'episode.safetensors'), bundle);
    const observation = inputs.observation(0, config.prompt.split('instruction: ')[1]!);
    const settings = { ...DEFAULT_SETTINGS, ...choice };
    return await new Episode(model).infer(observation, settings, { noise: inputs.noise(0)! });
  } finally {
    await model.release();
  }
}
