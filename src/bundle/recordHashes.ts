import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { checkZipContent } from '../formats/torchFile';
import { writeAtomically } from '../formats/writeAtomically';
import { FileFormatError, messageOf } from '../errors';
import { MANIFEST_FILE, readManifest } from './Bundle';
import { fingerprint } from './fingerprint';
import type { Bundle, WeightFile } from './Bundle';
import type { BundleManifest } from './schema';

/** A file of a bundle and whether it is still what was recorded. */
export interface VerifiedFile {
  readonly path: string;
  readonly sha256: string;
  /** `unrecorded`: the bundle was exported without hashes, or with `--hash later` */
  readonly verdict: 'same' | 'differs' | 'unrecorded';
  /** what is wrong inside it, where its own check sums say so */
  readonly damage?: string;
}

type Progress = (bytes: number) => void;

/** SHA-256 of a whole file, in hex. */
export async function contentHash(path: string, onProgress: Progress = () => undefined): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 4 << 20 })) {
    hash.update(piece as Buffer);
    onProgress((piece as Buffer).length);
  }
  return hash.digest('hex');
}

/** Hashes every file of weights and graphs and compares with what `bundle.json` records; zips' own check sums too. */
export async function verifyFiles(bundle: Bundle, onProgress?: Progress): Promise<readonly VerifiedFile[]> {
  const { sha256: graphs = {} } = bundle.manifest.graphs;
  const files = [
    ...bundle.weightFiles().map(({ path, sha256 }) => ({ path, recorded: sha256, weights: true })),
    ...GRAPHS.map((name) => ({ path: bundle.graphPath(name), recorded: graphs[name], weights: false })),
  ];
  const verified: VerifiedFile[] = [];
  for (const { path, recorded, weights } of files) {
    const sha256 = await contentHash(path, onProgress);
    const verdict = recorded === undefined ? 'unrecorded' : recorded === sha256 ? 'same' : 'differs';
    const damage = weights ? damageOf(path) : undefined;
    verified.push({ path, sha256, verdict, ...(damage !== undefined && { damage }) });
  }
  return verified;
}

export const GRAPHS = ['vae_encoder', 'context', 'prefill', 'expert'] as const;

function damageOf(path: string): string | undefined {
  try {
    checkZipContent(path);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/**
 * Hashes the files of a bundle and records the hashes in its `bundle.json`, which is replaced as a whole. Each weight
 * file must still be the one that the bundle was exported from, before and after.
 * @throws FileFormatError where a file or the bundle changed or went away meanwhile
 */
export async function recordHashes(bundle: Bundle, onProgress: Progress = () => undefined): Promise<void> {
  const path = join(bundle.folder, MANIFEST_FILE);
  const hashes = new Map<string, string>();
  for (const file of bundle.weightFiles()) {
    if (hashes.has(keyOf(file))) continue;
    const sha256 = await contentHash(file.path, (bytes) => {
      // Hours of hashing for nobody, where the folder was deleted.
      if (!existsSync(path)) throw new FileFormatError(path, 'was removed while its weights were hashed');
      onProgress(bytes);
    });
    if (fingerprint(file.path).fingerprint !== file.fingerprint) {
      throw new FileFormatError(
        file.path,
        `is not the file that ${path} was exported from (fingerprint differs), so its hash is not recorded; export the bundle again`,
      );
    }
    hashes.set(keyOf(file), sha256);
  }
  // Read again: instructions may have been added meanwhile, or the bundle was exported again from other weights.
  const manifest = readManifest(path);
  const hashed = <T extends Pick<WeightFile, 'path' | 'fingerprint'>>(reference: T): T => {
    const sha256 = hashes.get(keyOf({ ...reference, path: resolve(bundle.folder, reference.path) }));
    return sha256 === undefined ? reference : { ...reference, sha256 };
  };
  const withHashes = (weights: BundleManifest['weights']['policy']): BundleManifest['weights']['policy'] => ({
    ...hashed(weights),
    ...(weights.shards && { shards: weights.shards.map(hashed) }),
  });
  const { policy, vae } = manifest.weights;
  const changed: BundleManifest = {
    ...manifest,
    weights: { ...manifest.weights, policy: withHashes(policy), vae: withHashes(vae) },
    graphs: { ...manifest.graphs, sha256: graphHashes(bundle) },
  };
  writeAtomically(path, (sink) => sink.write(Buffer.from(`${JSON.stringify(changed, null, 2)}\n`)));
}

/** The same path may be given other content by a second export. */
const keyOf = ({ path, fingerprint: content }: Pick<WeightFile, 'path' | 'fingerprint'>): string =>
  `${content} ${path}`;

function graphHashes(bundle: Bundle): Record<string, string> {
  return Object.fromEntries(
    GRAPHS.map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(bundle.graphPath(name)))
        .digest('hex'),
    ]),
  );
}
