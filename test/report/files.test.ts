import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluate } from '../../src/evaluation/evaluate';
import type { Evaluation } from '../../src/evaluation/types';
import { chunkColumns, chunksCsv } from '../../src/report/chunksCsv';
import { metricsJson } from '../../src/report/metricsJson';
import { writeReport } from '../../src/report/writeReport';
import { cachedConfiguration, fakeEvaluation, fakeProvenance, UNCACHED } from '../evaluation/fakeEvaluation';

const evaluation = fakeEvaluation({
  robot: 'arm',
  chunks: 8,
  episodes: 2,
  configurations: [UNCACHED, cachedConfiguration(2, 6)],
});

function rowsOf(csv: string): Record<string, string>[] {
  const [head, ...lines] = csv.trimEnd().split('\r\n');
  const names = head!.split(',');
  // fields of the made-up data hold commas only inside the quoted configuration name
  return lines.map((line) => {
    const fields = line.match(/("([^"]|"")*"|[^,]*)(,|$)/g)!.map((f) => f.replace(/,$/, ''));
    return Object.fromEntries(names.map((name, i) => [name, fields[i]!]));
  });
}

describe('chunks.csv', () => {
  const rows = rowsOf(chunksCsv(evaluation));

  it('has a line for each chunk of each configuration', () => {
    expect(rows).toHaveLength(16);
    expect(rows[8]).toMatchObject({
      configuration: '"c3ache R=2 [0,6]"',
      episode: '0',
      chunk: '0',
      refreshed: '1',
    });
    expect(rows[9]).toMatchObject({
      chunk: '1',
      refreshed: '0',
      reason: '',
      full_steps: '3',
      reused_steps: '7',
    });
  });

  it('agrees with the figures of the whole run', () => {
    const cached = rows.slice(8);
    const total = (of: readonly Record<string, string>[]) =>
      of.reduce((sum, row) => sum + Number(row['total_ms']), 0);
    const [, figures] = evaluate(evaluation).configurations;
    expect(total(rows.slice(0, 8)) / total(cached)).toBeCloseTo(figures!.speedUp.ratio, 5);
    const squares = cached.reduce((sum, row) => sum + Number(row['rmse_translation']) ** 2, 0);
    expect(Math.sqrt(squares / 8)).toBeCloseTo(figures!.deviation.executed.groups[0]!.rmse, 6);
    const jumps = cached.map((row) => row['jump_rotation']!).filter((jump) => jump !== '');
    expect(jumps).toHaveLength(6); // 8 chunks, 2 of which start an episode
  });

  it('describes every column', () => {
    for (const { name, description } of chunkColumns(evaluation)) {
      expect(name).toMatch(/^[a-z0-9_]+$/i);
      expect(description.length).toBeGreaterThan(5);
    }
  });

  it('is described in the documentation as in the code', async () => {
    const document = await readFile(
      join(__dirname, '..', '..', 'docs', 'reference', 'report-files.md'),
      'utf8',
    );
    const perRobot = /^(rmse|worst|jump|age)_/;
    for (const { name, description } of chunkColumns(evaluation).filter(
      (column) => !perRobot.test(column.name),
    )) {
      expect(document.replace(/ +/g, ' ')).toContain(`| \`${name}\` | ${description} |`);
    }
  });

  it('gives spreadsheets no formula to run', () => {
    const hostile: Evaluation = {
      ...evaluation,
      runs: evaluation.runs.map((run, i) =>
        i === 0 ? run : { ...run, configuration: { ...run.configuration, name: '=cmd|"/c calc"' } },
      ),
    };
    expect(chunksCsv(hostile)).toContain(`"'=cmd|""/c calc"""`);
  });
});

describe('metrics.json', () => {
  const metrics = metricsJson(evaluation, evaluate(evaluation), fakeProvenance()) as Record<string, unknown>;

  it('is versioned and survives JSON unchanged, so it holds neither NaN nor undefined', () => {
    expect(metrics).toMatchObject({ schema: 'fast_wam_policy/metrics', version: 1, episodes: 2, chunks: 8 });
    expect(JSON.parse(JSON.stringify(metrics))).toEqual(metrics);
  });

  it('holds the figures in milliseconds and units', () => {
    const [, figures] = evaluate(evaluation).configurations;
    const cached = (metrics['configurations'] as unknown[])[1] as {
      latency_ms: { total: { p50: number } };
      deviation: { executed: { groups: { rotation: { unit: string; rmse: number } } } };
    };
    expect(cached.latency_ms.total.p50).toBeCloseTo(figures!.latency.total.p50 * 1000, 4);
    expect(cached.deviation.executed.groups.rotation).toMatchObject({ unit: 'rad' });
  });

  it('says null where nothing is known', () => {
    const bare = fakeEvaluation({
      robot: 'one_joint',
      chunks: 1,
      configurations: [UNCACHED],
      recorded: false,
      residuals: false,
    });
    expect(metricsJson(bare, evaluate(bare), fakeProvenance())).toMatchObject({
      residual_cosine: null,
      tolerance: null,
      choice: null,
      configurations: [
        {
          gripper_flips: null,
          deviation_from_recorded: null,
          seams: { joints: { jump: { count: 0, p50: null } } },
          expert_reuse_ms: { count: 0, mean: null },
        },
      ],
    });
  });
});

describe('writing the report', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'report-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('makes the folder and three files', async () => {
    const files = await writeReport(
      join(folder, 'a', 'b'),
      evaluation,
      evaluate(evaluation),
      fakeProvenance(),
    );
    expect(await readFile(files.page, 'utf8')).toMatch(/^<!doctype html>/);
    expect(JSON.parse(await readFile(files.metrics, 'utf8'))).toMatchObject({ version: 1 });
    expect(await readFile(files.chunks, 'utf8')).toMatch(/^configuration,episode,chunk,/);
  });
});
