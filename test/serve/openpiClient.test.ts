import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { exportTabletopCheckpoint, TABLETOP_ROBOT } from '../tabletop';
import { Bundle } from '../../src/bundle/Bundle';
import { UNCACHED, configurationOf, readChoices } from '../../src/cache/choice';
import { modelFacts } from '../../src/policy/modelFacts';
import { simulate } from '../../src/sim/simulate';
import { openpiLacking, runPython } from './openpi';
import { serveCounting } from './ServerUnderTest';
import type { ServerUnderTest } from './ServerUnderTest';

const ROOT = join(__dirname, '..', '..');
const ASK = 'test/serve/ask_server.py';
const EXAMPLE = 'examples/evaluate_tabletop.py';
/** Loads a model, beside other tests that do. */
const PATIENCE = 240_000;

const observation = {
  'observation/front': { zeros: [64, 64, 3] },
  'observation/wrist': { zeros: [64, 64, 3] },
  'observation/state': { numbers: [0.5, 0.25, 1] },
  prompt: 'put the red block on the white plate',
};

describe.skipIf(openpiLacking("the policy server and openpi's client"))("openpi's public client", () => {
  let bundle: string;
  let running: ServerUnderTest | undefined;
  beforeAll(() => {
    bundle = exportTabletopCheckpoint({ robot: TABLETOP_ROBOT });
  });
  afterEach(async () => {
    await running?.server.close();
    running = undefined;
  });

  it('sees the greeting, action arrays that its broker cuts, and errors as one sentence', async () => {
    running = await serveCounting(bundle);
    const [greeting, ...answers] = await runPython(
      ASK,
      [running.url, ''],
      [
        { message: observation },
        { message: { ...observation, 'observation/state': { numbers: [1, 2, 3, 4], dtype: 'float32' } } },
        { message: { ...observation, 'observation/front': { zeros: [64, 64], dtype: 'uint8' } } },
        { message: { ...observation, 'observation/front': { zeros: [64, 64, 3], dtype: 'float32' } } },
        { message: { ...observation, prompt: 3 } },
        {
          message: {
            'cache.refresh_interval': { scalar: 2 },
            'cache.range': { numbers: [0, 5], dtype: 'int64' },
          },
        },
        { message: observation },
        { message: { ...observation, reset: true }, broker: 3 },
        { connect: true },
        { message: observation },
        { message: { ...observation, 'observation/front': { zeros: [1024, 1024, 3] } } },
      ],
    );
    expect(greeting).toMatchObject({ greeting: { bundle: 'tabletop', action_horizon: 32 } });
    expect(answers[0]).toMatchObject({
      reply: {
        actions: { dtype: 'float32', shape: [32, 3] },
        chunk: 0,
        server_timing: { infer_ms: expect.any(Number) },
      },
    });
    for (const [i, sentence] of [
      /expected 3 numbers .*got 4/,
      /uint8 \[height, width, 3\]/,
      /got <f4/,
      /task as a text/,
    ].entries()) {
      expect(answers[1 + i]?.['error']).toMatch(/^RuntimeError: Error in inference server:\n[^\n]+$/);
      expect(answers[1 + i]?.['error']).toMatch(sentence);
    }
    expect(answers[5]).toMatchObject({ reply: { settings: 'c3ache R=2 [0,5]' } });
    expect(answers[6]).toMatchObject({ reply: { chunk: 1 } });
    const zeros = { dtype: 'float32', shape: [3], values: [0, 0, 0] };
    expect(answers[7]).toEqual({ steps: [zeros, zeros, zeros] });
    expect(answers[8]).toMatchObject({ reply: { chunk: 0, episode: 0 } });
    expect(answers[9]?.['error']).toMatch(/ConnectionClosed.*1009/);
  });

  it('connects with the token as its api_key, and not without', async () => {
    const token = 'of-thirty-two-characters-or-so-1';
    running = await serveCounting(bundle, { token });
    expect(await runPython(ASK, [running.url, ''], [])).toMatchObject([
      { refused: expect.stringMatching(/401/) },
    ]);
    expect(await runPython(ASK, [running.url, token], [])).toMatchObject([
      { greeting: { bundle: 'tabletop' } },
    ]);
  });

  it(
    'has in the table-top world, both served by one command, the successes of fastwam simulate on the same seeds',
    { timeout: PATIENCE },
    async () => {
      const served = await fastwamServe(['--bundle', bundle, '--world', '--threads', '1']);
      try {
        const words = [
          '--policy',
          served.url,
          '--world',
          `${served.url}/world`,
          '--episodes',
          '3',
          '--seed',
          '5',
        ];
        const lines = await runPython(EXAMPLE, [
          ...words,
          '--set',
          'cache.refresh_interval=3',
          '--condition',
          'random',
        ]);
        const opened = Bundle.open(bundle);
        const [choice = UNCACHED] = readChoices({ policies: ['c3ache'], texts: ['refresh_interval=3'] });
        const { records } = await simulate({
          bundle: opened,
          execution: { threads: 1 },
          configurations: [configurationOf(choice, modelFacts(opened))],
          selection: { seed: 5, speed: 'slow', condition: 'random' },
          episodes: 3,
          sampler: { noise: 'fixed', seed: 42 },
          jobs: 1,
        });
        expect(lines.slice(0, 3)).toEqual(
          records.map(({ episode, suite, success, steps, stacks, refreshes }) => ({
            episode,
            suite,
            success,
            steps,
            chunks: stacks.length,
            refreshes: refreshes.split('F').length - 1,
            stack_evaluations: Number(stacks.reduce((sum, one) => sum + one, 0).toFixed(4)),
          })),
        );
        expect(lines[3]).toEqual({
          episodes: 3,
          success_rate: records.filter(({ success }) => success).length / 3,
        });
      } finally {
        served.child.kill('SIGINT');
        expect(await served.ended).toBe(0);
      }
    },
  );
});

interface Served {
  readonly child: ChildProcess;
  readonly url: string;
  readonly ended: Promise<number | null>;
}

/** `fastwam serve` as its own process; resolves when it listens. */
async function fastwamServe(words: readonly string[]): Promise<Served> {
  const register = ['-r', 'ts-node/register/transpile-only'];
  const child = spawn(
    process.execPath,
    [...register, join(ROOT, 'src', 'cli', 'main.ts'), 'serve', '--port', '0', ...words],
    {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  let said = '';
  child.stderr.on('data', (text) => (said += String(text)));
  const url = await new Promise<string>((resolve, reject) => {
    let printed = '';
    child.stdout.on('data', (text) => {
      printed += String(text);
      const found = /(ws:\/\/127\.0\.0\.1:\d+)/.exec(printed)?.[1];
      if (found !== undefined) resolve(found);
    });
    void ended.then((code) => reject(new Error(`fastwam serve ended with ${code ?? 'a signal'}: ${said}`)));
  });
  return { child, url, ended };
}
