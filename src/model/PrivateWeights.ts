import { constants, copyFileSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { TensorFile } from '../formats/StoredTensor';
import { weightsFolder } from '../graphs/buildGraph';
import { TemporaryFolder } from '../TemporaryFolder';

/** Copies up to this size cost little beside loading; larger files are read where they lie. */
const LARGEST_COPY = 256 * 2 ** 20;

/**
 * A model's weights, which nobody can take away under a running process. onnxruntime maps files and leaves what it need not
 * convert or pack in the mapping: where somebody cuts the file, the next read would end the process (SIGBUS). Small files are
 * copied, and nobody cuts a copy that has no name; of large ones everything is read while the model loads (`detached`).
 */
export class PrivateWeights {
  readonly #copies: TemporaryFolder | undefined;

  private constructor(
    readonly policyWeights: TensorFile,
    readonly vaeWeights: TensorFile,
    copies: TemporaryFolder | undefined,
  ) {
    this.#copies = copies;
  }

  /** The files are the checkpoint's own, so that nothing of them may stay mapped. */
  get detached(): boolean {
    return this.#copies === undefined;
  }

  /** Where there is no room for copies, the files themselves are used. */
  static of(source: { readonly policyWeights: TensorFile; readonly vaeWeights: TensorFile }): PrivateWeights {
    const { policyWeights, vaeWeights } = source;
    const files = new Set([...filesOf(policyWeights), ...filesOf(vaeWeights)]);
    const size = [...files].reduce((sum, file) => sum + statSync(file).size, 0);
    if (size > LARGEST_COPY) return new PrivateWeights(policyWeights, vaeWeights, undefined);
    let folder: TemporaryFolder | undefined;
    try {
      folder = new TemporaryFolder('weights');
      const policy = copied(policyWeights, folder.join('policy'));
      const vae = copied(vaeWeights, folder.join('vae'));
      return new PrivateWeights(policy, vae, folder);
    } catch {
      folder?.remove();
      return new PrivateWeights(policyWeights, vaeWeights, undefined);
    }
  }

  /** Takes the copies away; what a session has mapped of them stays. */
  remove(): void {
    this.#copies?.remove();
  }
}

function filesOf({ tensors }: TensorFile): string[] {
  return [...new Set([...tensors.values()].map(({ file }) => file))];
}

/** The same files in the same places relative to one another, so that graphs written for the originals fit. */
function copied(weights: TensorFile, target: string): TensorFile {
  const folder = weightsFolder(weights);
  const copyOf = new Map(filesOf(weights).map((file) => [file, join(target, relative(folder, file))]));
  for (const [from, to] of copyOf) {
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(from, to, constants.COPYFILE_FICLONE);
  }
  const tensors = [...weights.tensors].map(
    ([name, tensor]) => [name, { ...tensor, file: copyOf.get(tensor.file) ?? tensor.file }] as const,
  );
  return { ...weights, tensors: new Map(tensors) };
}
