import { cpSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Bundle } from '../../../src/bundle/Bundle';
import { exportBundle } from '../../../src/export/exportBundle';
import type { ExportOptions } from '../../../src/export/exportBundle';
import { readBytes, readFloat32 } from '../../../src/formats/readTensor';
import { openSafetensors, writeSafetensors } from '../../../src/formats/safetensors';
import type { TensorData } from '../../../src/formats/safetensors';
import { FastWamModel } from '../../../src/model/FastWamModel';
import { DEFAULT_EXECUTION } from '../../../src/model/execution';
import { Episode } from '../../../src/policy/Episode';
import type { ActionChunk } from '../../../src/policy/types';
import { FIXTURES, temporaryFolder } from '../../helpers';

export const MICRO = join(FIXTURES, 'lerobot', 'micro');
export const POLICY = join(MICRO, 'bf16');
export const VAE = join(MICRO, 'vae');
export const LEGACY = join(FIXTURES, 'lerobot', 'legacy');

type Json = Record<string, unknown>;

/** Files of a policy's folder that a test may change. */
export class PolicyFolder {
  readonly path = temporaryFolder();

  constructor(source = POLICY) {
    cpSync(source, this.path, { recursive: true });
    for (const name of readdirSync(this.path)) if (name.startsWith('golden')) rmSync(join(this.path, name));
  }

  json(file: string, change: (value: Json) => void): this {
    const path = join(this.path, file);
    const value = JSON.parse(readFileSync(path, 'utf8')) as Json;
    change(value);
    writeFileSync(path, JSON.stringify(value));
    return this;
  }

  config(change: Json): this {
    return this.json('config.json', (value) => Object.assign(value, change));
  }

  /** The configuration of a step of one of the pipelines; null takes the step out. */
  step(pipeline: 'pre' | 'post', name: string, change: Json | null): this {
    return this.json(`policy_${pipeline}processor.json`, (value) => {
      const steps = value.steps as { registry_name: string; config: Json }[];
      const index = steps.findIndex((step) => step.registry_name === name);
      if (change === null) steps.splice(index, 1);
      else Object.assign(steps[index]!.config, change);
    });
  }

  tensors(file: string, change: (tensors: TensorData[]) => readonly TensorData[]): this {
    const path = join(this.path, file);
    writeSafetensors(path, change(readAll(path)), openSafetensors(path).metadata);
    return this;
  }

  /** The state file of the normaliser in one of the pipelines. */
  stateFile(pipeline: 'pre' | 'post'): string {
    return readdirSync(this.path).find((name) =>
      new RegExp(`^policy_${pipeline}.*\\.safetensors$`).test(name),
    )!;
  }

  rename(from: string, to: string): this {
    renameSync(join(this.path, from), join(this.path, to));
    return this;
  }

  remove(name: string): this {
    rmSync(join(this.path, name));
    return this;
  }

  /** The weights in `count` files with an index. */
  shard(count: number, index = 'model.safetensors.index.json'): this {
    const all = readAll(join(this.path, 'model.safetensors'));
    const nameOf = (i: number): string => `model-0000${i + 1}-of-0000${count}.safetensors`;
    const map: Record<string, string> = {};
    for (let i = 0; i < count; i++) {
      const part = all.filter((_, t) => t % count === i);
      writeSafetensors(join(this.path, nameOf(i)), part);
      for (const { name } of part) map[name] = nameOf(i);
    }
    writeFileSync(join(this.path, index), JSON.stringify({ metadata: { total_size: 1 }, weight_map: map }));
    return this.remove('model.safetensors');
  }

  export(more: Partial<ExportOptions> = {}): string {
    const out = temporaryFolder();
    exportBundle({ lerobot: this.path, vae: VAE, out, ...more });
    return out;
  }
}

/** All tensors of a safetensors file with their bytes. */
export function readAll(path: string): TensorData[] {
  if (!existsSync(path)) throw new Error(`${path} does not exist`);
  return [...openSafetensors(path).tensors.values()].map((tensor) => ({
    name: tensor.name,
    dtype: tensor.dtype,
    shape: tensor.shape,
    data: readBytes(tensor),
  }));
}

/** A float32 tensor of a fixture. */
export function golden(file: string, name: string): Float32Array {
  const tensor = openSafetensors(join(FIXTURES, 'lerobot', file)).tensors.get(name);
  if (!tensor) throw new Error(`${file} has no ${name}`);
  return readFloat32(tensor);
}

export const TEXT_DIM = 40;

/** Runs chunks of the fixture's episode. @param rawNames dataset's names of the cameras, by the policy's */
export async function runEpisode(
  folder: string,
  {
    chunks = 4,
    seed = 42,
    context = golden('micro/bf16/golden.safetensors', 'fp32.text_context'),
    frames = ['front', 'wrist'],
  } = {},
): Promise<{ chunks: ActionChunk[]; bundle: Bundle }> {
  const bundle = Bundle.open(folder);
  const model = await FastWamModel.load(bundle, { ...DEFAULT_EXECUTION, threads: 1 });
  try {
    const episode = new Episode(model);
    const file = openSafetensors(join(MICRO, 'episode.safetensors'));
    const state = readFloat32(file.tensors.get('state')!);
    const width = state.length / 4;
    const results: ActionChunk[] = [];
    for (let c = 0; c < chunks; c++) {
      const cameras = new Map(
        bundle.manifest.cameras.map(({ name }, i) => {
          const tensor = file.tensors.get(`images.${frames[i % frames.length]}`)!;
          const size = tensor.byteLength / 4;
          const [, height, w] = tensor.shape as [number, number, number, number];
          const data = readBytes(tensor, c * size, size);
          return [
            name,
            { kind: 'raw' as const, encoding: 'rgb8', width: w, height, step: 3 * w, is_bigendian: 0, data },
          ] as const;
        }),
      );
      results.push(
        await episode.infer(
          {
            cameras,
            proprio: bundle.dimensions.proprioDim === 0 ? [] : state.subarray(c * width, (c + 1) * width),
            stamp: c,
            instruction: 'as the context says',
            context,
          },
          { policy: 'none', values: {}, companions: {}, noise: 'fixed', seed },
          { recordTrace: true },
        ),
      );
    }
    return { chunks: results, bundle };
  } finally {
    await model.release();
  }
}
