import { examineBundledModels } from './bundledModel';
import { examineCuda } from './cuda';
import { examineMachine } from './machine';
import { examineOnnxRuntime } from './onnxRuntime';
import { examineRos } from './ros';
import type { Finding } from './types';

/** Everything this project may need on a machine, in the order in which a user wants it. Changes nothing. */
export async function examine(): Promise<Finding[]> {
  const machine = examineMachine();
  const runtime = await examineOnnxRuntime();
  return [
    ...machine,
    ...runtime,
    ...examineBundledModels(),
    // Where not even a CPU session starts, the libraries of CUDA are not what is wrong.
    ...(runsOnCpu(runtime) ? await examineCuda() : []),
    ...(await examineRos()),
  ];
}

/** Whether everything is there that running on the CPU needs. */
export function runsOnCpu(findings: readonly Finding[]): boolean {
  return findings.every(({ needed, state }) => !needed || state === 'ok');
}
