import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from '../errors';
import {
  CUDNN_LIBRARY,
  DRIVER_LIBRARY,
  OTHER_PLATFORMS,
  driverFor,
  findCudaProvider,
} from '../model/cudaProvider';
import type { CudaProvider } from '../model/cudaProvider';
import { bundledLibraries, onnxRuntimePackage } from '../model/runtime';
import { librarySearch, resolveLibraries } from '../model/sharedLibraries';
import { probeSession } from './probeSession';
import { startChild } from './startChild';
import { section } from './types';
import type { Finding, FindingParts } from './types';

const SETUP = 'run `npx fastwam cuda-setup`';
const SMI_LIMIT = 10_000;

/** The CUDA provider, each library it needs, the driver, and whether a session starts with them. */
export async function examineCuda(): Promise<Finding[]> {
  let provider: CudaProvider;
  try {
    provider = findCudaProvider(bundledLibraries(onnxRuntimePackage()));
  } catch (error) {
    const remedy = 'run `npx fastwam cuda-setup --force`';
    return section('CUDA', [{ name: 'provider', state: 'problem', text: messageOf(error), remedy }]);
  }
  const driver = await examineDriver(provider);
  if (!provider.present) {
    const text = 'libonnxruntime_providers_cuda.so is not beside onnxruntime';
    const known = `${process.platform}-${process.arch}` === 'linux-x64';
    const remedy = known ? `${SETUP} if this machine has an NVIDIA GPU` : OTHER_PLATFORMS;
    return section('CUDA', [{ name: 'provider', state: 'missing', text, remedy }, driver]);
  }
  const text = `for CUDA ${provider.cuda ?? 'of an unknown version'}, ${dirname(provider.file)}`;
  return section('CUDA', [
    { name: 'provider', state: 'ok', text },
    ...examineLibraries(provider),
    driver,
    await examineSession(),
  ]);
}

/** A line for each library of CUDA; those of the system itself count only where they are missing. */
export function examineLibraries({ found, missing }: CudaProvider): FindingParts[] {
  const present = [...found]
    .filter(([name]) => /^lib(cu|nv)/.test(name) && name !== DRIVER_LIBRARY)
    .map(([name, file]): FindingParts => ({ name, state: 'ok', text: file }));
  const absent = missing
    .filter(({ name }) => name !== DRIVER_LIBRARY)
    .map(({ name, neededBy }): FindingParts => {
      const why = name === CUDNN_LIBRARY ? 'opened by convolutions' : `needed by ${neededBy}`;
      const remedy = /^lib(cu|nv)/.test(name) ? SETUP : `install the system package that has ${name}`;
      return { name, state: 'missing', text: why, remedy };
    });
  return [...present, ...absent];
}

async function examineDriver(provider: CudaProvider): Promise<FindingParts> {
  const name = 'NVIDIA driver';
  const file = provider.present ? provider.found.get(DRIVER_LIBRARY) : findDriver();
  if (file === undefined) {
    const text = `${DRIVER_LIBRARY} cannot be found`;
    return { name, state: 'missing', text, remedy: `install ${driverFor(provider.cuda)}, for a GPU` };
  }
  const smi = await startChild(
    'nvidia-smi',
    ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'],
    SMI_LIMIT,
  );
  const devices = smi.stdout.trim().split('\n').filter(Boolean);
  if (smi.failed === undefined && smi.code === 0 && devices.length > 0) {
    return { name, state: 'ok', text: devices.map((device, i) => `${i}: ${device}`).join('; ') };
  }
  const version = kernelDriverVersion();
  if (version === undefined) {
    const text = `${file} is there, its kernel module is not loaded`;
    const remedy = 'reboot after the installation of the driver; a container needs --gpus all';
    return { name, state: 'problem', text, remedy };
  }
  return { name, state: 'ok', text: `${version}, ${file}` };
}

/** libcuda.so.1 as node itself would find it: a binary on which every loader rule can be tried. */
function findDriver(): string | undefined {
  try {
    return resolveLibraries(process.execPath, librarySearch(), [DRIVER_LIBRARY]).found.get(DRIVER_LIBRARY);
  } catch {
    return undefined;
  }
}

function kernelDriverVersion(): string | undefined {
  const file = '/proc/driver/nvidia/version';
  if (!existsSync(file)) return undefined;
  return /Kernel Module.*?\s(\d+\.\d+[\d.]*)/.exec(readFileSync(file, 'utf8'))?.[1];
}

async function examineSession(): Promise<FindingParts> {
  const name = 'CUDA session';
  const result = await probeSession('cuda');
  if (result.ok)
    return { name, state: 'ok', text: `starts and computes (${result.milliseconds.toFixed(0)} ms)` };
  return { name, state: 'problem', text: result.message };
}
