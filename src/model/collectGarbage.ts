import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Frees what loading a model left behind: tensors that were read to be quantised, and graph bytes that onnxruntime
 * has copied. V8 would not look at them for a long time, because they lie outside its heap.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (() => void) | undefined;
  collect?.();
}
