import { tmpdir } from 'node:os';
import { GraphBuilder } from '../onnx/GraphBuilder';
import type { ExecutionOptions } from './execution';
import { loadOnnxRuntime } from './runtime';
import { Session } from './Session';

const SIZE = 1024;

/** A plain float32 matrix product, to set an engine's speed against what the machine can do. */
export class MatrixProduct {
  /** floating-point operations of one run */
  readonly flops = 2 * SIZE ** 3;
  readonly #feeds: Parameters<Session['run']>[0];

  private constructor(private readonly session: Session) {
    const data = Float32Array.from({ length: SIZE * SIZE }, (_, i) => Math.sin(i));
    this.#feeds = { a: session.tensor('float32', data, [SIZE, SIZE]) };
  }

  static async create(options: Pick<ExecutionOptions, 'device' | 'threads'>): Promise<MatrixProduct> {
    const g = GraphBuilder.create('matrix_product');
    const a = g.input('a', 'float32', [SIZE, SIZE]);
    const b = g.initializer(
      'b',
      'float32',
      [SIZE, SIZE],
      Float32Array.from({ length: SIZE * SIZE }, (_, i) => Math.cos(i)),
    );
    g.output(g.op('MatMul', [a, b]), 'c', [SIZE, SIZE]);
    const ort = loadOnnxRuntime();
    return new MatrixProduct(await Session.create(ort, g.model('matrix product'), tmpdir(), 'cpu', options));
  }

  /** Seconds of one product. */
  async run(): Promise<number> {
    const started = performance.now();
    await this.session.run(this.#feeds);
    return (performance.now() - started) / 1000;
  }

  release(): Promise<void> {
    return this.session.release();
  }
}
