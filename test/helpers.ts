import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bundle } from '../src/bundle/Bundle';
import type { PolicySettings } from '../src/cache/choice';
import { exportBundle } from '../src/export/exportBundle';
import { readFloat32 } from '../src/formats/readTensor';
import { openSafetensors } from '../src/formats/safetensors';

/** Settings as a node begins with them. */
export const DEFAULT_SETTINGS: PolicySettings = {
  policy: 'c3ache',
  values: {},
  companions: {},
  noise: 'fixed',
  seed: 42,
};

export const FIXTURES = join(__dirname, 'fixtures');

/** ‖a − b‖₂ / ‖b‖₂ over whole tensors. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    norm += b[i]! ** 2;
  }
  return Math.sqrt(difference / norm);
}

/** Folders made during a test file; removed by `removeFolders`. */
const folders: string[] = [];

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fast-wam-test-'));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** A golden case: its bundle, exported anew, and the original's tensors. */
export interface GoldenCase {
  readonly bundle: Bundle;
  readonly folder: string;
  readonly inputs: string;
  readonly task: string;
  readonly chunks: number;
  tensor(name: string): Float32Array;
  shape(name: string): readonly number[];
  readonly names: readonly string[];
}

export function goldenCase(name: string): GoldenCase {
  const source = join(FIXTURES, name);
  const out = temporaryFolder();
  exportBundle({
    checkpoint: join(source, 'fastwam.pt'),
    vae: join(source, 'vae_encoder.pth'),
    textEmbeds: join(source, 'text_embeds'),
    config: join(source, 'config.json'),
    out,
  });
  const inputs = join(source, 'episode.safetensors');
  const file = openSafetensors(inputs);
  const { prompt } = JSON.parse(readFileSync(join(source, 'config.json'), 'utf8')) as { prompt: string };
  return {
    bundle: Bundle.open(out),
    folder: out,
    inputs,
    task: prompt.split('instruction: ')[1]!,
    chunks: file.tensors.get('images')!.shape[0]!,
    tensor: (tensor) => readFloat32(file.tensors.get(tensor)!),
    shape: (tensor) => file.tensors.get(tensor)!.shape,
    names: [...file.tensors.keys()],
  };
}
