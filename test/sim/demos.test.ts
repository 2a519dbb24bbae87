import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors';
import { readBytes, readFloat32, readFloat64 } from '../../src/formats/readTensor';
import { openSafetensors } from '../../src/formats/safetensors';
import { demonstrate } from '../../src/sim/demonstrationEpisode';
import { writeDemonstrations, type DemonstrationManifest } from '../../src/sim/demos';
import { planEpisodes, startWorld } from '../../src/sim/episodes';
import { demonstratorAction, demonstratorRollout } from '../../src/sim/demonstrator';
import { Random } from '../../src/sim/Random';
import { PALETTE, renderIndices } from '../../src/sim/renderer';
import { SPEEDS } from '../../src/sim/speeds';
import { TASKS } from '../../src/sim/tasks';

const OPTIONS = { episodes: 24, seed: 5, speed: 'fast', shardStates: 300 } as const;

describe('Demonstrations', () => {
  let root: string;
  let folder: string;
  let manifest: DemonstrationManifest;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'demonstrations-'));
    folder = join(root, 'one');
    manifest = writeDemonstrations(folder, OPTIONS);
  });
  afterAll(() => rmSync(root, { recursive: true }));

  it('are shards of labelled states, and a manifest that counts them', () => {
    expect(JSON.parse(readFileSync(join(folder, 'demos.json'), 'utf8'))).toEqual(manifest);
    expect(readdirSync(folder).sort()).toEqual(['demos.json', ...manifest.shards.map(({ file }) => file)]);
    expect(manifest.shards.length).toBeGreaterThan(1);
    expect(manifest.shards.slice(0, -1).every(({ states }) => states === 300)).toBe(true);
    expect(manifest.shards.reduce((n, { states }) => n + states, 0)).toBe(manifest.states);
    expect(manifest.tasks.reduce((n, { states }) => n + states, 0)).toBe(manifest.states);
    // 24 episodes, one of each task.
    expect(manifest.tasks.every(({ states }) => states > 0)).toBe(true);
    for (const { file, states: n } of manifest.shards) {
      const { tensors, metadata } = openSafetensors(join(folder, file));
      expect(metadata).toMatchObject({ seed: '5', speed: 'fast' });
      expect(Object.fromEntries([...tensors.values()].map((t) => [t.name, [t.dtype, ...t.shape]]))).toEqual({
        frames: ['U8', n, 64, 128],
        palette: ['U8', 11, 3],
        proprio: ['F32', n, 3],
        actions: ['F32', n, 32, 3],
        task: ['I32', n],
        held: ['I32', n],
        target: ['I32', n, 2],
        blocks: ['F32', n, 3, 2],
        block_colours: ['I32', n, 3],
        plates: ['F32', n, 3, 2],
        plate_colours: ['I32', n, 3],
      });
      expect(readBytes(tensors.get('palette')!)).toEqual(PALETTE);
    }
  });

  it('hold picture, proprioception and the label of the undisturbed expert of one and the same state', () => {
    const [first] = manifest.shards;
    const { tensors } = openSafetensors(join(folder, first!.file));
    const read = (name: string): Float64Array => readFloat64(tensors.get(name)!);
    const [frames, proprio, actions] = [
      readBytes(tensors.get('frames')!),
      readFloat32(tensors.get('proprio')!),
      readFloat32(tensors.get('actions')!),
    ];
    const [task, held, target] = [read('task'), read('held'), read('target')];
    let i = 0;
    // Episode e of the data set is demonstrate(task e, seed, e, stream 2).
    for (let episode = 0; i < first!.states; episode++) {
      demonstrate(TASKS[episode]!, SPEEDS.fast, new Random(5, episode, 2), (world) => {
        if (i === first!.states) return;
        const frame = frames.subarray(i * 8192, (i + 1) * 8192);
        expect(Buffer.compare(renderIndices(world), frame)).toBe(0);
        expect(proprio.subarray(3 * i, 3 * i + 3)).toEqual(world.proprio());
        expect(actions.subarray(96 * i, 96 * i + 96)).toEqual(demonstratorRollout(world, 32));
        expect(task[i]).toBe(episode);
        expect(held[i]).toBe(world.held);
        const pair = world.task.pairs[world.subTask];
        expect([...target.subarray(2 * i, 2 * i + 2)]).toEqual([pair?.block ?? -1, pair?.plate ?? -1]);
        i++;
      });
    }
    expect(i).toBe(first!.states);
  });

  it('have the statistics that the manifest states', () => {
    for (const name of ['actions', 'proprio'] as const) {
      const values = manifest.shards.flatMap(({ file }) => [
        ...readFloat32(openSafetensors(join(folder, file)).tensors.get(name)!),
      ]);
      for (const dimension of [0, 1, 2]) {
        const column = values.filter((_, i) => i % 3 === dimension);
        const mean = column.reduce((a, b) => a + b, 0) / column.length;
        const std = Math.sqrt(column.reduce((a, b) => a + (b - mean) ** 2, 0) / column.length);
        expect(manifest.statistics[name].mean[dimension]).toBeCloseTo(mean, 9);
        expect(manifest.statistics[name].std[dimension]).toBeCloseTo(std, 9);
      }
    }
  });

  it('are the same bytes for the same options, and others for another seed', () => {
    const again = join(root, 'again');
    expect(writeDemonstrations(again, OPTIONS)).toEqual(manifest);
    for (const file of readdirSync(folder)) {
      expect(Buffer.compare(readFileSync(join(again, file)), readFileSync(join(folder, file))), file).toBe(0);
    }
    expect(writeDemonstrations(join(root, 'other'), { ...OPTIONS, seed: 6 }).statistics).not.toEqual(
      manifest.statistics,
    );
  });

  it('do not start where the evaluation with the same seed starts', () => {
    const selection = { seed: 5, speed: 'fast', condition: 'clean' } as const;
    for (const plan of planEpisodes(16, ['spatial', 'object', 'goal', 'long'], selection)) {
      let started = false;
      demonstrate(plan.task, SPEEDS.fast, new Random(5, plan.index, 2), (world) => {
        if (!started) expect([...world.plates]).not.toEqual([...startWorld(plan).plates]);
        started = true;
      });
      expect(started).toBe(true);
    }
  });

  it('show states from which the expert always gets the task done', () => {
    for (const [episode, task] of TASKS.entries()) {
      demonstrate(task, SPEEDS.slow, new Random(8, episode), (world, step) => {
        const rescued = world.clone();
        for (let i = 0; i < 900 && !rescued.success; i++) rescued.step(demonstratorAction(rescued));
        expect(rescued.success, `task ${task.index}, step ${step}`).toBe(true);
      });
    }
  });

  it('never overwrite a data set unless told to, and need episodes and a suite', () => {
    expect(() => writeDemonstrations(folder, OPTIONS)).toThrow(UsageError);
    expect(writeDemonstrations(folder, { ...OPTIONS, overwrite: true })).toEqual(manifest);
    expect(() => writeDemonstrations(join(root, 'none'), { ...OPTIONS, episodes: 0 })).toThrow(
      /episodes is 0/,
    );
    expect(() => writeDemonstrations(join(root, 'none'), { ...OPTIONS, suites: [] })).toThrow(
      /no suite chosen/,
    );
  });
});
