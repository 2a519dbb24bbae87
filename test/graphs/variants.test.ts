import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Bundle } from '../../src/bundle/Bundle';
import { DEFAULT_VARIANT, GRAPH_NAMES, buildGraph, graphDescription } from '../../src/graphs/buildGraph';
import { DEFAULT_EXECUTION } from '../../src/model/execution';
import { FastWamModel } from '../../src/model/FastWamModel';
import { BlockExpert } from '../../src/model/BlockExpert';
import { loadOnnxRuntime } from '../../src/model/runtime';
import { Session } from '../../src/model/Session';
import { StackExpert } from '../../src/model/StackExpert';
import { goldenCase, relativeError, removeFolders, temporaryFolder } from '../helpers';
import type { GoldenCase } from '../helpers';

const STEPS = Array.from({ length: 10 }, (_, index) => ({ index }));

describe('graph variants', () => {
  let golden: GoldenCase;
  let model: FastWamModel;
  let noise: Float32Array;
  let proprio: Float32Array;

  beforeAll(async () => {
    golden = goldenCase('libero_micro');
    model = await FastWamModel.load(golden.bundle, { ...DEFAULT_EXECUTION, threads: 1 });
    noise = golden.tensor('noise').slice(0, 224);
    proprio = golden.tensor('proprio').slice(0, 8);
  });
  afterAll(async () => {
    await model.release();
    removeFolders();
  });

  const chunk = async (from: FastWamModel) => {
    const binding = await from.prefill(
      golden.tensor('chunk0.latents'),
      proprio,
      golden.bundle.context(golden.task),
    );
    return from.expert(binding);
  };

  it.each(GRAPH_NAMES)("the bundle's %s.onnx is what the exporter emits, byte for byte", (name) => {
    const emitted = buildGraph(name, golden.bundle, DEFAULT_VARIANT).model(graphDescription(name));
    expect(readFileSync(golden.bundle.graphPath(name)).equals(emitted)).toBe(true);
  });

  it('an older revision of the bundle is not used: the graphs are emitted anew', async () => {
    const old = goldenCase('libero_micro');
    writeFileSync(old.bundle.graphPath('expert'), 'a graph of former times');
    const path = join(old.folder, 'bundle.json');
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as { graphs: object };
    writeFileSync(path, JSON.stringify({ ...manifest, graphs: { ...manifest.graphs, revision: 999 } }));
    const renewed = await FastWamModel.load(Bundle.open(old.folder), { ...DEFAULT_EXECUTION, threads: 1 });
    const run = await (await chunk(renewed)).fullSteps(noise, STEPS);
    expect(relativeError(run.x, golden.tensor('chunk0.action'))).toBeLessThan(5e-6);
    await renewed.release();
  });

  /** Prefill and expert in one graph, which reads every token of the context. */
  const fusedRun = async (grain: 'stack' | 'block', tokens: Float32Array) => {
    const { bundle } = golden;
    const variant = { ...DEFAULT_VARIANT, fused: true, grain };
    const bytes = buildGraph('expert', bundle, variant).model('fused');
    const folder = dirname(bundle.policyWeights.path);
    const options = { device: 0, threads: 1 };
    const session = await Session.create(loadOnnxRuntime(), bytes, folder, 'cpu', options);
    const { textDim } = bundle.dimensions;
    const feeds = {
      latents: session.tensor('float32', golden.tensor('chunk0.latents'), model.latentShape),
      tokens: session.tensor('float32', tokens, [tokens.length / textDim, textDim]),
    };
    const Kind = grain === 'block' ? BlockExpert : StackExpert;
    const run = await new Kind(model.facts, session, feeds).fullSteps(noise, STEPS);
    await session.release();
    return run;
  };

  it.each(['stack', 'block'] as const)(
    'prefill and expert in one graph give the golden actions (grain %s)',
    async (grain) => {
      const context = golden.tensor('context');
      const split = await chunk(model);
      const tokens = model.contextTokens(proprio, golden.bundle.context(golden.task));
      expect(tokens.subarray(0, context.length)).toEqual(context);
      const run = await fusedRun(grain, tokens);
      expect(relativeError(run.x, golden.tensor('chunk0.action'))).toBeLessThan(5e-6);
      expect(relativeError(run.x, (await split.fullSteps(noise, STEPS)).x)).toBeLessThan(1e-6);
    },
  );

  it.each([
    { name: 'all different', rowOf: (i: number) => i },
    { name: 'some equal, here and there', rowOf: (i: number) => i % 3 },
    { name: 'all equal', rowOf: () => 0 },
  ])(
    'what the CPU takes out of the context leaves the actions as they are: tokens $name',
    async ({ rowOf }) => {
      const { tokens, rows } = golden.bundle.context(golden.task);
      const width = rows.length / tokens;
      const values = Float32Array.from(rows, (_, i) =>
        Math.sin(rowOf(Math.floor(i / width)) * 7 + (i % width)),
      );
      const text = { key: `rows ${rowOf(1)} ${rowOf(3)}`, rows: values, tokens };
      const latents = golden.tensor('chunk0.latents');
      const everyToken = await fusedRun('stack', model.contextTokens(proprio, text));
      const rowsOnly = await model
        .expert(await model.prefill(latents, proprio, text))
        .fullSteps(noise, STEPS);
      expect(relativeError(rowsOnly.x, everyToken.x)).toBeLessThan(1e-6);
      expect(relativeError(rowsOnly.x, golden.tensor('chunk0.action'))).toBeGreaterThan(1e-3);
    },
  );

  it('with block gates and everything computed is bit-identical to the plain Loop', async () => {
    const plain = await (await chunk(model)).fullSteps(noise, STEPS, { residuals: true });
    const gated = await FastWamModel.load(golden.bundle, { ...DEFAULT_EXECUTION, threads: 1 }, 'block');
    const expert = await chunk(gated);
    const full = await expert.fullSteps(noise, STEPS, { residuals: true });
    expect(full.x).toEqual(plain.x);
    expect(full.residuals).toEqual(plain.residuals);
    const { y } = await expert.probe(noise, 0, 2);
    const resumed = await expert.resume(noise, y, 0, 2);
    expect(resumed.v).toEqual(plain.vs.slice(0, 224));
    await gated.release();
  });

  it('steps taken one call at a time are bit-identical to all in one', async () => {
    const expert = await chunk(model);
    const whole = await expert.fullSteps(noise, STEPS);
    let x = noise;
    for (const step of STEPS) ({ x } = await expert.fullSteps(x, [step]));
    expect(x).toEqual(whole.x);
  });

  it.each([
    { name: 'both', precision: 'int8' },
    { name: 'the expert alone', precision: 'int8', prefillPrecision: 'fp32' },
    { name: 'the prefill alone', precision: 'fp32', prefillPrecision: 'int8' },
  ] as const)(
    'with int8 in $name stays within ten per cent, also of a model this small',
    async ({ name, ...precisions }) => {
      const int8 = await FastWamModel.load(golden.bundle, {
        ...DEFAULT_EXECUTION,
        ...precisions,
        threads: 1,
      });
      const binding = await int8.prefill(
        golden.tensor('chunk0.latents'),
        proprio,
        golden.bundle.context(golden.task),
      );
      const exact = await model.prefill(
        golden.tensor('chunk0.latents'),
        proprio,
        golden.bundle.context(golden.task),
      );
      const [own, reference] = [binding, exact].map(
        ({ feeds }) => feeds['videoValue_1']!.data as Float32Array,
      );
      expect(relativeError(own!, reference!) > 0).toBe(name !== 'the expert alone');
      const run = await int8.expert(binding).fullSteps(noise, STEPS);
      const error = relativeError(run.x, golden.tensor('chunk0.action'));
      expect(error).toBeGreaterThan(1e-5);
      expect(error).toBeLessThan(0.1);
      await int8.release();
    },
  );

  it('puts int8 weights aside while it loads, and leaves nothing behind', async () => {
    const execution = { ...DEFAULT_EXECUTION, precision: 'int8', threads: 1 } as const;
    const folder = temporaryFolder();
    vi.stubEnv('TMPDIR', folder);
    const int8 = await FastWamModel.load(golden.bundle, execution);
    expect(readdirSync(folder)).toEqual([]);
    expect((await (await chunk(int8)).fullSteps(noise, STEPS)).x.every(Number.isFinite)).toBe(true);
    await int8.release();
    vi.stubEnv('TMPDIR', '/nowhere');
    await expect(FastWamModel.load(golden.bundle, execution)).rejects.toThrow(
      /^\/nowhere: no temporary folder can be made there \(ENOENT.*\); set TMPDIR to a folder that you may write to$/,
    );
    vi.unstubAllEnvs();
  });

  it('switches to the expert with gates between chunks, without holding the weights twice', async () => {
    const other = await FastWamModel.load(golden.bundle, { ...DEFAULT_EXECUTION, threads: 1 });
    const before = (await (await chunk(other)).fullSteps(noise, STEPS)).x;
    expect(await other.ensureGrain('block')).toBe(true);
    expect(await other.ensureGrain('block')).toBe(false);
    expect(await other.ensureGrain('stack')).toBe(false);
    expect((await (await chunk(other)).fullSteps(noise, STEPS)).x).toEqual(before);
    await other.release();
  });
});
