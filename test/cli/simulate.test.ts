import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { demosCommand } from '../../src/cli/demos';
import { simulateCommand } from '../../src/cli/simulate';
import { UsageError } from '../../src/errors';
import { readFloat64 } from '../../src/formats/readTensor';
import { openSafetensors } from '../../src/formats/safetensors';
import { FIXTURES, goldenCase, removeFolders, temporaryFolder } from '../helpers';
import { REFERENCE_CHECKPOINT, TABLETOP_ROBOT, exportTabletopCheckpoint } from '../tabletop';

/** Each run loads a model in a worker of its own; on a busy machine that takes its time. */
const PATIENCE = 240_000;
const OUTCOMES = join(FIXTURES, 'toy', 'outcomes.safetensors');

/** Runs `fastwam simulate ...` in this process; returns what it printed. */
async function simulate(...words: string[]): Promise<string> {
  let printed = '';
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  const progress = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    const program = new Command().exitOverride();
    simulateCommand(program);
    demosCommand(program);
    await program.parseAsync(words, { from: 'user' });
    return printed;
  } finally {
    out.mockRestore();
    progress.mockRestore();
  }
}

interface Line {
  readonly configuration?: string;
  readonly policy: string;
  readonly success_rate: number;
  readonly stack_evaluations: number;
  readonly episodes: readonly { success: boolean; steps: number; chunks: number }[];
}

describe('fastwam simulate', () => {
  let bundle: string;
  const run = (...words: string[]): Promise<string> => simulate('simulate', '--bundle', bundle, ...words);

  beforeAll(() => {
    bundle = exportTabletopCheckpoint({ robot: TABLETOP_ROBOT }, REFERENCE_CHECKPOINT);
  });
  afterAll(removeFolders);

  it(
    'compares numbers of executed actions on the same episodes, and says so in the name',
    async () => {
      const words = ['--json', '--jobs', '1', '--suite', 'object', '--episodes', '2', '--grid'];
      const printed = await run(
        ...words,
        '--policy',
        'none',
        '--replan-steps',
        '10,20',
        '--noise',
        'episode',
      );
      const lines = printed
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Line);
      expect(lines.map(({ configuration }) => configuration)).toEqual(['none', 'none replan=20']);
      for (const [i, every] of [10, 20].entries()) {
        for (const { steps, chunks } of lines[i]!.episodes) expect(chunks).toBe(Math.ceil(steps / every));
      }
    },
    PATIENCE,
  );

  it('refuses to execute more actions than a chunk has', async () => {
    await expect(run('--replan-steps', '33')).rejects.toThrow(
      '--replan-steps 33: must be at most 32, the model gives 32 actions in a chunk',
    );
  });

  it(
    'meets the outcomes that PyTorch recorded from the same states, and counts the work',
    async () => {
      const words = ['--initial-states', OUTCOMES, '--episodes', '6', '--grid', '--policy', 'c3ache'];
      const printed = await run('--json', '--jobs', '1', ...words, '--refresh', '4,0', '--range', '0:6');
      const lines = printed
        .trimEnd()
        .split('\n')
        .map((text) => JSON.parse(text) as Line);
      const { tensors } = openSafetensors(OUTCOMES);
      expect(lines.map(({ configuration }) => configuration)).toEqual([
        'none',
        'c3ache R=4 [0,6]',
        'c3ache R=0 [0,6]',
      ]);
      ['none', 'c3ache.R4.range0-6', 'c3ache.R0.range0-6'].forEach((setting, i) => {
        const { episodes, success_rate, stack_evaluations } = lines[i]!;
        const success = [...readFloat64(tensors.get(`${setting}.success`)!)].slice(0, 6);
        expect(
          episodes.map((one) => Number(one.success)),
          setting,
        ).toEqual(success);
        expect(success_rate).toBe(success.reduce((x, y) => x + y, 0) / 6);
        // 10 actions of each chunk are executed
        for (const { steps, chunks } of episodes) expect(chunks).toBe(Math.ceil(steps / 10));
        // an uncached or refreshing chunk takes ten stacks, one that re-uses seven steps three
        const fullOf = (chunks: number): number => [chunks, Math.ceil(chunks / 4), 1][i]!;
        const stacks = episodes.map(({ chunks }) => 10 * fullOf(chunks) + 3 * (chunks - fullOf(chunks)));
        expect(stack_evaluations).toBe(stacks.reduce((x, y) => x + y, 0));
      });
    },
    PATIENCE,
  );

  it.each([
    ['8', '0:7', 'c3ache.R8.range0-7'],
    ['4', '0:8', 'c3ache.R4.range0-8'],
  ])(
    'meets them with R = %s and the range %s too, which fail more often',
    async (refresh, range, setting) => {
      const words = [
        '--initial-states',
        OUTCOMES,
        '--episodes',
        '4',
        '--policy',
        'c3ache',
        '--json',
        '--jobs',
        '1',
      ];
      const { episodes } = JSON.parse(await run(...words, '--refresh', refresh, '--range', range)) as Line;
      const success = readFloat64(openSafetensors(OUTCOMES).tensors.get(`${setting}.success`)!);
      expect(episodes.map((one) => Number(one.success))).toEqual([...success].slice(0, 4));
    },
    PATIENCE,
  );

  it(
    'gives the same result for the same seed, bit for bit, whatever runs beside it',
    async () => {
      const words = ['--episodes', '2', '--seed', '5', '--suite', 'object', '--world-speed', 'fast'];
      const first = await run('--json', ...words, '--jobs', '1');
      expect(await run('--json', ...words, '--jobs', '2')).toBe(first);
    },
    PATIENCE,
  );

  it(
    'continues a run that was broken off, and reports it as if it had not been',
    async () => {
      const words = [
        '--suite',
        'object',
        '--world-speed',
        'fast',
        '--grid',
        '--refresh',
        '4',
        '--json',
        '--jobs',
        '1',
      ];
      const expected = await run(...words, '--episodes', '3');
      const out = join(temporaryFolder(), 'broken');
      await run(...words, '--episodes', '2', '--out', out);
      const log = join(out, 'episodes.jsonl');
      // as if the machine had died in the middle of the last line
      truncateSync(log, readFileSync(log).length - 20);
      const before = readFileSync(log, 'utf8').split('\n').slice(0, -1);
      expect(await run(...words, '--episodes', '3', '--out', out, '--resume')).toBe(expected);
      expect(readFileSync(log, 'utf8').split('\n').slice(0, before.length)).toEqual(before);

      const metrics = JSON.parse(readFileSync(join(out, 'metrics.json'), 'utf8')) as {
        episodes: number;
        configurations: { name: string; by_suite: Record<string, { episodes: number }> }[];
      };
      expect(metrics.episodes).toBe(3);
      expect(metrics.configurations.map(({ name }) => name)).toEqual(['none', 'c3ache R=4 [0,6]']);
      expect(metrics.configurations[1]!.by_suite['object']!.episodes).toBe(3);
      const rows = readFileSync(join(out, 'episodes.csv'), 'utf8').trimEnd().split('\r\n');
      expect(rows).toHaveLength(1 + 2 * 3);
      const page = readFileSync(join(out, 'report.html'), 'utf8');
      expect(page.match(/data:image\/webp;base64,/g)).toHaveLength(2);
      expect(page).not.toMatch(/(src|href)="(?!data:)/);

      await expect(run(...words, '--out', out)).rejects.toThrow(/continue them with --resume/);
      await expect(run(...words, '--out', out, '--resume', '--seed', '9')).rejects.toThrow(
        /belongs to another run: its seed is 0, now it would be 9/,
      );
      appendFileSync(log, 'hello\n');
      await expect(run(...words, '--out', out, '--resume')).rejects.toThrow(/is no episode: hello/);

      await run(...words, '--episodes', '1', '--out', out, '--overwrite');
      // the run, two configurations, and an episode of each
      expect(readFileSync(log, 'utf8').trimEnd().split('\n')).toHaveLength(1 + 2 + 2);
    },
    PATIENCE,
  );

  it('says in one line what it does not understand, before it loads a model', async () => {
    const refused = async (words: string[], message: RegExp): Promise<void> => {
      await expect(run(...words)).rejects.toThrow(message);
      await expect(run(...words)).rejects.toThrow(UsageError);
    };
    await refused(['--suite', 'spatail'], /--suite spatail: expected spatial, object, goal, long, dynamic/);
    await refused(['--episodes', '0'], /--episodes 0: expected a whole number of at least 1/);
    await refused(['--resume', '--overwrite', '--out', 'out'], /give one of them/);
    await refused(['--resume'], /name the folder to continue with --out/);
    await refused(['--policy', 'none,c3ache'], /add --grid/);
    await refused(
      ['--refresh', '0,4', '--policy', 'c3ache'],
      /refresh_interval "0,4": expected one whole number; lists are for sweep, and for simulate --grid/,
    );
    await refused(['--world-speed', 'medium'], /expected slow, fast/);
    await refused(['--initial-states', OUTCOMES, '--suite', 'dynamic'], /holds no episode of dynamic/);
    await expect(run('--suite', 'dynamic')).rejects.toThrow(
      /unknown instruction "pick up the moving red block/,
    );
    await expect(simulate('simulate', '--bundle', goldenCase('libero_micro').folder)).rejects.toThrow(
      /cannot act in the simulated world, which has 64 × 128, 3 and 3/,
    );
  });
});

describe('fastwam demos', () => {
  afterAll(removeFolders);

  it('writes demonstrations, and does not write over them unasked', async () => {
    const out = join(temporaryFolder(), 'demos');
    const words = ['demos', '--out', out, '--episodes', '2', '--suite', 'goal', '--world-speed', 'fast'];
    expect(await simulate(...words)).toMatch(/^\d+ states of 2 episodes in 1 file -> /);
    expect(existsSync(join(out, 'demos.json'))).toBe(true);
    await expect(simulate(...words)).rejects.toThrow(/already holds demonstrations/);
    await simulate(...words, '--overwrite');
    await expect(simulate(...words, '--overwrite', '--suite', 'goals')).rejects.toThrow(/--suite goals/);
  });
});
