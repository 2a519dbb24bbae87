import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bundle } from '../../src/bundle/Bundle';
import { adaptive } from '../../src/cache/adaptive';
import { c3ache } from '../../src/cache/c3ache';
import { resolveSettings } from '../../src/cache/fieldValues';
import type { CachePolicy, ChunkContext, ChunkOutcome } from '../../src/cache/types';
import { readBytes, readFloat32 } from '../../src/formats/readTensor';
import { openSafetensors } from '../../src/formats/safetensors';
import { FastWamModel } from '../../src/model/FastWamModel';
import type { ChunkBinding } from '../../src/model/FastWamModel';
import { DEFAULT_EXECUTION } from '../../src/model/execution';
import { ProprioTransform } from '../../src/policy/actions';
import { FIXTURES, removeFolders } from '../helpers';
import { REFERENCE_CHECKPOINT, exportTabletopCheckpoint } from '../tabletop';

const [WORLDS, CHUNKS] = [4, 20];

/** The trained table-top model on what it saw in recorded episodes: does `adaptive` keep what it is told to keep? */
describe('adaptive on recorded episodes of the table-top model', () => {
  let model: FastWamModel;
  const episodes: { readonly context: ChunkContext; readonly binding: ChunkBinding }[][] = [];
  let uncached: Float32Array[][];

  beforeAll(async () => {
    const bundle = Bundle.open(exportTabletopCheckpoint({}, REFERENCE_CHECKPOINT));
    model = await FastWamModel.load(bundle, { ...DEFAULT_EXECUTION, threads: 1 });
    const file = openSafetensors(join(FIXTURES, 'toy/closed_loop.safetensors'));
    const tensor = (name: string) => file.tensors.get(name)!;
    const [images, proprio, noise] = [
      readBytes(tensor('images')),
      readFloat32(tensor('proprio')),
      readFloat32(tensor('noise')),
    ];
    const tasks = new DataView(Uint8Array.from(readBytes(tensor('task'))).buffer);
    const { instructions } = bundle.manifest;
    const normalise = new ProprioTransform(bundle);
    const size = images.length / (4 * CHUNKS);
    for (let world = 0; world < WORLDS; world++) {
      const text = bundle.context(instructions[Number(tasks.getBigInt64(8 * world, true))]!);
      const episode = [];
      for (let chunk = 0; chunk < CHUNKS; chunk++) {
        const row = world * CHUNKS + chunk;
        const latents = await model.encode(images.subarray(row * size, (row + 1) * size));
        const state = normalise.apply([...proprio.subarray(3 * row, 3 * row + 3)]);
        const context = {
          chunk,
          time: chunk,
          period: 0.1,
          replanSteps: 10,
          noise,
          proprio: state,
          latents,
          latentShape: model.latentShape,
        };
        episode.push({ context, binding: await model.prefill(latents, state, text) });
      }
      episodes.push(episode);
    }
    uncached = [];
    for (const episode of episodes) {
      const results = [];
      for (const { context, binding } of episode) {
        const steps = Array.from({ length: model.shape.steps }, (_, index) => ({ index }));
        results.push((await model.expert(binding).fullSteps(context.noise, steps)).x);
      }
      uncached.push(results);
    }
  });
  afterAll(async () => {
    await model.release();
    removeFolders();
  });

  async function run(policy: CachePolicy, given: Record<string, unknown>) {
    const settings = resolveSettings(policy.name, policy.fields, given, model);
    const outcomes: ChunkOutcome[] = [];
    const deviations: number[] = [];
    for (const [world, episode] of episodes.entries()) {
      const state = policy.createState(model.shape, model.schedule);
      for (const { context, binding } of episode) {
        const outcome = await state.run(context, settings, model.expert(binding));
        state.commit();
        outcomes.push(outcome);
        const squares = outcome.x.map((value, i) => (value - uncached[world]![context.chunk]![i]!) ** 2);
        deviations.push(Math.sqrt(squares.reduce((sum, value) => sum + value, 0) / squares.length));
      }
    }
    const steps = outcomes.reduce((sum, outcome) => sum + outcome.stackEvaluations, 0) / outcomes.length;
    return { deviations, steps, outcomes };
  }

  it('stays within its default tolerance in every chunk and still saves steps', async () => {
    const { deviations, steps } = await run(adaptive, { refresh_interval: 0 });
    expect(Math.max(...deviations)).toBeLessThan(0.05);
    expect(steps).toBeLessThan(9);
  });

  it('deviates less than a fixed rhythm of as many steps', async () => {
    // R = 2 takes 6.5 steps a chunk; a tolerance of 0.2 takes about as many.
    const fixed = await run(c3ache, { refresh_interval: 2 });
    const chosen = await run(adaptive, { refresh_interval: 0, tolerance: 0.2 });
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(chosen.deviations)).toBeLessThan(mean(fixed.deviations));
  });
});
