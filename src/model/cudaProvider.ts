import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ProviderError, messageOf } from '../errors';
import { onnxRuntimeLibraries } from './runtime';
import { librarySearch, resolveLibraries } from './sharedLibraries';
import type { LibrarySearch, MissingLibrary } from './sharedLibraries';

/** The CUDA provider of the onnxruntime in use, and what it needs, found without loading any of it. */
export interface CudaProvider {
  /** its file */
  readonly file: string;
  /** that it is there */
  readonly present: boolean;
  /** CUDA major version that it was built for, where that is known */
  readonly cuda: number | undefined;
  /** name -> file of what it needs */
  readonly found: ReadonlyMap<string, string>;
  readonly missing: readonly MissingLibrary[];
}

export const PROVIDER_LIBRARY = 'libonnxruntime_providers_cuda.so';
/** onnxruntime loads every provider through this one. */
const BRIDGE_LIBRARY = 'libonnxruntime_providers_shared.so';
export const DRIVER_LIBRARY = 'libcuda.so.1';
/** onnxruntime opens cuDNN by itself at the first convolution; it is not among what the provider needs. */
export const CUDNN_LIBRARY = 'libcudnn.so.9';

/** First driver release for a CUDA major version (CUDA compatibility guide, table of minor version compatibility). */
const OLDEST_DRIVER: Readonly<Record<number, string>> = { 12: '525', 13: '580' };

/** "NVIDIA driver 580 or later" for CUDA 13. */
export function driverFor(cuda: number | undefined): string {
  const oldest = cuda === undefined ? undefined : OLDEST_DRIVER[cuda];
  return oldest ? `the NVIDIA driver, ${oldest} or later` : 'the NVIDIA driver';
}

/** Whether the two libraries of the CUDA provider lie in `folder`, where onnxruntime looks for them. */
export function hasCudaProvider(folder: string = onnxRuntimeLibraries()): boolean {
  return [PROVIDER_LIBRARY, BRIDGE_LIBRARY].every((name) => existsSync(join(folder, name)));
}

/**
 * What there is of the CUDA provider in `folder` (by default beside the onnxruntime in use).
 * @throws FileFormatError where its file is damaged
 */
export function findCudaProvider(
  folder: string = onnxRuntimeLibraries(),
  search: LibrarySearch = librarySearch(),
): CudaProvider {
  const file = join(folder, PROVIDER_LIBRARY);
  if (!hasCudaProvider(folder)) {
    return { file, present: false, cuda: undefined, found: new Map(), missing: [] };
  }
  const { found, missing } = resolveLibraries(file, search, [CUDNN_LIBRARY]);
  const names = [...found.keys(), ...missing.map(({ name }) => name)];
  const version = names.map((name) => /^libcudart\.so\.(\d+)/.exec(name)?.[1]).find((v) => v !== undefined);
  return { file, present: true, cuda: version === undefined ? undefined : Number(version), found, missing };
}

/** Why a provider cannot be started from what its files say, and what to do; undefined where nothing is lacking. */
export function lackingForCuda(provider: CudaProvider): string | undefined {
  if (!provider.present) {
    if (`${process.platform}-${process.arch}` !== 'linux-x64') {
      return `there is no CUDA provider for ${process.platform}-${process.arch}; ${OTHER_PLATFORMS}`;
    }
    return 'the CUDA provider of onnxruntime is not installed; run `npx fastwam cuda-setup`, or choose execution.provider cpu';
  }
  const names = provider.missing.map(({ name }) => name);
  if (names.length === 0) return undefined;
  const libraries = names.filter((name) => name !== DRIVER_LIBRARY);
  const noDriver = libraries.length < names.length;
  const remedies = [
    ...(libraries.length > 0 ? ['run `npx fastwam cuda-setup`'] : []),
    ...(noDriver ? [`install ${driverFor(provider.cuda)}`] : []),
  ];
  return `${names.join(', ')} cannot be found; ${remedies.join(' and ')}, or choose execution.provider cpu`;
}

/** What a machine needs that `npx fastwam cuda-setup` does not know. */
export const OTHER_PLATFORMS =
  'it needs a copy of onnxruntime-node in .cuda/node_modules with the CUDA libraries of onnxruntime 1.30 in its bin folder: ' +
  "on Grace and DGX Spark those of PyPI's onnxruntime-gpu for aarch64, on a Jetson your own build of onnxruntime with " +
  '--use_cuda (docs/how-to/jetson.md has the steps); or choose execution.provider cpu';

/** The binding's report of a failed CUDA start, as one sentence that says why and what to do. */
export function cudaError(error: unknown, device: number, folder?: string): ProviderError {
  let why: string;
  try {
    why = reason(messageOf(error), device, findCudaProvider(folder));
  } catch (damaged) {
    why = `${messageOf(damaged)}; run \`npx fastwam cuda-setup --force\``;
  }
  return new ProviderError(`execution.provider cuda cannot start on device ${device}: ${why}`, {
    cause: error,
  });
}

function reason(told: string, device: number, provider: CudaProvider): string {
  // cudaError_t of the CUDA runtime
  const [, code, text] = /CUDA failure (\d+): (.*?) ?;/.exec(told) ?? [];
  switch (code) {
    case '2':
      return 'the memory of the GPU does not suffice; free it, or choose execution.precision bf16 or fp16';
    case '35':
      return `the NVIDIA driver is too old for CUDA ${provider.cuda ?? ''}; install ${driverFor(provider.cuda)}${
        provider.cuda === 13 ? ', or run `npx fastwam cuda-setup --cuda 12`' : ''
      }`;
    case '100':
      return 'the NVIDIA driver sees no GPU; see what `nvidia-smi` and CUDA_VISIBLE_DEVICES say (a container needs --gpus all)';
    case '101':
      return `there is no GPU number ${device}; set execution.device to one that \`nvidia-smi -L\` lists`;
    case '209':
      return `the GPU is too old or too new for the CUDA provider; ${
        provider.cuda === 13 ? 'run `npx fastwam cuda-setup --cuda 12`, or ' : ''
      }choose execution.provider cpu`;
    case undefined:
      break;
    default:
      return `CUDA says: ${text ?? ''} (${code}); see what \`nvidia-smi\` says`;
  }
  if (/cudnn/i.test(told) && /not available|unavailable/.test(told)) {
    return `${CUDNN_LIBRARY} cannot be loaded; run \`npx fastwam cuda-setup\``;
  }
  // The binding says no more than "Failed to load shared library"; the files say which.
  const lacking = lackingForCuda(provider);
  if (lacking && (!provider.present || /load/.test(told))) return lacking;
  const first = told.split('\n')[0]?.slice(0, 200);
  return `${first ?? 'onnxruntime gave no reason'}; \`fastwam doctor\` shows what is missing`;
}
