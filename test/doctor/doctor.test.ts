import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { doctorCommand } from '../../src/cli/doctor';
import { examineBundledModels } from '../../src/doctor/bundledModel';
import { examineLibraries } from '../../src/doctor/cuda';
import { describeFindings } from '../../src/doctor/describeFindings';
import { runsOnCpu } from '../../src/doctor/examine';
import type { Finding } from '../../src/doctor/types';
import { removeFolders, temporaryFolder } from '../helpers';

afterAll(removeFolders);

const finding = (changes: Partial<Finding>): Finding => ({
  section: 'machine',
  name: 'node',
  state: 'ok',
  text: '22.0.0',
  needed: false,
  ...changes,
});

/** Runs `fastwam doctor ARGUMENTS` with a CUDA folder of the test's own; what it prints and its exit code. */
async function doctor(args: string[], cuda: string): Promise<{ text: string; code: number }> {
  const texts: string[] = [];
  vi.stubEnv('FAST_WAM_CUDA_DIR', cuda);
  vi.stubEnv('ROS_SETUP_DIR', temporaryFolder());
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => texts.push(String(text)) > 0);
  try {
    const program = new Command();
    doctorCommand(program);
    await program.parseAsync(['doctor', ...args], { from: 'user' });
    return { text: texts.join(''), code: Number(process.exitCode ?? 0) };
  } finally {
    process.exitCode = undefined;
  }
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

describe('fastwam doctor', () => {
  it('finds everything that the CPU needs on a machine that runs these tests', async () => {
    const { text, code } = await doctor(['--json'], temporaryFolder());
    const { ready, findings } = JSON.parse(text) as { ready: boolean; findings: Finding[] };
    expect(ready).toBe(true);
    expect(code).toBe(0);
    const needed = findings.filter((f) => f.needed);
    expect(needed.map(({ name, state }) => [name, state])).toEqual([
      ['node', 'ok'],
      ['onnxruntime-node', 'ok'],
      ['CPU session', 'ok'],
    ]);
    expect(findings.find((f) => f.section === 'CUDA' && f.name === 'provider')).toMatchObject({
      state: 'missing',
    });
    for (const { state, remedy } of findings) if (state === 'missing') expect(remedy).toBeTruthy();
  });

  it('fails, and says what to do, where onnxruntime does not start', async () => {
    const cuda = temporaryFolder();
    const broken = join(cuda, 'node_modules', 'onnxruntime-node');
    mkdirSync(broken, { recursive: true });
    writeFileSync(join(broken, 'package.json'), '{"version":"1.30.0","main":"index.js"}');
    writeFileSync(join(broken, 'index.js'), "throw new Error('GLIBC_2.99 not found')");
    const { text, code } = await doctor([], cuda);
    expect(code).toBe(1);
    expect(text).toMatch(/PROBLEM +CPU session +GLIBC_2\.99 not found -> run `npm ci` again/);
    expect(text).toContain('This machine cannot run models yet: see CPU session.');
    expect(text).not.toContain('\nCUDA\n');
  });
});

describe('the verdict', () => {
  it('depends on what is needed alone', () => {
    expect(runsOnCpu([finding({ needed: true }), finding({ state: 'missing' })])).toBe(true);
    expect(runsOnCpu([finding({ needed: true, state: 'problem' })])).toBe(false);
  });

  it('says what works', () => {
    const cuda = finding({ section: 'CUDA', name: 'CUDA session' });
    const ros = finding({ section: 'ROS 2', name: 'environment' });
    expect(describeFindings([cuda, ros])).toContain('on the CPU, and with CUDA; ROS 2 is ready.');
    const neither = describeFindings([
      { ...cuda, state: 'problem' },
      { ...ros, state: 'missing' },
    ]);
    expect(neither).toContain('on the CPU, not with CUDA; ROS 2 is not ready in this shell.');
  });

  it('lets no control characters of the environment into the terminal', () => {
    const text = describeFindings([finding({ text: 'a\u001b[31mb\nc\u009bd' })]);
    expect(text).toContain('a [31mb c d');
    expect(text).not.toContain('\u001b');
  });
});

describe('the libraries of CUDA', () => {
  it('have a line each, those of the system only where they are missing', () => {
    const lines = examineLibraries({
      file: 'p.so',
      present: true,
      cuda: 13,
      found: new Map([
        ['libcublas.so.13', '/c/libcublas.so.13'],
        ['libc.so.6', '/lib/libc.so.6'],
        ['libcuda.so.1', '/lib/libcuda.so.1'], // the driver has a line of its own
      ]),
      missing: [
        { name: 'libcudnn.so.9', neededBy: 'p.so' },
        { name: 'libz.so.1', neededBy: 'libcudnn_ops.so.9' },
      ],
    });
    expect(lines.map(({ name, state }) => [name, state])).toEqual([
      ['libcublas.so.13', 'ok'],
      ['libcudnn.so.9', 'missing'],
      ['libz.so.1', 'missing'],
    ]);
    expect(lines[1]?.remedy).toContain('npx fastwam cuda-setup');
    expect(lines[2]?.remedy).toContain('system package');
  });
});

describe('the bundled model', () => {
  it('is missing where the folder is empty, and names what a checkpoint lacks', () => {
    const folder = temporaryFolder();
    expect(examineBundledModels(folder)).toMatchObject([{ state: 'missing', needed: false }]);
    mkdirSync(join(folder, 'own', 'checkpoint', 'text_embeds'), { recursive: true });
    for (const file of ['fastwam.pt', 'config.json'])
      writeFileSync(join(folder, 'own', 'checkpoint', file), '');
    expect(examineBundledModels(folder)).toMatchObject([
      { name: 'own', state: 'problem', text: expect.stringContaining('lacks vae_encoder.pth') },
    ]);
    writeFileSync(join(folder, 'own', 'checkpoint', 'vae_encoder.pth'), '');
    expect(examineBundledModels(folder)).toMatchObject([{ state: 'ok' }]);
    writeFileSync(join(folder, 'own', 'bundle.json'), '{}');
    expect(examineBundledModels(folder)).toMatchObject([{ state: 'problem' }]);
  });

  it('of this project is there', () => {
    expect(examineBundledModels().every(({ state }) => state === 'ok')).toBe(true);
  });
});
