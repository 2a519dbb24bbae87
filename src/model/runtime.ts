import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import type * as Ort from 'onnxruntime-node';
import { setupHome } from '../setupHome';

export type OrtModule = typeof Ort;

/** Folder that `npx fastwam cuda-setup` fills with a copy of onnxruntime-node and its CUDA provider. */
export function cudaRuntimeFolder(): string {
  return resolve(process.env.FAST_WAM_CUDA_DIR ?? join(setupHome(), '.cuda'));
}

/** The onnxruntime-node to use: the one with the CUDA provider beside it where it was set up, else the package. */
export function loadOnnxRuntime(): OrtModule {
  return createRequire(__filename)(onnxRuntimePackage()) as OrtModule;
}

/** Folder of the onnxruntime-node that `loadOnnxRuntime` takes. */
export function onnxRuntimePackage(): string {
  const withCuda = join(cudaRuntimeFolder(), 'node_modules', 'onnxruntime-node');
  if (existsSync(withCuda)) return withCuda;
  return dirname(createRequire(__filename).resolve('onnxruntime-node/package.json'));
}

/**
 * Folder of the libonnxruntime that this process has loaded, where it looks for its providers; before it is loaded,
 * the folder from which it would be. The two differ where LD_LIBRARY_PATH holds another onnxruntime, which wins.
 */
export function onnxRuntimeLibraries(): string {
  const loaded = mappedFiles().find((file) => /\/libonnxruntime\.so[.\d]*$/.test(file));
  return loaded ? dirname(loaded) : bundledLibraries(onnxRuntimePackage());
}

/** Where an onnxruntime-node keeps its binding and libraries for this machine. */
export function bundledLibraries(packageFolder: string): string {
  return join(packageFolder, 'bin', 'napi-v6', process.platform, process.arch);
}

function mappedFiles(): string[] {
  try {
    const maps = readFileSync('/proc/self/maps', 'utf8');
    return maps.split('\n').map((line) => line.slice(line.indexOf('/')));
  } catch {
    return [];
  }
}
