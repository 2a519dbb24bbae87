import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { replayRecording, type ReplayRequest } from '../../src/evaluation/replayRecording';
import { UsageError } from '../../src/errors';
import { writeReport } from '../../src/report/writeReport';
import { removeFolders, temporaryFolder } from '../helpers';

const ROOT = join(__dirname, '..', '..');

const request = (options: Partial<ReplayRequest> = {}): ReplayRequest => ({
  bag: join(ROOT, 'bags', 'tabletop_demo'),
  bundle: join(ROOT, 'bundles', 'tabletop'),
  params: join(ROOT, 'params', 'tabletop_demo.yaml'),
  choices: { policies: ['c3ache'], texts: ['refresh_interval=1,4', 'range=0:6'], lists: true },
  execution: { threads: 1 },
  residuals: true,
  chunks: 6,
  tolerance: { texts: ['translation=0'], measure: 'worst' },
  command: ['fastwam', 'sweep'],
  ...options,
});

afterAll(removeFolders);

describe('replaying the bundled recording', () => {
  it('measures every configuration on the same observations', async () => {
    const { evaluation, figures, provenance } = await replayRecording(request());
    const [none, everyChunk, every4] = figures.configurations;
    expect(evaluation.observations.map(({ episode, chunk }) => [episode, chunk])).toEqual(
      [0, 1, 2, 3, 4, 5].map((chunk) => [0, chunk]),
    );
    // R = 1 computes everything: no deviation, not even a rounding error
    expect(everyChunk!.configuration.name).toBe('c3ache R=1 [0,6]');
    expect(everyChunk!.deviation.whole.normalised.worst).toBe(0);
    expect(everyChunk!.speedUp.savedShare).toBe(0);
    // R = 4 over 6 chunks: 2 refreshes, 4 chunks with 3 of 10 steps → s = 28/60
    expect(every4!.cache).toMatchObject({ refreshes: 2, fullSteps: 32, reusedSteps: 28 });
    expect(every4!.speedUp.savedShare).toBeCloseTo(28 / 60, 12);
    expect(every4!.deviation.executed.normalised.rmse).toBeGreaterThan(0);
    expect(figures.choice).not.toBe('c3ache R=4 [0,6]');
    // the recording holds what this very model did, uncached (PyTorch, float32)
    for (const group of none!.fromRecorded!) expect(group.rmse).toBeLessThan(1e-2);
    // five pairs of adjacent chunks, alike but not the same
    for (const { mean, pairs } of figures.residualCosines!) {
      expect(pairs).toBe(5);
      expect(mean).toBeGreaterThan(0);
      expect(mean).toBeLessThan(1);
    }
    expect(provenance.model).toMatchObject({ name: 'tabletop', randomWeights: false });

    const files = await writeReport(join(temporaryFolder(), 'out'), evaluation, figures, provenance);
    expect(await readFile(files.page, 'utf8')).toContain('<h1>tabletop_demo</h1>');
  });

  it('warns first of a control rate that is not the one of the training', async () => {
    const params = join(temporaryFolder(), 'fast.yaml');
    const shipped = await readFile(join(ROOT, 'params', 'tabletop_demo.yaml'), 'utf8');
    await writeFile(params, shipped.replace('rate: 10.0', 'rate: 20.0'));
    const { evaluation } = await replayRecording(request({ params, chunks: 1, residuals: false }));
    expect(evaluation.warnings[0]?.message).toMatch(
      /fast\.yaml says control\.rate 20, the bundle was trained at 10 Hz/,
    );
  });

  it('refuses what cannot be meant before it loads anything', async () => {
    await expect(
      replayRecording(request({ tolerance: { texts: ['arm=1'], measure: 'rmse' } })),
    ).rejects.toThrow(UsageError);
    const choices = { policies: ['c3ache'], texts: ['range=3:2'] };
    await expect(replayRecording(request({ choices }))).rejects.toThrow(/start must be at most end/);
  });

  it('stops between chunks and says so', async () => {
    const stop = new AbortController();
    const { evaluation } = await replayRecording(
      request({ signal: stop.signal, residuals: false, onProgress: (done) => done === 2 && stop.abort() }),
    );
    expect(evaluation.observations).toHaveLength(2);
    expect(evaluation.warnings[0]!.message).toMatch(/^stopped by the user/);
  });
});
