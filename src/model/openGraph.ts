import { createHash } from 'node:crypto';
import type { Bundle } from '../bundle/Bundle';
import type { Grain } from '../cache/types';
import { FileFormatError } from '../errors';
import { RangedFile } from '../formats/RangedFile';
import { GRAPH_REVISION, buildGraph, graphDescription, isDefault, weightsFolder } from '../graphs/buildGraph';
import type { GraphName, GraphSource, GraphVariant, NumberFormat } from '../graphs/buildGraph';
import { ScratchWeights } from '../graphs/ScratchWeights';
import { ONNX_TYPE } from '../graphs/Weights';
import type { TensorFile } from '../formats/StoredTensor';
import { prefillPrecision } from './execution';
import type { ExecutionOptions } from './execution';
import { PRECISIONS } from './precisions';
import type { Provider } from './precisions';
import type { OrtModule } from './runtime';
import { Session } from './Session';

/** Where weights are read from, and whether those files may change while they are used. */
type WeightSource = Pick<GraphSource, 'policyWeights' | 'vaeWeights' | 'detached'>;

/** One of a bundle's graphs, and how it is to run. */
export interface GraphToOpen {
  readonly bundle: Bundle;
  /** where its weights are read from; by default where the bundle says */
  readonly weights?: WeightSource;
  readonly ort: OrtModule;
  readonly execution: ExecutionOptions;
  readonly provider: Provider;
  readonly name: GraphName;
  /** of the expert */
  readonly grain: Grain;
  /** where a profile of its runs goes: the beginning of a file's path */
  readonly profile?: string;
}

/**
 * A graph as the bundle has it. A changed one may load, and give other actions.
 * @throws FileFormatError where it is not the one that was exported
 */
function readGraph(bundle: Bundle, name: GraphName): Uint8Array {
  const path = bundle.graphPath(name);
  const bytes = RangedFile.reading(path, (file) => file.read(0, file.size, 'the graph'));
  const recorded = bundle.manifest.graphs.sha256?.[name];
  const found = createHash('sha256').update(bytes).digest('hex');
  if (recorded !== undefined && found !== recorded) {
    throw new FileFormatError(
      path,
      'is not the graph that was exported (its SHA-256 differs); export the bundle again',
    );
  }
  return bytes;
}

/** Opens a graph: the bundle's file where that is what is asked for, else emitted for it. */
export async function openGraph(graph: GraphToOpen): Promise<Session> {
  const { bundle, ort, execution, provider, name, grain, profile } = graph;
  const weights: WeightSource = graph.weights ?? bundle;
  const { policyWeights, vaeWeights, detached: ownFiles = false } = weights;
  const format = formatOf(name, execution);
  const variant: GraphVariant = { format, fused: provider === 'cuda' && name === 'expert', grain };
  const source = name === 'vae_encoder' ? vaeWeights : policyWeights;
  const detached = ownFiles && provider === 'cpu' && staysAsStored(source, format);
  const written = bundle.manifest.graphs.revision === GRAPH_REVISION && isDefault(variant) && !detached;
  const scratch = format.linears === 'int8' ? new ScratchWeights() : undefined;
  try {
    const bytes = written
      ? readGraph(bundle, name)
      : buildGraph(name, sourceOf(bundle, { policyWeights, vaeWeights, detached }), variant, scratch).model(
          graphDescription(name),
        );
    const folder = weightsFolder(source, scratch);
    const { device, threads } = execution;
    return await Session.create(ort, bytes, folder, provider, {
      device,
      threads,
      arena: name === 'expert',
      ...(profile === undefined ? {} : { profile }),
    });
  } finally {
    scratch?.remove();
  }
}

function sourceOf({ dimensions, schedule, imageInput }: Bundle, weights: WeightSource): GraphSource {
  const { policyWeights, vaeWeights, detached = false } = weights;
  return { dimensions, schedule, imageInput, policyWeights, vaeWeights, detached };
}

/** Whether some weights need no conversion, so that onnxruntime would go on reading them in their file. */
function staysAsStored({ tensors }: TensorFile, { compute }: NumberFormat): boolean {
  return [...tensors.values()].some(({ dtype }) => ONNX_TYPE[dtype] === compute);
}

/** What a graph computes in. The context's has no blocks, whose linear layers alone are int8. */
function formatOf(name: GraphName, execution: ExecutionOptions): NumberFormat {
  const { vae, blocks } = PRECISIONS[execution.precision];
  switch (name) {
    case 'vae_encoder':
      return vae;
    case 'context':
      return { ...blocks, linears: 'float' };
    case 'prefill':
      return PRECISIONS[prefillPrecision(execution)].blocks;
    case 'expert':
      return blocks;
  }
}
