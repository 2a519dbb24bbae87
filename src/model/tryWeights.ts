import { statSync } from 'node:fs';
import type { Bundle } from '../bundle/Bundle';
import { FileFormatError } from '../errors';
import { readFloat32 } from '../formats/readTensor';
import { elementCount } from '../formats/StoredTensor';
import type { StoredTensor, TensorFile } from '../formats/StoredTensor';
import { weightsFolder } from '../graphs/buildGraph';
import { Weights } from '../graphs/Weights';
import { GraphBuilder } from '../onnx/GraphBuilder';
import { PrivateWeights } from './PrivateWeights';
import { loadOnnxRuntime } from './runtime';
import { Session, severalHardLinks } from './Session';

/** `tryWeights` with a bundle's weights as a model would load them. */
export async function tryBundle(bundle: Bundle): Promise<void> {
  const weights = PrivateWeights.of(bundle);
  try {
    await tryWeights(weights);
  } finally {
    weights.remove();
  }
}

/**
 * Lets onnxruntime read one small tensor of every weight file of a bundle, so that a file it would refuse (for its links or its
 * place) is found when the bundle is made and not on the robot.
 * @throws FastWamError with what to do
 */
export async function tryWeights(bundle: Pick<Bundle, 'policyWeights' | 'vaeWeights'>): Promise<void> {
  for (const weights of [bundle.policyWeights, bundle.vaeWeights]) await tryFile(weights);
}

async function tryFile(weights: TensorFile): Promise<void> {
  const folder = weightsFolder(weights);
  const g = GraphBuilder.create('trial');
  const source = new Weights(weights.tensors, folder, 'float32');
  const chosen = smallestOfEachFile(weights);
  // This one onnxruntime finds only in larger graphs.
  const linked = chosen.find(({ file }) => statSync(file).nlink > 1);
  if (linked) throw severalHardLinks(linked.file);
  chosen.forEach(({ name, shape }, i) =>
    g.output(g.op('Identity', [source.use(g, name)]), `tensor_${i}`, shape),
  );
  const session = await Session.create(loadOnnxRuntime(), g.model('Fast-WAM trial'), folder, 'cpu', {
    device: 0,
    threads: 1,
  });
  try {
    const out = await session.run({});
    chosen.forEach((tensor, i) => {
      const found = out[`tensor_${i}`]?.data;
      const expected = readFloat32(tensor);
      if (
        !(found instanceof Float32Array) ||
        !expected.every((value, j) => value === found[j] || Number.isNaN(value))
      ) {
        throw new FileFormatError(
          tensor.file,
          `tensor ${tensor.name} reads differently in onnxruntime; copy the file and export again`,
        );
      }
    });
  } finally {
    await session.release();
  }
}

function smallestOfEachFile({ tensors }: TensorFile): StoredTensor[] {
  const smallest = new Map<string, StoredTensor>();
  for (const tensor of tensors.values()) {
    const best = smallest.get(tensor.file);
    if (!['F64', 'F32', 'F16', 'BF16'].includes(tensor.dtype)) continue;
    if (!best || elementCount(tensor.shape) < elementCount(best.shape)) smallest.set(tensor.file, tensor);
  }
  return [...smallest.values()];
}
