import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeFolders, temporaryFolder } from '../helpers';
import { compiledSource } from '../ros/compiledSource';
import { TABLETOP_ROBOT, exportTabletopCheckpoint } from '../tabletop';

const ROOT = join(__dirname, '..', '..');
const BAG = join(ROOT, 'bags', 'tabletop_demo');
const PARAMS = ['--params', join(ROOT, 'params', 'tabletop_demo.yaml')];

/** The recording's params file with more parameters. */
function paramsWith(...parameters: readonly string[]): string {
  const file = join(temporaryFolder(), 'params.yaml');
  const text = readFileSync(PARAMS[1]!, 'utf8');
  writeFileSync(file, `${text}\n${parameters.map((line) => `    ${line}\n`).join('')}`);
  return file;
}
/** Each command is a program of its own that loads the model; on a busy machine that takes its time. */
const PATIENCE = 240_000;

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

describe('fastwam calibrate', { timeout: PATIENCE }, () => {
  let bundle: string;
  let main: string;

  /** Runs the program as it is built, from the sources as they are. */
  const fastwam = (...words: string[]): Promise<Ended> =>
    new Promise((resolve) => {
      const child = execFile(process.execPath, [main, ...words, '--threads', '1'], (_failure, out, error) =>
        resolve({ code: child.exitCode, out, error }),
      );
    });
  const calibrate = (...words: string[]): Promise<Ended> =>
    fastwam('calibrate', bundle, BAG, ...PARAMS, ...words);

  async function json(ended: Promise<Ended>): Promise<Record<string, unknown>> {
    const { code, out, error } = await ended;
    expect(code, error).toBe(0);
    return JSON.parse(out) as Record<string, unknown>;
  }

  /** Replays a few chunks; returns the figures of the run with this policy. */
  async function replayed(...words: string[]): Promise<Ended & { readonly metrics: () => Run }> {
    const out = temporaryFolder();
    const ended = await fastwam('replay', BAG, '--bundle', bundle, ...PARAMS, ...words, '--out', out);
    const metrics = (): Run => {
      const text = readFileSync(join(out, 'metrics.json'), 'utf8');
      const { configurations } = JSON.parse(text) as { configurations: readonly Run[] };
      return configurations.find(({ policy }) => policy !== 'none')!;
    };
    return { ...ended, metrics };
  }

  beforeAll(() => {
    main = join(compiledSource(), 'cli', 'main.js');
    bundle = exportTabletopCheckpoint({ robot: TABLETOP_ROBOT });
  }, PATIENCE);
  afterAll(removeFolders);

  it('makes the schedule that bac asks for, and replay follows it, also as the tail of c3ache', async () => {
    const few = ['--chunks', '2', '--no-residuals'];
    const before = await replayed('--policy', 'bac', ...few);
    expect(before.code).not.toBe(0);
    expect(before.error).toContain('fastwam calibrate');

    const made = await json(
      calibrate('--policy', 'bac', '--set', 'updates=4', 'union_blocks=2', '--chunks', '3', '--json'),
    );
    expect(made).toMatchObject({ updates: 4, union_blocks: 2, chunks: 3 });
    expect(made.path).toBe(join(bundle, 'bac_schedules.json'));
    expect(existsSync(join(bundle, 'bac_schedules.json'))).toBe(true);
    const share = Number(made.computed_sub_blocks) / Number(made.of);
    // Four updates of ten steps, and what the bubbling union adds.
    expect(share).toBeGreaterThanOrEqual(0.4);
    expect(share).toBeLessThan(1);

    const settings = (prefix: string): string[] =>
      ['updates=4', 'union_blocks=2'].flatMap((s) => ['--set', prefix + s]);
    const whole = await replayed('--policy', 'bac', ...settings(''), ...few);
    expect(whole.code, whole.error).toBe(0);
    expect(whole.metrics().cache.stack_evaluations).toBeCloseTo(2 * 10 * share, 6);

    const chosen = paramsWith('cache.policy: bac', 'cache.bac.updates: 4', 'cache.bac.union_blocks: 2');
    const byFile = await fastwam('replay', BAG, '--bundle', bundle, '--params', chosen, ...few);
    expect(byFile.code, byFile.error).toBe(0);
    expect(byFile.out).toContain('bac updates=4');

    const tail = await replayed('--policy', 'c3ache', '--set', 'tail=bac', ...settings('bac.'), ...few);
    expect(tail.code, tail.error).toBe(0);
    expect(tail.metrics().companions).toMatchObject({ bac: { updates: 4, union_blocks: 2 } });
    // The first chunk is full; of the second only what bac computes of the three steps after the range.
    const evaluations = tail.metrics().cache.stack_evaluations;
    expect(evaluations).toBeGreaterThan(10);
    expect(evaluations).toBeLessThan(13);
  });

  it('finds a threshold within a tolerance and says how it does on what the search has not seen', async () => {
    const options = ['--tolerance', '0.05', '--trials', '2', '--chunks', '4'];
    const found = await json(calibrate('--policy', 'worldcache_ca', ...options, '--json'));
    expect(found).toMatchObject({ policy: 'worldcache_ca', tolerance: 0.05, searched: 'threshold' });
    expect(found.calibration).toMatchObject({ chunks: 3, uncachedEvaluations: 30 });
    expect(found.heldOut).toMatchObject({ chunks: 1, uncachedEvaluations: 10 });
    expect((found.trials as unknown[]).length).toBe(2);
    const { deviation } = found.calibration as { deviation: number };
    expect(deviation).toBeLessThanOrEqual(0.05);
    expect(found.use).toMatch(/^--policy worldcache_ca --set threshold=/);
  });

  it('refuses in one line what cannot be calibrated', async () => {
    for (const [words, sentence] of [
      [['--policy', 'bac', '--tolerance', '0.1'], 'bac is calibrated for a budget'],
      [['--policy', 'c3ache', '--tolerance', '0.1'], 'policy c3ache has nothing to calibrate'],
      [['--policy', 'adaptive'], '--tolerance'],
    ] as const) {
      const { code, error } = await calibrate(...words);
      expect(code).not.toBe(0);
      expect(error.trim().split('\n')).toHaveLength(1);
      expect(error).toContain(sentence);
    }
  });
});

/** What is read of a run in metrics.json. */
interface Run {
  readonly policy: string;
  readonly companions?: Readonly<Record<string, unknown>>;
  readonly cache: { readonly stack_evaluations: number };
}
