import { FileFormatError } from '../errors';
import type { StoredTensor, TensorFile } from '../formats/StoredTensor';
import {
  isDictionary,
  looksLikeTorch,
  openTensors,
  openTorchFile,
  tensorDictionary,
} from '../formats/torchFile';

const PROPRIO = 'proprio_encoder';

/**
 * The tensors of a Fast-WAM checkpoint, under `mixtures.…` and `proprio_encoder.…`. A torch file holds them as the
 * dictionaries `mot` and `proprio_encoder` (`save_checkpoint` in the original's `fastwam.py`), a safetensors file
 * under these names, with or without a leading `mot.`.
 */
export function policyTensors(path: string): TensorFile {
  if (!looksLikeTorch(path)) {
    const file = openTensors(path);
    return { ...file, tensors: renamed(file.tensors, (name) => name.replace(/^mot\./, '')) };
  }
  const { root } = openTorchFile(path);
  if (!isDictionary(root) || !isDictionary(root.get('mot'))) {
    throw new FileFormatError(
      path,
      'is not a Fast-WAM checkpoint: expected a dictionary with the keys "mot" and "proprio_encoder"',
    );
  }
  const tensors = new Map(tensorDictionary(root.get('mot'), path));
  const proprio = root.get(PROPRIO);
  if (isDictionary(proprio)) {
    for (const [name, tensor] of tensorDictionary(proprio, path)) {
      const full = `${PROPRIO}.${name}`;
      tensors.set(full, { ...tensor, name: full });
    }
  }
  return { path, tensors, metadata: {} };
}

/** The tensors of a Wan 2.2 VAE file, without the `model.` that some files put before their names. */
export function vaeTensors(path: string): TensorFile {
  const file = openTensors(path);
  return { ...file, tensors: renamed(file.tensors, (name) => name.replace(/^model\./, '')) };
}

function renamed(
  tensors: ReadonlyMap<string, StoredTensor>,
  rename: (name: string) => string,
): ReadonlyMap<string, StoredTensor> {
  return new Map([...tensors.values()].map((t) => [rename(t.name), { ...t, name: rename(t.name) }]));
}
