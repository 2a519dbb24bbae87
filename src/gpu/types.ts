import type { Provider } from '../model/precisions';
import type { Precision } from '../model/precisions';

/** How far the actions of a golden episode are from what the original computes, under one policy. */
export interface GoldenError {
  /** golden case */
  readonly golden: string;
  readonly precision: Precision;
  /** policy with the number of its settings among the golden ones, or with them */
  readonly policy: string;
  /** ‖a − b‖ / ‖b‖ over all actions; undefined where it could not be computed */
  readonly error?: number;
  /** share of the decisions (what is computed, what reused) that are those of the reference; where there is one */
  readonly sameDecisions?: number;
  /** what the error must stay below */
  readonly limit: number;
  readonly failed?: string;
}

/** Where the nodes of one graph ran. */
export interface Placement {
  readonly graph: string;
  readonly precision: Precision;
  /** nodes of one run (the expert: with one step) by provider */
  readonly nodes: Readonly<Record<string, number>>;
  /** nodes on the CPU although the model runs elsewhere, by operator */
  readonly onCpu: Readonly<Record<string, number>>;
  /** copies between host and device that onnxruntime put in, in one run */
  readonly copies: number;
  /** of the expert: what one more step adds, without views of tensors */
  readonly perStep?: { readonly kernels: number; readonly copies: number; readonly onCpu: number };
  /** nodes by the time that the host spent on them, longest first */
  readonly longest: readonly LongNode[];
}

export interface LongNode {
  readonly name: string;
  readonly op: string;
  readonly provider: string;
  readonly microseconds: number;
}

/** What one configuration costs, medians in milliseconds. */
export interface StageCost {
  readonly configuration: string;
  readonly total: number;
  readonly vae: number;
  readonly prefill: number;
  readonly expert: number;
  /** uncached total over this one's */
  readonly speedUp: number;
}

/** A bundle executed in one precision. */
export interface BundleFigures {
  readonly precision: Precision;
  /** seconds until the first chunk could be asked for */
  readonly loadSeconds?: number;
  readonly stages?: readonly StageCost[];
  /** of one denoising step of the action expert, milliseconds */
  readonly stepMilliseconds?: number;
  /** the same if the card were limited by its memory, or by its products, alone */
  readonly bound?: { readonly memoryMilliseconds: number; readonly productMilliseconds: number };
  readonly memory?: MemoryUse;
  readonly placement?: readonly Placement[];
  /** relative difference of the actions to those of the first precision */
  readonly difference?: number;
  readonly failed?: string;
}

/** MiB that loading a model added. */
export interface MemoryUse {
  /** on the device, as nvidia-smi says */
  readonly device?: number;
  /** anonymous memory of the process, all that the page cache cannot drop */
  readonly host: number;
  /** the model's weights in this precision */
  readonly weights: number;
}

/** What the provider reaches on plain work. */
export interface PeakRates {
  readonly type: 'float32' | 'float16' | 'bfloat16';
  /** of products of large square matrices, TFLOP/s */
  readonly product?: number;
  /** of a pass over a large tensor, read and written, GB/s */
  readonly copy?: number;
  readonly failed?: string;
}

export interface GpuCheck {
  readonly provider: Provider;
  /** why it is not CUDA, where CUDA was tried */
  readonly notices: readonly string[];
  readonly environment: readonly (readonly [string, string])[];
  readonly golden: readonly GoldenError[];
  /** why there are none, where there are none */
  readonly goldenMissing?: string;
  readonly rates: readonly PeakRates[];
  readonly bundle: { readonly name: string; readonly figures: readonly BundleFigures[] };
}
