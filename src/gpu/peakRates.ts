import { messageOf } from '../errors';
import { distributionOf } from '../evaluation/distribution';
import { cast } from '../graphs/Weights';
import type { ComputeType } from '../graphs/Weights';
import type { ExecutionOptions } from '../model/execution';
import type { Provider } from '../model/precisions';
import { loadOnnxRuntime } from '../model/runtime';
import { Session } from '../model/Session';
import { GraphBuilder } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import type { PeakRates } from './types';

/** Sizes that fill a provider and take it moments. */
const SIZES = {
  cpu: { matrix: 768, tensor: 2 ** 23, repeats: 4 },
  cuda: { matrix: 4096, tensor: 2 ** 27, repeats: 16 },
} as const;
const RUNS = 5;
const BYTES = { float32: 4, float16: 2, bfloat16: 2 } as const;

/** What a provider reaches on plain products and on a plain pass over memory, through onnxruntime as a model is. */
export async function peakRates(
  type: ComputeType,
  provider: Provider,
  execution: Pick<ExecutionOptions, 'device' | 'threads'>,
): Promise<PeakRates> {
  const { matrix, tensor, repeats } = SIZES[provider];
  try {
    const product = await seconds(provider, execution, (g, one) => {
      const square = filled(g, one, [matrix, matrix], type);
      // Kept small, so that no product overflows.
      const factor = filled(g, g.op('Mul', [one, g.float32(1 / matrix)]), [matrix, matrix], type);
      return repeat(square, repeats, (x) => g.op('MatMul', [x, factor]));
    });
    const pass = await seconds(provider, execution, (g, one) => {
      const step = cast(g, one, type);
      return repeat(filled(g, one, [1, tensor], type), repeats, (x) => g.op('Add', [x, step]));
    });
    return {
      type,
      product: (repeats * 2 * matrix ** 3) / product / 1e12,
      copy: ((2 * repeats + 1) * tensor * BYTES[type]) / pass / 1e9,
    };
  } catch (error) {
    return { type, failed: messageOf(error) };
  }
}

/** Median time of a graph whose large tensors are made and stay where it runs. */
async function seconds(
  provider: Provider,
  execution: Pick<ExecutionOptions, 'device' | 'threads'>,
  emit: (g: GraphBuilder, one: Value) => Value,
): Promise<number> {
  const g = GraphBuilder.create('peak');
  const one = g.input('one', 'float32', []);
  const out = emit(g, one);
  const corner = [g.int64([0, 0]), g.int64([1, 1]), g.int64([0, 1])];
  g.output(cast(g, g.op('Slice', [out, ...corner]), 'float32'), 'corner', [1, 1]);
  const session = await Session.create(loadOnnxRuntime(), g.model('peak rate'), '', provider, execution);
  try {
    const feeds = { one: session.tensor('float32', Float32Array.of(1), []) };
    await session.run(feeds);
    const times: number[] = [];
    for (let i = 0; i < RUNS; i++) {
      const started = performance.now();
      await session.run(feeds);
      times.push((performance.now() - started) / 1000);
    }
    return distributionOf(times).p50;
  } finally {
    await session.release();
  }
}

function filled(g: GraphBuilder, value: Value, shape: readonly number[], type: ComputeType): Value {
  return g.op('Expand', [cast(g, value, type), g.int64(shape)]);
}

function repeat(start: Value, times: number, step: (x: Value) => Value): Value {
  let x = start;
  for (let i = 0; i < times; i++) x = step(x);
  return x;
}
