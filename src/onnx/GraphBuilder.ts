import { DATA_TYPE } from './types';
import type {
  DataType,
  Dimension,
  ExternalBytes,
  Signature,
  TensorAttribute,
  TypedShape,
  Value,
} from './types';
import { WireWriter } from './WireWriter';

/** Opset 20 has a kernel for every operator used here on the CPU and the CUDA provider; IR 10 goes with it. */
const OPSET = 20;
const IR_VERSION = 10;

export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'tensor'; readonly value: TensorAttribute }
  | { readonly kind: 'graph'; readonly value: GraphBuilder };

export const int = (value: number): Attribute => ({ kind: 'int', value });
export const float = (value: number): Attribute => ({ kind: 'float', value });
export const text = (value: string): Attribute => ({ kind: 'string', value });
export const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value });
export const tensor = (value: TensorAttribute): Attribute => ({ kind: 'tensor', value });
export const graph = (value: GraphBuilder): Attribute => ({ kind: 'graph', value });

export interface NodeOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly domain?: '' | 'com.microsoft';
  /** stem of the node's and its outputs' names */
  readonly name?: string;
}

/** A value and the shape that it has. */
export interface ShapedValue {
  readonly value: Value;
  readonly shape: readonly Dimension[];
}

/** A Loop that runs `count` times; there is no other condition. `C` are what it carries on, `S` what it collects. */
export interface LoopOptions<C extends string, S extends string> {
  readonly name: string;
  /** int64 scalar */
  readonly count: Value;
  /** what the first iteration starts from */
  readonly carried: Readonly<Record<C, ShapedValue>>;
  /**
   * Emits one iteration.
   * @param carried what the iteration before handed on
   * @returns what goes to the next iteration, and what is collected: the Loop's output has one more axis in front
   */
  readonly body: (
    g: GraphBuilder,
    iteration: Value,
    carried: Readonly<Record<C, Value>>,
  ) => {
    readonly carried: Readonly<Record<C, Value>>;
    readonly collected: Readonly<Record<S, ShapedValue>>;
  };
}

/** Names are unique within a model: an inner graph that repeats an outer name would silently shadow it. */
class NameScope {
  readonly #taken = new Map<string, number>();

  unique(stem: string): string {
    const seen = this.#taken.get(stem) ?? 0;
    this.#taken.set(stem, seen + 1);
    return seen === 0 ? stem : this.unique(`${stem}.${seen}`);
  }
}

const bytesOf = (view: ArrayBufferView): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/**
 * Builds one ONNX graph node by node. Inner graphs (bodies of Loop, branches of If) come from `inner()` and may
 * use values of the graphs around them.
 */
export class GraphBuilder {
  readonly #names: NameScope;
  readonly #name: string;
  readonly #nodes = new WireWriter();
  readonly #initializers = new WireWriter();
  readonly #inputs = new WireWriter();
  readonly #outputs = new WireWriter();
  readonly #constants = new Map<string, Value>();

  private constructor(name: string, names: NameScope) {
    this.#name = name;
    this.#names = names;
  }

  /** A new top-level graph. */
  static create(name: string): GraphBuilder {
    return new GraphBuilder(name, new NameScope());
  }

  /** A graph for the body of a Loop or the branch of an If. */
  inner(name: string): GraphBuilder {
    return new GraphBuilder(this.#names.unique(name), this.#names);
  }

  /** Declares an input; its name is taken as given and must not occur twice. */
  input(name: string, type: DataType, shape: readonly Dimension[]): Value {
    const value = { name: this.#names.unique(name), type };
    this.#inputs.message(11, valueInfo(value, shape));
    return value;
  }

  /** Declares the inputs of a signature. */
  inputs<K extends string>(signature: Signature<K>): Readonly<Record<K, Value>> {
    return mapValues(signature, ({ type, shape }, name) => this.input(name, type, shape));
  }

  /** Declares the outputs of a signature. */
  outputs<K extends string>(signature: Signature<K>, values: Readonly<Record<NoInfer<K>, Value>>): void {
    for (const [name, { type, shape }] of entries<K, TypedShape>(signature)) {
      const value = values[name];
      if (value.type !== type) throw new Error(`output ${name} is ${type}, its value ${value.type}`);
      this.output(value, name, shape);
    }
  }

  /** Declares an output under `name` (an Identity is placed where the value has another name). */
  output(value: Value, name: string, shape: readonly Dimension[]): void {
    const named = { name: this.#names.unique(name), type: value.type };
    this.#emit('Identity', [value], [named], {});
    this.#outputs.message(12, valueInfo(named, shape));
  }

  /** Declares `value` itself as an output, for inner graphs, whose outputs are matched by position. */
  yield(value: Value, shape: readonly Dimension[]): void {
    this.#outputs.message(12, valueInfo(value, shape));
  }

  /** Adds a node with one output. */
  op(
    type: string,
    inputs: readonly (Value | undefined)[],
    options: NodeOptions = {},
    result?: DataType,
  ): Value {
    const outType = result ?? inputs[0]?.type ?? 'float32';
    const out = { name: this.#names.unique(options.name ?? type), type: outType };
    this.#emit(type, inputs, [out], options);
    return out;
  }

  /** Adds a node with several outputs of the given types; those without one are left out. */
  ops(
    type: string,
    inputs: readonly (Value | undefined)[],
    results: readonly (DataType | undefined)[],
    options: NodeOptions = {},
  ): Value[] {
    const stem = options.name ?? type;
    const outs = results.map((t, i) => t && { name: this.#names.unique(`${stem}_${i}`), type: t });
    this.#emit(type, inputs, outs, options);
    return outs.filter((out) => out !== undefined);
  }

  /** Adds a Loop. @returns what was carried to its end, and what was collected, by name */
  loop<C extends string, S extends string>(options: LoopOptions<C, S>): Readonly<Record<C | S, Value>> {
    const { name } = options;
    const body = this.inner(name);
    const iteration = body.input(`${name}.iteration`, 'int64', []);
    const condition = body.input(`${name}.condition`, 'bool', []);
    const carried = mapValues(options.carried, ({ value, shape }, key) =>
      body.input(`${name}.${key}`, value.type, shape),
    );
    const step = options.body(body, iteration, carried);
    body.yield(body.op('Identity', [condition]), []);
    const keys = Object.keys(options.carried) as C[];
    for (const key of keys) body.yield(step.carried[key], options.carried[key].shape);
    const collected = entries<S, ShapedValue>(step.collected);
    for (const [, { value, shape }] of collected) body.yield(value, shape);
    const names: (C | S)[] = [...keys, ...collected.map(([key]) => key)];
    const types = [
      ...keys.map((key) => options.carried[key].value.type),
      ...collected.map(([, { value }]) => value.type),
    ];
    const outs = this.ops(
      'Loop',
      [options.count, undefined, ...keys.map((key) => options.carried[key].value)],
      types,
      { attributes: { body: graph(body) }, name },
    );
    return Object.fromEntries(names.map((key, i) => [key, outs[i]])) as Record<C | S, Value>;
  }

  /** An initializer whose bytes are part of the model. */
  initializer(name: string, type: DataType, shape: readonly number[], data: ArrayBufferView): Value {
    const value = { name: this.#names.unique(name), type };
    this.#initializers.message(5, tensorProto(value.name, { type, shape, data }));
    return value;
  }

  /** An initializer whose bytes lie in another file. */
  external(name: string, type: DataType, shape: readonly number[], bytes: ExternalBytes): Value {
    const value = { name: this.#names.unique(name), type };
    const proto = tensorHeader(type, shape).text(8, value.name);
    const entries = {
      location: bytes.location,
      offset: String(bytes.offset),
      length: String(bytes.byteLength),
    };
    for (const [key, entry] of Object.entries(entries)) {
      proto.message(13, new WireWriter().text(1, key).text(2, entry));
    }
    proto.integer(14, 1); // data_location = EXTERNAL
    this.#initializers.message(5, proto);
    return value;
  }

  /** A small int64 constant; equal ones are shared within this graph. An array is 1-D, a number a scalar. */
  int64(value: number | readonly number[]): Value {
    const list = typeof value === 'number' ? [value] : value;
    const shape = typeof value === 'number' ? [] : [list.length];
    return this.#constant(
      `i64_${shape.length}_${list.join('_')}`,
      'int64',
      shape,
      BigInt64Array.from(list, BigInt),
    );
  }

  /** The same of int32. */
  int32(value: number | readonly number[]): Value {
    const list = typeof value === 'number' ? [value] : value;
    const shape = typeof value === 'number' ? [] : [list.length];
    return this.#constant(`i32_${shape.length}_${list.join('_')}`, 'int32', shape, Int32Array.from(list));
  }

  /** A float32 scalar constant. */
  float32(value: number): Value {
    return this.#constant(`f32_${value}`, 'float32', [], Float32Array.of(value));
  }

  #constant(key: string, type: DataType, shape: readonly number[], data: ArrayBufferView): Value {
    const known = this.#constants.get(key);
    if (known) return known;
    const value = this.initializer(key, type, shape, data);
    this.#constants.set(key, value);
    return value;
  }

  #emit(
    type: string,
    inputs: readonly (Value | undefined)[],
    outputs: readonly (Value | undefined)[],
    options: NodeOptions,
  ): void {
    const node = new WireWriter();
    for (const input of inputs) node.text(1, input?.name ?? '');
    for (const output of outputs) node.text(2, output?.name ?? '');
    node.text(3, this.#names.unique(`${options.name ?? type}_node`)).text(4, type);
    for (const [name, attribute] of Object.entries(options.attributes ?? {})) {
      node.message(5, attributeProto(name, attribute));
    }
    if (options.domain) node.text(7, options.domain);
    this.#nodes.message(1, node);
  }

  /** GraphProto of this graph. */
  proto(): WireWriter {
    return new WireWriter()
      .fields(this.#nodes)
      .text(2, this.#name)
      .fields(this.#initializers)
      .fields(this.#inputs)
      .fields(this.#outputs);
  }

  /** The whole model, ready to be written or loaded. */
  model(description: string): Uint8Array {
    const model = new WireWriter()
      .integer(1, IR_VERSION)
      .text(2, 'fast-wam-policy')
      .text(6, description)
      .message(7, this.proto());
    for (const [domain, version] of [
      ['', OPSET],
      ['com.microsoft', 1],
    ] as const) {
      model.message(8, new WireWriter().text(1, domain).integer(2, version));
    }
    return model.bytes();
  }
}

const entries = <K extends string, V>(record: Readonly<Record<K, V>>): [K, V][] =>
  Object.entries(record) as [K, V][];

function mapValues<K extends string, V, W>(
  record: Readonly<Record<K, V>>,
  map: (value: V, key: K) => W,
): Record<K, W> {
  return Object.fromEntries(entries<K, V>(record).map(([key, value]) => [key, map(value, key)])) as Record<
    K,
    W
  >;
}

function tensorHeader(type: DataType, shape: readonly number[]): WireWriter {
  const proto = new WireWriter();
  for (const d of shape) proto.integer(1, d);
  return proto.integer(2, DATA_TYPE[type]);
}

function tensorProto(name: string, value: TensorAttribute): WireWriter {
  return tensorHeader(value.type, value.shape).text(8, name).raw(9, bytesOf(value.data));
}

function valueInfo(value: Value, shape: readonly Dimension[]): WireWriter {
  const dims = new WireWriter();
  for (const d of shape) {
    dims.message(1, typeof d === 'number' ? new WireWriter().integer(1, d) : new WireWriter().text(2, d));
  }
  const tensorType = new WireWriter().integer(1, DATA_TYPE[value.type]).message(2, dims);
  return new WireWriter().text(1, value.name).message(2, new WireWriter().message(1, tensorType));
}

/** Field numbers and `AttributeProto.type` values of onnx.proto3. */
function attributeProto(name: string, attribute: Attribute): WireWriter {
  const proto = new WireWriter().text(1, name);
  switch (attribute.kind) {
    case 'float':
      return proto.float(2, attribute.value).integer(20, 1);
    case 'int':
      return proto.integer(3, attribute.value).integer(20, 2);
    case 'string':
      return proto.text(4, attribute.value).integer(20, 3);
    case 'tensor':
      return proto.message(5, tensorProto('', attribute.value)).integer(20, 4);
    case 'graph':
      return proto.message(6, attribute.value.proto()).integer(20, 5);
    case 'ints':
      for (const i of attribute.value) proto.integer(8, i);
      return proto.integer(20, 7);
  }
}
