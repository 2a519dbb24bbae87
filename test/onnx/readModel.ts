import { messages, number, parse, texts } from './protobuf';
import type { Message } from './protobuf';

/** One node of a graph (fields of onnx.proto3's NodeProto). */
export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** graphs among its attributes: the body of a Loop, the branches of an If */
  readonly graphs: readonly Graph[];
}

export interface Graph {
  readonly nodes: readonly Node[];
  readonly initializers: readonly string[];
}

export function readModel(bytes: Uint8Array): Graph {
  return readGraph(messages(parse(bytes), 7)[0]!);
}

function readGraph(graph: Message): Graph {
  return {
    nodes: messages(graph, 1).map((node) => ({
      op: texts(node, 4)[0]!,
      inputs: texts(node, 1),
      outputs: texts(node, 2),
      graphs: messages(node, 5)
        .filter((attribute) => number(attribute, 20) === 5)
        .map((attribute) => readGraph(messages(attribute, 6)[0]!)),
    })),
    initializers: messages(graph, 5).map((tensor) => texts(tensor, 8)[0]!),
  };
}

/** The body of the only Loop. */
export function loopBody(graph: Graph): Graph {
  const [loop] = graph.nodes.filter((node) => node.op === 'Loop');
  return loop!.graphs[0]!;
}

/** Nodes that are left when onnxruntime has loaded the graph: those that depend on constants alone are folded. */
export function unfolded(graph: Graph, outer: readonly string[] = []): Node[] {
  const constant = new Set([...graph.initializers, ...outer]);
  return graph.nodes.filter((node) => {
    const inputs = node.inputs.filter((name) => name !== '');
    const folds = node.graphs.length === 0 && inputs.length > 0 && inputs.every((name) => constant.has(name));
    if (folds) node.outputs.forEach((name) => constant.add(name));
    return !folds;
  });
}

/** How often each operator occurs. */
export function countOps(nodes: readonly Node[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { op } of nodes) counts[op] = (counts[op] ?? 0) + 1;
  return counts;
}
