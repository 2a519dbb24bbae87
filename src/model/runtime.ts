import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import type * as Ort from 'onnxruntime-node';

export type OrtModule = typeof Ort;

/** Folder that `npm run cuda:setup` fills with a copy of onnxruntime-node and its CUDA provider. */
export function cudaRuntimeFolder(): string {
  return process.env.FAST_WAM_CUDA_DIR ?? resolve(__dirname, '..', '..', '.cuda');
}

/** The onnxruntime-node to use: the one with the CUDA provider beside it where it was set up, else the package. */
export function loadOnnxRuntime(): OrtModule {
  const withCuda = join(cudaRuntimeFolder(), 'node_modules', 'onnxruntime-node');
  const load = createRequire(__filename);
  return load(existsSync(withCuda) ? withCuda : 'onnxruntime-node') as OrtModule;
}
