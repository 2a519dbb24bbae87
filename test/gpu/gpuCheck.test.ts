import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { POLICIES } from '../../src/cache/registry';
import { ProviderError } from '../../src/errors';
import { gpuCheck, problemsOf } from '../../src/gpu/gpuCheck';
import { gpuPage } from '../../src/gpu/gpuPage';
import { perStep, placementOf, readProfile } from '../../src/gpu/readProfile';
import type { GpuCheck } from '../../src/gpu/types';
import { DEFAULT_EXECUTION } from '../../src/model/execution';
import { goldenCase, removeFolders, temporaryFolder } from '../helpers';
import type { GoldenCase } from '../helpers';

describe('the GPU check, on the CPU', () => {
  let golden: GoldenCase;
  let check: GpuCheck;
  const execution = { ...DEFAULT_EXECUTION, threads: 1 };

  beforeAll(async () => {
    golden = goldenCase('libero_micro');
    check = await gpuCheck({ bundle: golden.folder, execution, chunks: 3, precisions: ['fp32', 'int8'] });
  });
  afterAll(removeFolders);

  it('finds the golden actions of every policy that has some, and the decisions behind them', () => {
    const exact = check.golden.filter(({ precision }) => precision === 'fp32');
    const named = new Set(exact.map(({ policy }) => policy.split(/[ .,]/)[0]));
    const withGolden = POLICIES.map(({ name }) => name).filter((name) => named.has(name));
    expect(withGolden).toEqual(
      expect.arrayContaining([
        'none',
        'c3ache',
        'adaptive',
        'x_cache',
        'worldcache_ca',
        'worldcache_ht',
        'bac',
      ]),
    );
    expect(Math.max(...exact.map(({ error }) => error!))).toBeLessThan(1e-5);
    expect(exact.every(({ sameDecisions }) => sameDecisions === undefined || sameDecisions === 1)).toBe(true);
    const int8 = check.golden.filter(({ precision, policy }) => precision === 'int8' && policy === 'none');
    expect(int8.length).toBe(2);
    for (const { error } of int8) expect(error! > 1e-4 && error! < 0.1).toBe(true);
  });

  it('says what a step of the expert is made of', () => {
    const [fp32] = check.bundle.figures;
    const expert = fp32!.placement!.find(({ graph }) => graph === 'expert')!;
    expect(Object.keys(expert.nodes)).toEqual(['CPUExecutionProvider']);
    expect(expert.copies).toBe(0);
    // three blocks of some thirty kernels, and the ends
    expect(expert.perStep!.kernels).toBeGreaterThan(80);
    expect(expert.perStep!.kernels).toBeLessThan(140);
    expect(Number.isInteger(expert.perStep!.kernels)).toBe(true);
    expect(expert.longest.length).toBe(10);
  });

  it('has figures of both precisions, and how far apart their actions are', () => {
    const [fp32, int8] = check.bundle.figures;
    for (const figures of [fp32!, int8!]) {
      expect(figures.stages!.map(({ configuration }) => configuration)).toEqual([
        'no cache',
        'c3ache R=4 [0,6]',
        'c3ache R=0 [0,7]',
        'adaptive R=4 [0,6]',
        'few_steps, 2 steps',
      ]);
      expect(figures.stepMilliseconds).toBeGreaterThan(0);
      expect(figures.bound!.memoryMilliseconds).toBeGreaterThan(0);
      expect(figures.loadSeconds).toBeGreaterThan(0);
    }
    expect(fp32!.difference).toBeUndefined();
    expect(int8!.difference! > 1e-4 && int8!.difference! < 0.1).toBe(true);
    expect(check.rates.map(({ type }) => type)).toEqual(['float32']);
  });

  it('is a page without problems where there are none, and tells each where there are', () => {
    expect(problemsOf(check)).toEqual([]);
    expect(gpuPage(check)).toContain('Nothing wrong was found.');
    const [first, ...others] = check.golden;
    const failed: GpuCheck = {
      ...check,
      golden: [{ ...first!, error: Number.NaN }, ...others],
      bundle: {
        ...check.bundle,
        figures: [{ precision: 'bf16', failed: 'the memory | of the GPU\ndoes not suffice' }],
      },
    };
    expect(problemsOf(failed)).toEqual([
      'libero_micro, fp32, none: relative error NaN, at most 0.0001 expected',
      `${check.bundle.name} in bf16: the memory | of the GPU\ndoes not suffice`,
    ]);
    const page = gpuPage(failed);
    expect(page).toContain('**2 problems:**');
    expect(page).toContain('| bf16 | the memory \\| of the GPU does not suffice |');
  });

  it('does not begin where the provider that was asked for does not start', async () => {
    const cuda = gpuCheck({
      bundle: golden.folder,
      execution: { ...execution, provider: 'cuda' },
      chunks: 1,
    });
    await expect(cuda).rejects.toThrow(ProviderError);
  });
});

describe('a profile of onnxruntime', () => {
  const kernel = (name: string, op_name: string, provider: string, ts: number, dur = 1) => ({
    ...{ cat: 'Node', name: `${name}_kernel_time`, ts, dur, ph: 'X' },
    args: { op_name, provider },
  });
  const run = (ts: number, dur: number) => ({
    cat: 'Session',
    name: 'model_run',
    ts,
    dur,
    ph: 'X',
    args: {},
  });
  const [CUDA, CPU] = ['CUDAExecutionProvider', 'CPUExecutionProvider'];

  it('gives the nodes of each run, where they ran, the copies, and what one more step adds', () => {
    const step = (ts: number) => [
      kernel('index', 'Gather', CPU, ts),
      kernel('to device', 'MemcpyFromHost', CUDA, ts + 1, 3),
      kernel('product', 'FusedMatMul', CUDA, ts + 4, 5),
      kernel('view', 'Reshape', CUDA, ts + 9),
    ];
    const prefix = join(temporaryFolder(), 'expert');
    const events = [
      ...[run(100, 50), kernel('steps', 'Loop', CUDA, 101, 48), ...step(102)],
      ...[run(200, 90), kernel('steps', 'Loop', CUDA, 201, 88), ...step(202), ...step(220), ...step(240)],
    ];
    writeFileSync(`${prefix}_2026.json`, JSON.stringify(events));
    const [few, many] = readProfile(prefix);
    expect([few!.length, many!.length]).toEqual([4, 12]);
    expect(perStep(few!, many!, 2)).toEqual({ kernels: 2, copies: 1, onCpu: 1 });
    const placement = placementOf({ graph: 'expert', precision: 'bf16' }, many!, true);
    expect(placement).toMatchObject({ nodes: { [CPU]: 3, [CUDA]: 6 }, onCpu: { Gather: 3 }, copies: 3 });
    expect(placement.longest[0]).toEqual({
      ...{ name: 'product', op: 'FusedMatMul', provider: CUDA, microseconds: 15 },
    });
  });

  it('is named where it is missing or is something else', () => {
    const prefix = join(temporaryFolder(), 'expert');
    expect(() => readProfile(prefix)).toThrow('onnxruntime wrote no profile');
    writeFileSync(`${prefix}_1.json`, '{"not": "a profile"}');
    expect(() => readProfile(prefix)).toThrow('expert_1.json: is not a profile of onnxruntime');
  });
});

const COMPILED = join(__dirname, '..', '..', 'dist', 'cli', 'main.js');

describe('npm run gpu:check', () => {
  it.skipIf(!existsSync(COMPILED))(
    'needs nothing but what is compiled, and refuses what cannot be meant with code 2',
    () => {
      const script = join(__dirname, '..', '..', 'scripts', 'gpu-check.mjs');
      expect(readFileSync(script, 'utf8')).not.toContain('ts-node');

      const out = temporaryFolder();
      const args = [script, '--bundle', '/nowhere', '--out', out, '--precisions', 'fp8'];
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      expect(stderr.trim()).toBe('fastwam: --precisions fp8: expected fp32, bf16, fp16, int8');
      expect(status).toBe(2);
    },
  );
});
