import { messageOf } from '../errors';
import { DEFAULT_EXECUTION } from '../model/execution';
import { Session } from '../model/Session';
import type { Provider } from '../model/precisions';
import { loadOnnxRuntime } from '../model/runtime';
import { GraphBuilder } from '../onnx/GraphBuilder';

/*
 * Starts one onnxruntime session and computes 1 + 1 with it. A process of its own, so that a library that crashes on
 * loading takes nothing else with it: node sessionProbe.js cpu|cuda [DEVICE]. Prints one JSON line, a ProbeResult.
 */

export type ProbeResult =
  { readonly ok: true; readonly milliseconds: number } | { readonly ok: false; readonly message: string };

async function probe(provider: Provider, device: number): Promise<ProbeResult> {
  const started = performance.now();
  try {
    const graph = GraphBuilder.create('probe');
    const x = graph.input('x', 'float32', [1]);
    graph.output(graph.op('Add', [x, graph.float32(1)]), 'y', [1]);
    const ort = loadOnnxRuntime();
    const session = await Session.create(ort, graph.model('1 + 1'), '', provider, {
      ...DEFAULT_EXECUTION,
      device,
      threads: 1,
    });
    const { y } = await session.run({ x: session.tensor('float32', Float32Array.of(1), [1]) });
    await session.release();
    const [sum] = (y?.data ?? []) as Float32Array;
    if (sum !== 2) return { ok: false, message: `1 + 1 gave ${String(sum)}` };
    return { ok: true, milliseconds: performance.now() - started };
  } catch (error) {
    return { ok: false, message: messageOf(error) };
  }
}

const [provider, device] = process.argv.slice(2);
void probe(provider === 'cuda' ? 'cuda' : 'cpu', Number(device ?? 0)).then((result) => {
  process.stdout.write(`${JSON.stringify(result)}\n`);
});
