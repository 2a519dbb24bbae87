/** How a model is executed; the ROS parameters `execution.*`. */
export interface ExecutionOptions {
  readonly provider: 'cpu' | 'cuda' | 'auto';
  /** CUDA device number */
  readonly device: number;
  readonly precision: 'fp32' | 'fp16' | 'bf16' | 'int8';
  /** intra-op threads; 0 = one for each physical core (onnxruntime's choice) */
  readonly threads: number;
}

export const DEFAULT_EXECUTION: ExecutionOptions = {
  provider: 'cpu',
  device: 0,
  precision: 'fp32',
  threads: 0,
};

/** A sentence if precision and provider do not go together. */
export function refuseExecution(options: ExecutionOptions): string | undefined {
  const { provider, precision } = options;
  if (provider === 'cpu' && (precision === 'fp16' || precision === 'bf16')) {
    return `execution.precision ${precision} needs execution.provider cuda; on the CPU choose fp32 or int8`;
  }
  if (provider === 'cuda' && precision === 'int8') {
    return 'execution.precision int8 runs on the CPU only; with cuda choose fp32, fp16 or bf16';
  }
  return undefined;
}
