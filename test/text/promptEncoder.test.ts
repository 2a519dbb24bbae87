import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cleaning } from '../../src/bundle/schema';
import { FileFormatError, InputError, UsageError } from '../../src/errors';
import { readBytes, readFloat32, readFloat64 } from '../../src/formats/readTensor';
import { openSafetensors, writeSafetensors } from '../../src/formats/safetensors';
import type { TensorData } from '../../src/formats/safetensors';
import { openTensors } from '../../src/formats/torchFile';
import { positionBucket } from '../../src/text/encoderGraph';
import { PromptEncoder } from '../../src/text/PromptEncoder';
import { removeFolders, temporaryFolder } from '../helpers';

const MICRO = 'test/fixtures/umt5_micro';
const golden = JSON.parse(readFileSync(`${MICRO}/golden.json`, 'utf8')) as {
  max_len: number;
  texts: string[];
};
const { tensors } = openSafetensors(`${MICRO}/golden.safetensors`);
const LENGTH = golden.max_len;
const DIM = 40;
/** This one holds special tokens, which an encoder refuses. */
const SPECIAL = 37;

/** Largest difference to rows of a golden tensor; `rows` says which texts it has. */
async function worst(
  encoder: PromptEncoder,
  cleaning: Cleaning,
  want: Float32Array,
  rows: readonly number[],
): Promise<number> {
  const asked = rows.map((text, row) => ({ text, row })).filter(({ text }) => text !== SPECIAL);
  const { prompts } = await encoder.encode(
    asked.map(({ text }) => golden.texts[text]!),
    { cleaning, contextLength: LENGTH, threads: 1 },
  );
  let largest = 0;
  asked.forEach(({ row }, i) => {
    const context = new Float32Array(LENGTH * DIM);
    context.set(prompts[i]!.rows);
    context.forEach((x, j) => (largest = Math.max(largest, Math.abs(x - want[row * LENGTH * DIM + j]!))));
  });
  return largest;
}

const allTexts = golden.texts.map((_, i) => i);

describe('contexts of the golden encoder', () => {
  it.each(['text_encoder', 'text_encoder_sharded_bf16', 'models_t5_umt5.pth', '.'])(
    "of %s are transformers' and the original's to 2e-5",
    async (name) => {
      const encoder = PromptEncoder.open(join(MICRO, name));
      expect(await worst(encoder, 'none', readFloat32(tensors.get('embed')!), allTexts)).toBeLessThan(2e-5);
      const rows = [...readFloat64(tensors.get('upstream.rows')!)];
      const upstream = readFloat32(tensors.get('upstream.embed')!);
      expect(await worst(encoder, 'upstream', upstream, rows)).toBeLessThan(2e-5);
    },
  );

  it('are the same bits from a .pth, from shards, and from one file', async () => {
    const contexts = await Promise.all(
      ['text_encoder', 'text_encoder_sharded_bf16', 'models_t5_umt5.pth'].map(async (name) => {
        const options = { cleaning: 'none', contextLength: LENGTH, threads: 1 } as const;
        const { prompts } = await PromptEncoder.open(join(MICRO, name)).encode([golden.texts[7]!], options);
        return prompts[0]!.rows;
      }),
    );
    expect(contexts[1]).toEqual(contexts[0]);
    expect(contexts[2]).toEqual(contexts[0]);
  });

  it('position buckets are the golden ones', () => {
    const distances = readFloat64(tensors.get('bucket.rel')!);
    const buckets = [...distances].map((distance) => positionBucket(distance, 32, 128));
    expect(buckets).toEqual([...readFloat64(tensors.get('bucket.id')!)]);
  });

  it('an over-long prompt is cut before the end mark, and it is said by how much', () => {
    const encoder = PromptEncoder.open(MICRO);
    const { ids, cut } = encoder.tokenize(golden.texts[39]!, 'none', LENGTH);
    expect(ids).toHaveLength(LENGTH);
    expect(ids.at(-1)).toBe(1);
    expect(cut).toBeGreaterThan(0);
  });

  it('an empty text has the end mark alone', () => {
    expect(PromptEncoder.open(MICRO).tokenize('', 'upstream', LENGTH)).toEqual({ ids: [1], cut: 0 });
  });
});

describe('a text longer than any instruction', () => {
  it('is refused before it is looked at, however long it is', () => {
    const encoder = PromptEncoder.open(MICRO);
    const text = 'pick up '.repeat(2 ** 20);
    expect(() => encoder.tokenize(text, 'upstream', LENGTH)).toThrow(
      /^a prompt of 8388608 characters is longer than any instruction; .* at most 16384 characters$/,
    );
    expect(encoder.tokenize('a'.repeat(16_384), 'upstream', LENGTH).ids).toHaveLength(LENGTH);
  });
});

describe('special tokens that somebody typed', () => {
  it.each(['pick up </s>', 'a <extra_id_0> b', 'pick &lt;/s&gt; up', 'pick ＜pad＞ up'])(
    'are refused: %s',
    (text) => {
      const encoder = PromptEncoder.open(MICRO);
      expect(() => encoder.tokenize(text, 'upstream', LENGTH)).toThrow(InputError);
      expect(() => encoder.tokenize(text, 'upstream', LENGTH)).toThrow(/mark of its own; leave it out/);
    },
  );
});

/** A copy of an encoder whose tensors were changed; null leaves one out. */
function changed(
  folder: string,
  change: (name: string, tensor: TensorData) => TensorData | null,
  source = `${MICRO}/text_encoder/model.safetensors`,
): string {
  mkdirSync(folder, { recursive: true });
  const entries = [...openTensors(source).tensors.values()].flatMap((tensor) => {
    const data = { name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, data: readBytes(tensor) };
    return change(tensor.name, data) ?? [];
  });
  writeSafetensors(join(folder, 'model.safetensors'), entries);
  copyFileSync(`${MICRO}/tokenizer.json`, join(folder, 'tokenizer.json'));
  return folder;
}

let folder: string;
beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(removeFolders);

describe('files of an encoder', () => {
  it("in DiffSynth's container (the original's names in safetensors) give the same encoder", () => {
    const converted = changed(
      join(folder, 'converted'),
      (_, tensor) => tensor,
      `${MICRO}/models_t5_umt5.pth`,
    );
    expect(PromptEncoder.open(converted).fingerprint).toBe(
      PromptEncoder.open(`${MICRO}/text_encoder`).fingerprint,
    );
  });

  it('are identified by their weights, in every container and element type', () => {
    const { fingerprint } = PromptEncoder.open(`${MICRO}/text_encoder`);
    for (const name of ['text_encoder_sharded_bf16', 'models_t5_umt5.pth']) {
      expect(PromptEncoder.open(join(MICRO, name)).fingerprint).toBe(fingerprint);
    }
    const other = changed(join(folder, 'other'), (name, tensor) =>
      name === 'encoder.final_layer_norm.weight'
        ? { ...tensor, data: new Uint8Array(tensor.data.byteLength) }
        : tensor,
    );
    expect(PromptEncoder.open(other).fingerprint).not.toBe(fingerprint);
  });

  it('are found through the links of a cache, with the tokenizer beside', async () => {
    const blobs = join(folder, 'hub', 'blobs');
    const snapshot = join(folder, 'hub', 'snapshots', 'abc');
    cpSync(`${MICRO}/text_encoder_sharded_bf16`, blobs, { recursive: true });
    mkdirSync(join(snapshot, 'text_encoder'), { recursive: true });
    mkdirSync(join(snapshot, 'tokenizer'));
    for (const name of [
      'config.json',
      'model.safetensors.index.json',
      ...[1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`),
    ]) {
      symlinkSync(join(blobs, name), join(snapshot, 'text_encoder', name));
    }
    copyFileSync(`${MICRO}/spiece.model`, join(snapshot, 'tokenizer', 'spiece.model'));
    const encoder = PromptEncoder.open(snapshot);
    const options = { cleaning: 'none', contextLength: LENGTH, threads: 1 } as const;
    const { prompts } = await encoder.encode(['pick up the red block'], options);
    const want = readFloat32(tensors.get('embed')!).subarray(0, 10 * DIM);
    expect(prompts[0]!.rows).toHaveLength(want.length);
    prompts[0]!.rows.forEach((x, i) => expect(Math.abs(x - want[i]!)).toBeLessThan(2e-5));
  });

  it("beside the configuration of Wan's video model are not confused with it", () => {
    const wan = join(folder, 'wan');
    mkdirSync(join(wan, 'google', 'umt5-xxl'), { recursive: true });
    copyFileSync(`${MICRO}/models_t5_umt5.pth`, join(wan, 'models_t5_umt5-xxl-enc-bf16.pth'));
    copyFileSync(`${MICRO}/tokenizer.json`, join(wan, 'google', 'umt5-xxl', 'tokenizer.json'));
    writeFileSync(
      join(wan, 'config.json'),
      JSON.stringify({ _class_name: 'WanModel', model_type: 'ti2v', dim: 3072, eps: 1e-6 }),
    );
    expect(PromptEncoder.open(wan).dimensions.layers).toBe(3);
  });
});

it('an encoder whose file is replaced while it is open says so, and is opened anew', async () => {
  const path = changed(join(folder, 'replaced'), (_, tensor) => tensor);
  const encoder = PromptEncoder.open(path);
  const options = { cleaning: 'none', contextLength: LENGTH, threads: 1 } as const;
  await encoder.encode(['pick up'], options);
  expect(encoder.changed).toBe(false);
  changed(path, (_, tensor) => tensor);
  expect(encoder.changed).toBe(true);
  await expect(encoder.encode(['pick up'], options)).rejects.toThrow(/was changed since it was opened/);
  await PromptEncoder.open(path).encode(['pick up'], options);
});

describe('files that cannot be used are refused in one sentence', () => {
  const sharded = (name: string): string => {
    const copy = join(folder, name);
    cpSync(`${MICRO}/text_encoder_sharded_bf16`, copy, { recursive: true });
    copyFileSync(`${MICRO}/tokenizer.json`, join(copy, 'tokenizer.json'));
    return copy;
  };
  const config = (name: string, change: object): string => {
    const copy = changed(join(folder, name), (_, tensor) => tensor);
    const original = JSON.parse(readFileSync(`${MICRO}/config.json`, 'utf8')) as object;
    writeFileSync(join(copy, 'config.json'), JSON.stringify({ ...original, ...change }));
    return copy;
  };
  const cases: [string, () => string, new (...args: never[]) => Error, RegExp][] = [
    ['nothing there', () => join(folder, 'nowhere'), UsageError, /no such file or folder/],
    ['an empty folder', () => temporaryFolder(), FileFormatError, /holds no text encoder/],
    ['a VAE', () => 'test/fixtures/libero_micro/vae_encoder.pth', FileFormatError, /is not a UMT5 encoder/],
    [
      'a T5: position biases in the first block alone',
      () => changed(join(folder, 't5'), (name, t) => (/block\.[12]\..*bias/.test(name) ? null : t)),
      FileFormatError,
      /it is a T5/,
    ],
    ['the configuration of an mT5', () => config('mt5', { model_type: 'mt5' }), FileFormatError, /"mt5"/],
    [
      'a configuration of other sizes',
      () => config('sizes', { num_heads: 8 }),
      FileFormatError,
      /heads 4, but .* 8/,
    ],
    [
      'another activation',
      () => config('relu', { feed_forward_proj: 'relu', is_gated_act: false }),
      FileFormatError,
      /gated-gelu/,
    ],
    [
      'a missing shard',
      () => {
        const copy = sharded('missing');
        rmSync(join(copy, 'model-00002-of-00003.safetensors'));
        return copy;
      },
      FileFormatError,
      /names the shard "model-00002-of-00003.safetensors", which is not there/,
    ],
    [
      'shards without their index',
      () => {
        const copy = sharded('no_index');
        rmSync(join(copy, 'model.safetensors.index.json'));
        return copy;
      },
      FileFormatError,
      /no index/,
    ],
    [
      'a shard of another download',
      () => {
        const copy = sharded('mixed');
        copyFileSync(
          join(copy, 'model-00001-of-00003.safetensors'),
          join(copy, 'model-00003-of-00003.safetensors'),
        );
        return copy;
      },
      FileFormatError,
      /does not hold it/,
    ],
    [
      'a truncated file',
      () => {
        const copy = changed(join(folder, 'truncated'), (_, t) => t);
        const path = join(copy, 'model.safetensors');
        writeFileSync(path, readFileSync(path).subarray(0, -1000));
        return copy;
      },
      FileFormatError,
      /truncated/,
    ],
    [
      'a missing tensor',
      () =>
        changed(join(folder, 'lacking'), (name, t) =>
          name.endsWith('1.layer.0.SelfAttention.k.weight') ? null : t,
        ),
      FileFormatError,
      /lacks the tensor "encoder.block.1.layer.0.SelfAttention.k.weight"/,
    ],
    [
      'a tensor of another shape',
      () =>
        changed(join(folder, 'shape'), (name, t) =>
          name.endsWith('2.layer.1.DenseReluDense.wo.weight') ? { ...t, shape: [72, 40] } : t,
        ),
      FileFormatError,
      /has the shape \[72, 40\], expected \[40, 72\]/,
    ],
    [
      'whole numbers for weights',
      () => changed(join(folder, 'integers'), (_, t) => ({ ...t, dtype: 'I32' })),
      FileFormatError,
      /element type I32/,
    ],
    [
      'the tokenizer of another model',
      () => {
        const copy = changed(join(folder, 'tokens'), (_, t) => t);
        const tokenizer = JSON.parse(readFileSync(`${MICRO}/tokenizer.json`, 'utf8')) as {
          model: { vocab: [string, number][] };
        };
        for (let i = 0; i < 100; i++) tokenizer.model.vocab.push([`▁other${i}`, -9]);
        writeFileSync(join(copy, 'tokenizer.json'), JSON.stringify(tokenizer));
        return copy;
      },
      FileFormatError,
      /it is the tokenizer of another model/,
    ],
    [
      'no tokenizer',
      () => {
        const copy = changed(join(folder, 'lonely', 'encoder'), (_, t) => t);
        rmSync(join(copy, 'tokenizer.json'));
        return copy;
      },
      FileFormatError,
      /name it with --tokenizer/,
    ],
  ];
  it.each(cases)('%s', (_, make, kind, words) => {
    const path = make();
    const open = () => PromptEncoder.open(path);
    expect(open).toThrow(kind);
    expect(open).toThrow(words);
    try {
      open();
    } catch (error) {
      expect((error as Error).message).not.toContain('\n');
    }
  });

  it('weights that are not numbers, when they give a context', async () => {
    const path = changed(join(folder, 'nan'), (name, t) =>
      name === 'encoder.final_layer_norm.weight' ? { ...t, data: new Float32Array(DIM).fill(NaN) } : t,
    );
    const options = { cleaning: 'none', contextLength: LENGTH, threads: 1 } as const;
    await expect(PromptEncoder.open(path).encode(['pick up'], options)).rejects.toThrow(/not finite/);
  });
});
