import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { probeSession } from '../../src/doctor/probeSession';
import { ProviderError } from '../../src/errors';
import { FastWamModel } from '../../src/model/FastWamModel';
import { cudaError, findCudaProvider, lackingForCuda } from '../../src/model/cudaProvider';
import { DEFAULT_EXECUTION } from '../../src/model/execution';
import { goldenCase, removeFolders, temporaryFolder } from '../helpers';
import { writeElf } from './elfFile';

const onLinuxX64 = process.platform === 'linux' && process.arch === 'x64';
const CUDA13 = ['libcublasLt.so.13', 'libcudart.so.13', 'libcuda.so.1'];

/** A folder with the two libraries of a provider that needs `needed`, and with the libraries `there`. */
function providerFolder(needed: readonly string[], there: readonly string[]): string {
  const folder = temporaryFolder();
  fillProvider(folder, needed, there);
  return folder;
}

function fillProvider(folder: string, needed: readonly string[], there: readonly string[]): void {
  writeElf(join(folder, 'libonnxruntime_providers_cuda.so'), { needed, runpath: '$ORIGIN' });
  writeElf(join(folder, 'libonnxruntime_providers_shared.so'), { needed, runpath: '$ORIGIN' });
  for (const name of there) writeElf(join(folder, name), { soname: name });
}

/** A CUDA folder as `npx fastwam cuda-setup` makes it, with a provider of the test's own. */
function cudaFolder(fill: (libraries: string) => void): string {
  const folder = temporaryFolder();
  const load = createRequire(__filename);
  const source = dirname(load.resolve('onnxruntime-node/package.json'));
  const target = join(folder, 'node_modules', 'onnxruntime-node');
  for (const part of ['package.json', 'dist', join('bin', 'napi-v6', process.platform, process.arch)]) {
    cpSync(join(source, part), join(target, part), { recursive: true });
  }
  const common = join(dirname(source), 'onnxruntime-common');
  cpSync(common, join(folder, 'node_modules', 'onnxruntime-common'), { recursive: true });
  const libraries = join(target, 'bin', 'napi-v6', process.platform, process.arch);
  mkdirSync(libraries, { recursive: true });
  fill(libraries);
  return folder;
}

afterAll(removeFolders);

describe('the sentence about a CUDA that does not start', () => {
  const start = 'execution.provider cuda cannot start on device 0: ';
  // what the binding says in this case, with nothing about which library
  const notLoaded = new Error('OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library');

  it.runIf(onLinuxX64)('says what to run where the provider is not installed', () => {
    expect(cudaError(notLoaded, 0, temporaryFolder()).message).toBe(
      `${start}the CUDA provider of onnxruntime is not installed; run \`npx fastwam cuda-setup\`, or choose execution.provider cpu`,
    );
  });

  it('names the libraries that cannot be found, and the driver that goes with the CUDA version', () => {
    const folder = providerFolder(CUDA13, ['libcudart.so.13', 'libcudnn.so.9', 'libcuda.so.1']);
    expect(cudaError(notLoaded, 0, folder).message).toBe(
      `${start}libcublasLt.so.13 cannot be found; run \`npx fastwam cuda-setup\`, or choose execution.provider cpu`,
    );
  });

  it.each([
    [13, '580'],
    [12, '525'],
  ])('asks for the driver alone where only that is missing, by the version for CUDA %i', (cuda, driver) => {
    const missing = [{ name: 'libcuda.so.1', neededBy: 'libonnxruntime_providers_cuda.so' }];
    expect(lackingForCuda({ file: '', present: true, cuda, found: new Map(), missing })).toBe(
      `libcuda.so.1 cannot be found; install the NVIDIA driver, ${driver} or later, or choose execution.provider cpu`,
    );
    const needed = [`libcudart.so.${cuda}`];
    const folder = providerFolder(needed, [...needed, 'libcudnn.so.9']);
    expect(cudaError(new Error('CUDA failure 35: too old ; GPU=-1'), 0, folder).message).toContain(
      `the NVIDIA driver is too old for CUDA ${cuda}; install the NVIDIA driver, ${driver} or later`,
    );
  });

  it('counts cuDNN as needed although the provider opens it by itself', () => {
    const folder = providerFolder([], []);
    const search = { path: [], cache: new Map<string, string[]>(), folders: [] };
    expect(findCudaProvider(folder, search).missing).toEqual([
      { name: 'libcudnn.so.9', neededBy: 'libonnxruntime_providers_cuda.so' },
    ]);
  });

  // The beginnings are onnxruntime's, shortened; the numbers are those of cudaError_t.
  it.each([
    [
      'CUDA failure 100: no CUDA-capable device is detected ; GPU=-1 ; hostname=h',
      'the NVIDIA driver sees no GPU',
    ],
    [
      'CUDA failure 101: invalid device ordinal ; GPU=-1 ; hostname=h',
      'there is no GPU number 0; set execution.device',
    ],
    ['CUDA failure 2: out of memory ; GPU=0 ; hostname=h', 'the memory of the GPU does not suffice'],
    [
      'CUDA failure 209: no kernel image is available ; GPU=0',
      'the GPU is too old or too new for the CUDA provider',
    ],
    ['CUDA failure 999: unknown error ; GPU=0', 'CUDA says: unknown error (999); see what `nvidia-smi` says'],
    ['cuDNN is not available. Install cuDNN, update the system library', 'libcudnn.so.9 cannot be loaded'],
  ])('understands "%s"', (told, sentence) => {
    const folder = providerFolder(['libcudart.so.13'], ['libcudart.so.13', 'libcudnn.so.9']);
    const error = cudaError(new Error(`/src/cuda_call.cc:154 CudaCall() ${told}`), 0, folder);
    expect(error).toBeInstanceOf(ProviderError);
    expect(error.message).toContain(start + sentence);
    expect(error.message).not.toContain('\n');
  });

  it('says that the file is damaged where it is', () => {
    const folder = providerFolder([], []);
    writeFileSync(join(folder, 'libonnxruntime_providers_cuda.so'), 'half a download');
    expect(cudaError(notLoaded, 0, folder).message).toMatch(/libonnxruntime_providers_cuda\.so: .*--force`$/);
  });
});

describe('a model on a machine without CUDA', () => {
  const before = process.env.FAST_WAM_CUDA_DIR;
  beforeEach(() => {
    process.env.FAST_WAM_CUDA_DIR = temporaryFolder(); // where nothing was set up
  });
  afterEach(() => {
    if (before === undefined) delete process.env.FAST_WAM_CUDA_DIR;
    else process.env.FAST_WAM_CUDA_DIR = before;
  });
  const why = onLinuxX64 ? 'is not installed; run `npx fastwam cuda-setup`' : 'there is no CUDA provider for';

  it('is refused where CUDA was asked for, with the reason and what to do', async () => {
    const { bundle } = goldenCase('libero_micro');
    const load = FastWamModel.load(bundle, { ...DEFAULT_EXECUTION, provider: 'cuda', device: 1 });
    await expect(load).rejects.toBeInstanceOf(ProviderError);
    await expect(load).rejects.toThrow('execution.provider cuda cannot start on device 1: ');
    await expect(load).rejects.toThrow(why);
  });

  it('runs on the CPU where the provider is auto, and says so and why', async () => {
    const { bundle } = goldenCase('libero_micro');
    const notices: string[] = [];
    const model = await FastWamModel.load(
      bundle,
      { ...DEFAULT_EXECUTION, provider: 'auto', precision: 'bf16' },
      'stack',
      (notice) => notices.push(notice),
    );
    expect(model.provider).toBe('cpu');
    expect(model.execution.precision).toBe('fp32');
    expect(notices).toHaveLength(1);
    expect(notices[0]).toContain(
      'execution.provider auto runs on the CPU (fp32): execution.provider cuda cannot',
    );
    expect(notices[0]).toContain(why);
    await model.release();
  });
});

describe.runIf(onLinuxX64)('a real session of onnxruntime', () => {
  it('names the libraries that onnxruntime itself does not name', async () => {
    const folder = cudaFolder((libraries) => fillProvider(libraries, ['libcublas_of_a_test.so.13'], []));
    const result = await probeSession('cuda', { ...process.env, FAST_WAM_CUDA_DIR: folder });
    expect(result).toMatchObject({ ok: false });
    expect(!result.ok && result.message).toMatch(
      /^execution\.provider cuda cannot start on device 0: libcublas_of_a_test\.so\.13.* cannot be found; run `npx fastwam cuda-setup`/,
    );
  });

  it('computes on the CPU with the onnxruntime of a CUDA folder', async () => {
    const folder = cudaFolder((libraries) => fillProvider(libraries, CUDA13, []));
    const result = await probeSession('cpu', { ...process.env, FAST_WAM_CUDA_DIR: folder });
    expect(result).toMatchObject({ ok: true });
  });

  it('that crashes is told as such', async () => {
    const folder = cudaFolder(() => undefined);
    writeFileSync(join(folder, 'node_modules', 'onnxruntime-node', 'dist', 'index.js'), 'process.abort();');
    const result = await probeSession('cpu', { ...process.env, FAST_WAM_CUDA_DIR: folder });
    expect(result).toMatchObject({
      ok: false,
      message: expect.stringContaining('the process was ended by SIGABRT'),
    });
  });
});
