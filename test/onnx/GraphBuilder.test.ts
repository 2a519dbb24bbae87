import { describe, expect, it } from 'vitest';
import { loadOnnxRuntime } from '../../src/model/runtime';
import { GraphBuilder, graph } from '../../src/onnx/GraphBuilder';
import { WireWriter } from '../../src/onnx/WireWriter';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('WireWriter', () => {
  it('writes the examples of the protobuf encoding guide', () => {
    // protobuf.dev/programming-guides/encoding: {a: 150} is 08 96 01; {b: "testing"} is 12 07 74 65 …; {c: {a: 150}} is 1a 03 …
    expect(hex(new WireWriter().integer(1, 150).bytes())).toBe('089601');
    expect(hex(new WireWriter().text(2, 'testing').bytes())).toBe('120774657374696e67');
    expect(hex(new WireWriter().message(3, new WireWriter().integer(1, 150)).bytes())).toBe('1a03089601');
  });

  it('writes negative integers as ten bytes of two’s complement', () => {
    expect(hex(new WireWriter().integer(1, -2).bytes())).toBe('08feffffffffffffffff01');
  });
});

describe('GraphBuilder', () => {
  const run = async (g: GraphBuilder, feeds: Record<string, Float32Array>) => {
    const ort = loadOnnxRuntime();
    const session = await ort.InferenceSession.create(g.model('test'));
    const tensors = Object.entries(feeds).map(([k, v]) => [k, new ort.Tensor('float32', v, [v.length])]);
    const out = await session.run(Object.fromEntries(tensors) as Parameters<typeof session.run>[0]);
    await session.release();
    return out;
  };

  it('builds a graph that onnxruntime runs', async () => {
    const g = GraphBuilder.create('sum');
    const x = g.input('x', 'float32', ['n']);
    const w = g.initializer('w', 'float32', [2], Float32Array.of(10, 20));
    g.output(g.op('Add', [x, w]), 'y', ['n']);
    const { y } = await run(g, { x: Float32Array.of(1, 2) });
    expect(y!.data).toEqual(Float32Array.of(11, 22));
  });

  it('gives what a Loop carried and collected by name, in whatever order its body returns it', async () => {
    const g = GraphBuilder.create('growth');
    const inputs = g.inputs({ x: { type: 'float32', shape: [1] }, step: { type: 'float32', shape: [1] } });
    const steps = g.loop({
      name: 'grow',
      count: g.int64(3),
      carried: { x: { value: inputs.x, shape: [1] }, power: { value: inputs.step, shape: [1] } },
      body: (body, _iteration, { x, power }) => ({
        carried: { power: body.op('Mul', [power, inputs.step]), x: body.op('Add', [x, power]) },
        collected: {
          added: { value: body.op('Identity', [power]), shape: [1] },
          before: { value: body.op('Identity', [x]), shape: [1] },
        },
      }),
    });
    const all = { type: 'float32', shape: ['n', 1] } as const;
    const one = { type: 'float32', shape: [1] } as const;
    g.outputs(
      { x_out: one, power_out: one, before: all, added: all },
      { ...steps, x_out: steps.x, power_out: steps.power },
    );
    const out = await run(g, { x: Float32Array.of(10), step: Float32Array.of(2) });
    // 10 + 2 + 4 + 8
    expect(out.x_out!.data).toEqual(Float32Array.of(24));
    expect(out.power_out!.data).toEqual(Float32Array.of(16));
    expect(out.before!.data).toEqual(Float32Array.of(10, 12, 16));
    expect(out.added!.data).toEqual(Float32Array.of(2, 4, 8));
  });

  it('refuses an output of another type than its signature says', () => {
    const g = GraphBuilder.create('wrong');
    const x = g.input('x', 'float32', [1]);
    expect(() => g.outputs({ y: { type: 'bool', shape: [1] } }, { y: x })).toThrow(
      'output y is bool, its value float32',
    );
  });

  it('keeps names unique across a graph and its inner graphs, where a repeated one would shadow the outer', async () => {
    const g = GraphBuilder.create('branches');
    const x = g.input('x', 'float32', [1]);
    const positive = g.op('Greater', [x, g.float32(0)], {}, 'bool');
    const branch = (value: number) => {
      const inner = g.inner('branch');
      inner.yield(inner.op('Mul', [x, inner.float32(value)]), [1]);
      return inner;
    };
    const scalar = g.op('Squeeze', [positive], {}, 'bool');
    const y = g.op(
      'If',
      [scalar],
      { attributes: { then_branch: graph(branch(2)), else_branch: graph(branch(-3)) } },
      'float32',
    );
    g.output(y, 'y', [1]);
    expect((await run(g, { x: Float32Array.of(5) })).y!.data).toEqual(Float32Array.of(10));
    expect((await run(g, { x: Float32Array.of(-5) })).y!.data).toEqual(Float32Array.of(15));
  });

  it('emits the same bytes for the same graph', () => {
    const build = () => {
      const g = GraphBuilder.create('same');
      g.output(g.op('Relu', [g.input('x', 'float32', ['n'])]), 'y', ['n']);
      return g.model('same');
    };
    expect(build()).toEqual(build());
  });
});
