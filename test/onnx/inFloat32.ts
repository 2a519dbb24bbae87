import { DATA_TYPE } from '../../src/onnx/types';
import { WireWriter } from '../../src/onnx/WireWriter';
import { messages, number, parse, texts } from './protobuf';
import type { Field, Message } from './protobuf';

/** Operators that hand on their input as it is, so that nothing is rounded anew. */
const VIEWS = ['Identity', 'Reshape', 'Squeeze', 'Unsqueeze', 'Split', 'Gather', 'Transpose', 'Concat'];

const { float32, bfloat16 } = DATA_TYPE;

/**
 * A graph of bfloat16, for which the CPU has hardly any kernel, as one of float32: the same operators on the same
 * weights.
 * @param rounding `bfloat16` rounds what each operator gives to bfloat16, as its kernel would; `none` leaves it exact
 */
export function inFloat32(model: Uint8Array, rounding: 'none' | 'bfloat16'): Uint8Array {
  const out = new WireWriter();
  copy(parse(model), out, (field, value) => {
    if (field !== 7) return false;
    out.message(7, new GraphInFloat32(rounding).rewrite(parse(value as Uint8Array)));
    return true;
  });
  return out.bytes();
}

class GraphInFloat32 {
  /** names of what was of type bfloat16, here and in graphs around */
  readonly #halves: Set<string>;

  constructor(
    private readonly rounding: 'none' | 'bfloat16',
    outer: ReadonlySet<string> = new Set(),
  ) {
    this.#halves = new Set(outer);
  }

  rewrite(graph: Message): WireWriter {
    const nodes = new WireWriter();
    const rest = new WireWriter();
    for (const tensor of messages(graph, 5)) {
      const [name] = texts(tensor, 8) as [string];
      const half = number(tensor, 2) === bfloat16;
      const own = new WireWriter();
      copy(tensor, own, (field) => {
        if (field !== 8) return false;
        own.text(8, half ? `${name}.stored` : name);
        return true;
      });
      rest.message(5, own);
      if (!half) continue;
      this.#halves.add(name);
      cast(nodes, `${name}.stored`, name, float32);
    }
    for (const node of messages(graph, 1)) this.#node(node, nodes);
    copy(graph, rest, (field) => field === 1 || field === 5);
    return new WireWriter().fields(nodes).fields(rest);
  }

  #node(node: Message, nodes: WireWriter): void {
    const [op] = texts(node, 4) as [string];
    const [inputs, outputs] = [texts(node, 1), texts(node, 2)];
    const to = op === 'Cast' ? number(messages(node, 5)[0]!, 3) : undefined;
    const half = to === undefined ? this.#halves.has(inputs[0]!) : to === bfloat16;
    const rounds = half && this.rounding === 'bfloat16' && !VIEWS.includes(op);
    const made = (name: string): string => (rounds && name !== '' ? `${name}.exact` : name);
    if (half && op !== 'Loop') outputs.forEach((name) => this.#halves.add(name));
    const own = new WireWriter();
    if (to === bfloat16) {
      cast(nodes, inputs[0]!, made(outputs[0]!), float32);
    } else {
      copy(node, own, (field, value) => {
        if (field === 2) own.text(2, made(Buffer.from(value as Uint8Array).toString()));
        else if (field === 5) own.message(5, this.#attribute(parse(value as Uint8Array)));
        else return false;
        return true;
      });
      nodes.message(1, own);
    }
    if (!rounds) return;
    for (const name of outputs.filter((output) => output !== '')) {
      cast(nodes, made(name), `${name}.rounded`, bfloat16);
      cast(nodes, `${name}.rounded`, name, float32);
    }
  }

  #attribute(attribute: Message): WireWriter {
    const out = new WireWriter();
    copy(attribute, out, (field, value) => {
      if (field !== 6) return false;
      out.message(6, new GraphInFloat32(this.rounding, this.#halves).rewrite(parse(value as Uint8Array)));
      return true;
    });
    return out;
  }
}

function cast(nodes: WireWriter, from: string, to: string, type: number): void {
  const attribute = new WireWriter().text(1, 'to').integer(3, type).integer(20, 2);
  nodes.message(
    1,
    new WireWriter().text(1, from).text(2, to).text(3, `${to}.cast`).text(4, 'Cast').message(5, attribute),
  );
}

/** Writes a message's fields, but for those that `replace` has written itself. */
function copy(message: Message, out: WireWriter, replace: (field: number, value: Field) => boolean): void {
  for (const [field, values] of message) {
    for (const value of values) {
      if (replace(field, value)) continue;
      if (typeof value === 'bigint') out.integer(field, value);
      else if (typeof value === 'number') out.float(field, value);
      else out.raw(field, value);
    }
  }
}
